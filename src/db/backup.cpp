#include <quire/backup.h>
#include <quire/error.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "db/handles.h"
#include "db/image.h"
#include "format/checksum.h"
#include "format/increment.h"
#include "storage/stream.h"

namespace quire {
namespace {

constexpr std::uint32_t kPieceBytes = 1 << 20;

// What is copied, and how far it is.
class Copying {
 public:
  Copying(const Snapshot& source, const BackupOptions& options)
      : state_(detail::Access::state(source)),
        options_(options),
        view_(state_.snapshot.view()),
        verification_(state_.snapshot.verification()) {
    // A copy must not give damage fresh checksums, however its source was opened, and whatever this
    // process has seen of it before.
    verification_.verified = nullptr;
    view_.verification = &verification_;
  }
  Copying(const Copying&) = delete;
  Copying& operator=(const Copying&) = delete;

  // The state is one that this process alone has made by replaying the log. Who recovers the file
  // makes another one of the same number.
  bool is_private() const noexcept { return file().data().is_private(); }

  const pages::PageView& view() const noexcept { return view_; }
  txn::File& file() const noexcept { return state_.snapshot.file(); }
  std::uint64_t txn() const noexcept { return state_.snapshot.txn().value; }

  db::Census census(std::uint64_t since) const {
    const txn::State& state = state_.snapshot.state();
    return db::take_census(view_, {state.catalogue, state.default_table}, TxnId{since});
  }

  // Without maps and log.
  format::Meta meta() const {
    const format::Meta current = file().read_metas().meta;
    const txn::State& state = state_.snapshot.state();
    format::Meta meta;
    meta.sequence = is_private() ? 2 : 0;  // as of a database that was written to: no base
    meta.page_bytes = view_.page_bytes;
    meta.compat = current.compat;
    meta.ro_compat = current.ro_compat;
    meta.incompat = current.incompat;
    meta.file_id = current.file_id;
    meta.checksum_seed = current.checksum_seed;
    meta.txn = meta.id_base = txn();
    meta.page_count = state.page_count;
    meta.catalogue = state.catalogue;
    meta.default_table = state.default_table;
    meta.next_table_id = static_cast<std::uint32_t>(state.next_table_id);
    return meta;
  }

  // The bytes of a run as they are to be in the copy; valid until the next call.
  std::span<const std::byte> run_bytes(const db::Census& census, PageRun run) {
    buffer_.resize(std::size_t{run.page_count} * view_.page_bytes);
    for (std::uint32_t i = 0; i < run.page_count; ++i) {
      const std::uint64_t page = std::uint64_t{run.first.value} + i;
      std::byte* target = buffer_.data() + std::size_t{i} * view_.page_bytes;
      if (census.trees.has(page)) {
        db::copy_tree_page(view_, page, target);
      } else {
        std::memcpy(target, view_.at(PageId{static_cast<std::uint32_t>(page)}), view_.page_bytes);
      }
    }
    const std::uint64_t offset = std::uint64_t{run.first.value} * view_.page_bytes;
    file().data().read_on(offset, buffer_.size(), offset, 0);
    file().require_readable();
    return buffer_;
  }

  std::uint32_t run_pages_max() const noexcept { return kPieceBytes / view_.page_bytes; }

  void report(std::uint64_t done_bytes, std::uint64_t total_bytes) const {
    if (options_.on_progress) options_.on_progress(done_bytes, total_bytes);
  }

 private:
  detail::SnapshotState& state_;
  const BackupOptions& options_;
  pages::PageView view_;
  pages::Verification verification_;
  std::vector<std::byte> buffer_;
};

void skip_to(storage::OutStream& target, std::uint64_t offset) {
  target.skip(offset - target.written_bytes());
}

BackupReport write_whole(Copying& source, storage::OutStream& target) {
  format::Meta meta = source.meta();
  const db::Census census = source.census(0);
  db::lay_out(meta, census.used);
  const std::uint64_t page_bytes = meta.page_bytes;
  const std::uint64_t total_bytes = meta.page_count * page_bytes;
  for (int slot = 0; slot < 2; ++slot) {
    const format::Meta stored = db::stored_meta(meta, slot);
    skip_to(target, format::kMetaOffset[slot]);
    target.write(reinterpret_cast<const std::byte*>(&stored), sizeof stored);
  }
  for (std::uint64_t page = 0;;) {
    const PageRun run = census.used.next_run(page, source.run_pages_max());
    if (run.page_count == 0) break;
    skip_to(target, run.first.value * page_bytes);
    const auto bytes = source.run_bytes(census, run);
    target.write(bytes.data(), bytes.size());
    source.report(target.written_bytes(), total_bytes);
    page = std::uint64_t{run.first.value} + run.page_count;
  }
  const std::vector<std::byte> map = db::map_image(meta, census.used);
  skip_to(target, meta.map[0].first_page * page_bytes);
  target.write(map.data(), map.size());
  skip_to(target, total_bytes);
  source.report(total_bytes, total_bytes);
  return {source.txn(), census.used.count(), total_bytes};
}

// Writes and hashes.
class Hashing {
 public:
  Hashing(storage::OutStream& target, std::uint64_t seed) : target_(target), checksum_(seed) {}

  void write(const void* bytes, std::size_t size_bytes) {
    const auto* first = static_cast<const std::byte*>(bytes);
    checksum_.add(first, size_bytes);
    target_.write(first, size_bytes);
  }
  std::uint64_t value() const noexcept { return checksum_.value(); }

 private:
  storage::OutStream& target_;
  format::RunningChecksum checksum_;
};

BackupReport write_since(Copying& source, std::uint64_t txn, storage::OutStream& target) {
  const db::Census census = source.census(txn);
  format::IncrementHeader header;
  header.from_txn = txn;
  header.page_count = census.used.count();
  header.meta = source.meta();
  header.checksum = format::increment_checksum(header);
  const std::uint64_t total_bytes = header.page_count * header.meta.page_bytes;
  Hashing out(target, header.meta.checksum_seed);
  out.write(&header, sizeof header);
  std::uint64_t done_bytes = 0;
  for (std::uint64_t page = 0;;) {
    const PageRun run = census.used.next_run(page, source.run_pages_max());
    const format::StoredRun stored{run.page_count == 0 ? 0 : run.first.value, run.page_count};
    out.write(&stored, sizeof stored);
    if (run.page_count == 0) break;
    const auto bytes = source.run_bytes(census, run);
    out.write(bytes.data(), bytes.size());
    done_bytes += bytes.size();
    source.report(done_bytes, total_bytes);
    page = std::uint64_t{run.first.value} + run.page_count;
  }
  const std::uint64_t checksum = out.value();
  target.write(reinterpret_cast<const std::byte*>(&checksum), sizeof checksum);
  return {source.txn(), header.page_count, target.written_bytes()};
}

template <typename Write>
BackupReport completed(storage::OutStream& target, Write write) {
  const BackupReport report = write(target);
  target.complete();
  return report;
}

BackupReport whole(const Snapshot& source, storage::OutStream& target,
                   const BackupOptions& options) {
  Copying copying(source, options);
  return detail::readable(&copying.file(), [&] {
    return completed(target, [&](storage::OutStream& out) { return write_whole(copying, out); });
  });
}

BackupReport since(const Snapshot& source, std::uint64_t txn, storage::OutStream& target,
                   const BackupOptions& options) {
  Copying copying(source, options);
  if (copying.is_private()) {
    throw Error(Errc::read_only,
                copying.file().name() +
                    ": nobody has replayed the log, so this state has no number of "
                    "its own; make a whole backup, or open it for writing once");
  }
  if (txn > copying.txn()) {
    throw Error(Errc::misuse, copying.file().name() + ": the snapshot is of commit " +
                                  std::to_string(copying.txn()) + ", before " +
                                  std::to_string(txn));
  }
  return detail::readable(&copying.file(), [&] {
    return completed(target,
                     [&](storage::OutStream& out) { return write_since(copying, txn, out); });
  });
}

}  // namespace

BackupReport backup(const Snapshot& source, const std::filesystem::path& target,
                    const BackupOptions& options) {
  storage::OutStream out(target, options.allow_any_filesystem);
  return whole(source, out, options);
}

BackupReport backup(const Snapshot& source, int descriptor, const BackupOptions& options) {
  storage::OutStream out(descriptor);
  return whole(source, out, options);
}

BackupReport backup_since(const Snapshot& source, std::uint64_t txn,
                          const std::filesystem::path& target, const BackupOptions& options) {
  storage::OutStream out(target, options.allow_any_filesystem);
  return since(source, txn, out, options);
}

BackupReport backup_since(const Snapshot& source, std::uint64_t txn, int descriptor,
                          const BackupOptions& options) {
  storage::OutStream out(descriptor);
  return since(source, txn, out, options);
}

}  // namespace quire
