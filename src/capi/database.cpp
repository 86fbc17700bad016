#include <chrono>
#include <cstdio>
#include <new>
#include <system_error>

#include "capi/handles.h"

namespace quire::capi {
namespace {

constexpr std::size_t kMessageBytes = 1024;
thread_local char message[kMessageBytes];  // never allocated: memory may be what is missing

static_assert(QUIRE_CORRUPT == int(Errc::corrupt) &&
              QUIRE_NOT_A_DATABASE == int(Errc::not_a_database) &&
              QUIRE_WRONG_VERSION == int(Errc::wrong_version) && QUIRE_BUSY == int(Errc::busy) &&
              QUIRE_NO_SPACE == int(Errc::no_space) && QUIRE_TOO_LARGE == int(Errc::too_large) &&
              QUIRE_POISONED == int(Errc::poisoned) && QUIRE_READ_ONLY == int(Errc::read_only) &&
              QUIRE_FORKED == int(Errc::forked) && QUIRE_MISUSE == int(Errc::misuse) &&
              QUIRE_IO == int(Errc::io) &&
              QUIRE_UNSUPPORTED_FILESYSTEM == int(Errc::unsupported_filesystem));
static_assert(QUIRE_VERIFY_NEVER == int(Verify::never) &&
              QUIRE_VERIFY_FIRST_TOUCH == int(Verify::first_touch) &&
              QUIRE_VERIFY_ALWAYS == int(Verify::always));
static_assert(sizeof(quire_options) == 64 && sizeof(quire_statistics) == 256 &&
              sizeof(quire_reader) == 192);

int keep(int code, const char* text) noexcept {
  std::snprintf(message, sizeof message, "%s", text);
  return code;
}

Options options_from(const quire_options* given) {
  Options options;
  if (given == nullptr) return options;
  require_zeros(given->zero, "quire_options");
  if (given->verify > QUIRE_VERIFY_ALWAYS) {
    throw Error(Errc::misuse, "quire_options: verify is none of QUIRE_VERIFY_...");
  }
  options.create_if_missing = given->must_exist == 0;
  options.read_only = given->read_only != 0;
  options.page_size = given->page_bytes;
  options.durability = given->relaxed != 0 ? Durability::relaxed : Durability::full;
  options.background_checkpoints = given->no_background_checkpoints == 0;
  options.verify = static_cast<Verify>(given->verify);
  options.reserve = given->reserve_bytes;
  options.guard_sigbus = given->guard_sigbus != 0;
  options.allow_any_filesystem = given->allow_any_filesystem != 0;
  return options;
}

std::chrono::nanoseconds timeout_from(std::int64_t nanoseconds) {
  return nanoseconds < 0 ? std::chrono::nanoseconds::max() : std::chrono::nanoseconds(nanoseconds);
}

}  // namespace

int keep_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return keep(error.code().value(), error.what());
  } catch (const std::bad_alloc&) {
    return keep(QUIRE_NO_MEMORY, "memory is exhausted");
  } catch (const std::exception& error) {
    return keep(QUIRE_UNEXPECTED, error.what());
  } catch (...) {
    return keep(QUIRE_UNEXPECTED, "an exception of an unknown kind");
  }
}

}  // namespace quire::capi

using namespace quire::capi;

const char* quire_message() { return message; }

const char* quire_version() { return quire::version(); }

int quire_open(const char* path, const quire_options* options, quire_db** db) {
  return guarded([&]() -> int {
    require(path, db);
    *db = new quire_db{quire::Database(path, options_from(options))};
    return QUIRE_OK;
  });
}

int quire_open_in_memory(const quire_options* options, quire_db** db) {
  return guarded([&]() -> int {
    require(db);
    *db = new quire_db{quire::Database::in_memory(options_from(options))};
    return QUIRE_OK;
  });
}

int quire_open_descriptors(int data, int region, const quire_options* options, quire_db** db) {
  return guarded([&]() -> int {
    require(db);
    *db = new quire_db{quire::Database::from_descriptors({data, region}, options_from(options))};
    return QUIRE_OK;
  });
}

int quire_descriptors(quire_db* db, int* data, int* region) {
  return guarded([&]() -> int {
    require(db, data, region);
    const auto descriptors = db->database.descriptors();
    if (!descriptors) return QUIRE_NOT_FOUND;
    *data = descriptors->data;
    *region = descriptors->region;
    return QUIRE_OK;
  });
}

void quire_close(quire_db* db) { delete db; }

int quire_sync(quire_db* db) {
  return guarded([&]() -> int {
    require(db);
    db->database.sync();
    return QUIRE_OK;
  });
}

int quire_checkpoint(quire_db* db) {
  return guarded([&]() -> int {
    require(db);
    db->database.checkpoint();
    return QUIRE_OK;
  });
}

int quire_wait_for_commit(quire_db* db, uint64_t after, int64_t timeout_nanoseconds,
                          uint64_t* txn) {
  return guarded([&]() -> int {
    require(db, txn);
    const auto newest = db->database.wait_for_commit(after, timeout_from(timeout_nanoseconds));
    if (!newest) return QUIRE_NOT_FOUND;
    *txn = *newest;
    return QUIRE_OK;
  });
}

int quire_stat(quire_db* db, quire_statistics* statistics) {
  return guarded([&]() -> int {
    require(db, statistics);
    const quire::Statistics found = quire::stat(db->database);
    *statistics = {.page_bytes = found.page_size_bytes,
                   .file_bytes = found.file_bytes,
                   .used_pages = found.used_pages,
                   .pending_pages = found.pending_pages,
                   .free_pages = found.free_pages,
                   .txn = found.txn,
                   .checkpoint_txn = found.checkpoint_txn,
                   .log_bytes = found.log_bytes,
                   .log_used_bytes = found.log_used_bytes,
                   .process_count = found.process_count,
                   .reader_count = found.reader_count,
                   .table_count = 0,
                   .entry_count = 0,
                   .zero = {}};
    for (const quire::TableStatistics& table : found.tables) {
      statistics->table_count += table.name.empty() ? 0 : 1;
      statistics->entry_count += table.entry_count;
    }
    return QUIRE_OK;
  });
}

int quire_readers(quire_db* db, quire_reader* readers, size_t size, size_t* count) {
  return guarded([&]() -> int {
    require(db, count);
    if (size > 0) require(readers);
    const std::vector<quire::ReaderInfo> found = quire::readers(db->database);
    for (std::size_t i = 0; i < size && i < found.size(); ++i) {
      readers[i] = {.pid = found[i].pid,
                    .pid_namespace = found[i].pid_namespace,
                    .thread = found[i].thread,
                    .txn = found[i].txn,
                    .commits_behind = found[i].commits_behind,
                    .age_seconds = found[i].age_seconds,
                    .pinned_bytes = found[i].pinned_bytes,
                    .command = {},
                    .zero = {}};
      std::snprintf(readers[i].command, sizeof readers[i].command, "%s", found[i].command.c_str());
    }
    *count = found.size();
    return QUIRE_OK;
  });
}

int quire_check(quire_db* db, uint64_t* fault_count) {
  return guarded([&]() -> int {
    store(fault_count, 0);
    require(db);
    const quire::CheckReport report = quire::check(db->database);
    store(fault_count, report.fault_count);
    if (report.ok()) return QUIRE_OK;
    const quire::Fault& first = report.faults.front();
    const std::string place =
        db->database.path().string() + ": page " + std::to_string(first.page) + ": ";
    return keep(QUIRE_CORRUPT,
                (place + first.reason + "; restore from a copy, or run kvtool salvage").c_str());
  });
}

int quire_snapshot_begin(quire_db* db, quire_snapshot** snapshot) {
  return guarded([&]() -> int {
    require(db, snapshot);
    *snapshot = new quire_snapshot{db->database.snapshot()};
    return QUIRE_OK;
  });
}

void quire_snapshot_end(quire_snapshot* snapshot) { delete snapshot; }

uint64_t quire_snapshot_txn(const quire_snapshot* snapshot) {
  return snapshot == nullptr ? 0 : snapshot->snapshot.txn();
}

int quire_copy(const quire_snapshot* snapshot, const char* path) {
  return guarded([&]() -> int {
    require(snapshot, path);
    quire::copy(snapshot->snapshot, path);
    return QUIRE_OK;
  });
}
