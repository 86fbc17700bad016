#include <filesystem>

#include "capi/handles.h"

using namespace quire::capi;

namespace {

static_assert(sizeof(quire_backup_options) == 64 && sizeof(quire_backup_report) == 64 &&
              sizeof(quire_compact_report) == 64);

struct Stopped {};  // by the caller's progress function

quire::BackupOptions options_from(const quire_backup_options* given) {
  quire::BackupOptions options;
  if (given == nullptr) return options;
  require_zeros(given->zero, "quire_backup_options");
  options.allow_any_filesystem = given->allow_any_filesystem != 0;
  if (given->progress != nullptr) {
    options.on_progress = [=](std::uint64_t done_bytes, std::uint64_t total_bytes) {
      if (given->progress(given->context, done_bytes, total_bytes) != 0) throw Stopped();
    };
  }
  return options;
}

// Runs a call that gives a report, which may have nowhere to go.
template <typename Call>
int reported(quire_backup_report* report, Call call) {
  return guarded([&]() -> int {
    try {
      const quire::BackupReport made = call();
      if (report != nullptr) {
        *report = {.txn = made.txn,
                   .page_count = made.page_count,
                   .written_bytes = made.written_bytes,
                   .zero = {}};
      }
      return QUIRE_OK;
    } catch (const Stopped&) {
      return QUIRE_STOPPED;
    }
  });
}

}  // namespace

int quire_backup(const quire_snapshot* snapshot, const char* path,
                 const quire_backup_options* options, quire_backup_report* report) {
  return reported(report, [&] {
    require(snapshot, path);
    return quire::backup(snapshot->snapshot, path, options_from(options));
  });
}

int quire_backup_descriptor(const quire_snapshot* snapshot, int descriptor,
                            const quire_backup_options* options, quire_backup_report* report) {
  return reported(report, [&] {
    require(snapshot);
    return quire::backup(snapshot->snapshot, descriptor, options_from(options));
  });
}

int quire_backup_since(const quire_snapshot* snapshot, uint64_t txn, const char* path,
                       const quire_backup_options* options, quire_backup_report* report) {
  return reported(report, [&] {
    require(snapshot, path);
    return quire::backup_since(snapshot->snapshot, txn, path, options_from(options));
  });
}

int quire_backup_since_descriptor(const quire_snapshot* snapshot, uint64_t txn, int descriptor,
                                  const quire_backup_options* options,
                                  quire_backup_report* report) {
  return reported(report, [&] {
    require(snapshot);
    return quire::backup_since(snapshot->snapshot, txn, descriptor, options_from(options));
  });
}

int quire_apply_increment(const char* database, const char* increment,
                          const quire_backup_options* options, quire_backup_report* report) {
  return reported(report, [&] {
    require(database, increment);
    return quire::apply_increment(database, std::filesystem::path(increment),
                                  options_from(options));
  });
}

int quire_apply_increment_descriptor(const char* database, int descriptor,
                                     const quire_backup_options* options,
                                     quire_backup_report* report) {
  return reported(report, [&] {
    require(database);
    return quire::apply_increment(database, descriptor, options_from(options));
  });
}

int quire_compact(quire_db* db, uint64_t step_bytes, quire_compact_report* report) {
  return guarded([&]() -> int {
    require(db);
    const quire::CompactReport step =
        step_bytes == 0 ? quire::compact(db->database) : quire::compact(db->database, step_bytes);
    if (report != nullptr) {
      *report = {.used_bytes = step.used_bytes, .wanted_bytes = step.wanted_bytes, .zero = {}};
    }
    return step.is_done ? QUIRE_NOT_FOUND : QUIRE_OK;
  });
}
