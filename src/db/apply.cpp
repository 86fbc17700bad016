#include <quire/backup.h>
#include <quire/error.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "db/image.h"
#include "format/checksum.h"
#include "format/increment.h"
#include "shared/layout.h"
#include "storage/file_calls.h"
#include "storage/new_file.h"
#include "storage/still_file.h"
#include "storage/stream.h"
#include "storage/system.h"

namespace quire {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

class Apply {
 public:
  Apply(const std::filesystem::path& database, storage::InStream increment,
        const BackupOptions& options)
      : path_(database),
        increment_(std::move(increment)),
        options_(options),
        base_(path_, shared::kAttachedByte, false) {
    temporary_ = path_;
    temporary_ += ".applying";
  }

  BackupReport run() {
    read_base();
    read_header();
    require_fits();
    storage::NewFile file(storage::open_directory_of(path_), temporary_, 0600);
    copy_base(file.descriptor());
    store_runs(file.descriptor());
    complete(file);
    return {header_.meta.txn, header_.page_count, meta_.page_count * meta_.page_bytes};
  }

 private:
  [[noreturn]] void refuse(Errc code, const std::string& reason) const {
    throw Error(code, path_.string() + ": " + reason);
  }
  [[noreturn]] void refuse_increment(const std::string& reason) const {
    throw Error(Errc::corrupt,
                increment_.path().string() + ": " + reason + "; make another increment");
  }

  void read_base() {
    if (base_.size_bytes() < format::kReservedBytes) {
      refuse(Errc::not_a_database, "too short to be a quire database");
    }
    format::Meta metas[2];
    for (int slot = 0; slot < 2; ++slot) {
      std::memcpy(static_cast<void*>(&metas[slot]), base_.base() + format::kMetaOffset[slot],
                  sizeof metas[slot]);
    }
    const format::MetaChoice choice = format::choose(metas[0], metas[1]);
    if (choice.fault == format::MetaFault::not_a_meta) {
      refuse(Errc::not_a_database, "not a quire database");
    }
    if (choice.fault == format::MetaFault::damaged) {
      refuse(Errc::corrupt, "both meta pages are damaged; make a new backup");
    }
    if (choice.fault != format::MetaFault::none) {
      refuse(Errc::wrong_version, "made by another version of quire; use that one");
    }
    meta_ = choice.meta;
    if (meta_.page_count > shared::kPageCapacity ||
        meta_.page_count * meta_.page_bytes > base_.size_bytes()) {
      refuse(Errc::corrupt, "shorter than it says; make a new backup");
    }
  }

  void take(void* bytes, std::size_t size_bytes) {
    if (increment_.read(static_cast<std::byte*>(bytes), size_bytes) != size_bytes) {
      refuse_increment("the increment is cut short");
    }
  }

  void read_header() {
    if (increment_.read(reinterpret_cast<std::byte*>(&header_), sizeof header_) != sizeof header_ ||
        header_.magic != format::kIncrementMagic) {
      throw Error(Errc::not_a_database, increment_.path().string() + ": not an increment");
    }
    if (header_.version != format::kIncrementVersion) {
      throw Error(Errc::wrong_version,
                  increment_.path().string() + ": made by another version of quire; use that one");
    }
    if (header_.checksum != format::increment_checksum(header_)) {
      refuse_increment("the increment's header is damaged");
    }
    const format::Meta& meta = header_.meta;
    if (meta.page_count > shared::kPageCapacity || header_.page_count > meta.page_count ||
        meta.txn < header_.from_txn || (meta.incompat & ~format::kIncompatKnown) != 0) {
      refuse_increment("the increment's header contradicts itself");
    }
  }

  void require_fits() const {
    const format::Meta& meta = header_.meta;
    if (meta.file_id != meta_.file_id || meta.checksum_seed != meta_.checksum_seed ||
        meta.page_bytes != meta_.page_bytes) {
      refuse(Errc::misuse, "the increment is of another database");
    }
    // What `lay_out` has made is as it was: any commit, and any other close, stores a meta more.
    if (meta_.clean != 1 || meta_.sequence > 2) {
      refuse(Errc::misuse,
             "is no backup, or was written to since; apply increments to a backup that nobody "
             "writes to");
    }
    if (meta_.txn != header_.from_txn) {
      refuse(Errc::misuse, "holds commit " + std::to_string(meta_.txn) +
                               ", but the increment begins from commit " +
                               std::to_string(header_.from_txn));
    }
  }

  void copy_base(const storage::Descriptor& file) {
    const std::uint64_t size_bytes = meta_.page_count * meta_.page_bytes;
    for (std::uint64_t offset = 0; offset < size_bytes; offset += kPieceBytes) {
      const std::uint64_t step = std::min<std::uint64_t>(kPieceBytes, size_bytes - offset);
      storage::write_at(file, offset, base_.base() + offset, step, "write", temporary_);
      report(offset + step);
    }
  }

  void report(std::uint64_t done_bytes) const {
    if (!options_.on_progress) return;
    options_.on_progress(done_bytes, (meta_.page_count + header_.page_count) * meta_.page_bytes);
  }

  void store_runs(const storage::Descriptor& file) {
    format::RunningChecksum checksum(meta_.checksum_seed);
    checksum.add(reinterpret_cast<const std::byte*>(&header_), sizeof header_);
    std::vector<std::byte> piece(kPieceBytes);
    std::uint64_t page_count = 0;
    for (;;) {
      format::StoredRun run;
      take(&run, sizeof run);
      checksum.add(reinterpret_cast<const std::byte*>(&run), sizeof run);
      if (run.page_count == 0) break;
      page_count += run.page_count;
      const std::uint64_t size_bytes = std::uint64_t{run.page_count} * meta_.page_bytes;
      if (run.first_page < format::kReservedBytes / meta_.page_bytes ||
          std::uint64_t{run.first_page} + run.page_count > header_.meta.page_count ||
          page_count > header_.page_count || size_bytes > piece.size()) {
        refuse_increment("the increment is damaged");
      }
      take(piece.data(), size_bytes);
      checksum.add(piece.data(), size_bytes);
      storage::write_at(file, std::uint64_t{run.first_page} * meta_.page_bytes, piece.data(),
                        size_bytes, "write", temporary_);
      report((meta_.page_count + page_count) * meta_.page_bytes);
    }
    std::uint64_t expected = 0;
    take(&expected, sizeof expected);
    if (page_count != header_.page_count || expected != checksum.value()) {
      refuse_increment("the increment is damaged");
    }
  }

  // Reads all of the new state, as it stands in the file.
  db::Census verified(const storage::Descriptor& descriptor) const {
    const storage::StillFile made("/proc/self/fd/" + std::to_string(descriptor.get()),
                                  shared::kAttachedByte, false);
    const TxnId txn{header_.meta.txn};
    const pages::Verification all{.sealed = txn, .newest = txn};
    const std::string name = path_.string();
    const pages::PageView view{
        .base = made.base(),
        .page_bytes = meta_.page_bytes,
        .page_count = static_cast<std::uint32_t>(made.size_bytes() / meta_.page_bytes),
        .checksum_seed = meta_.checksum_seed,
        .file = name.c_str(),
        .verification = &all};
    return db::take_census(view, {header_.meta.catalogue, header_.meta.default_table}, TxnId{0});
  }

  // Gives the new state what makes it a database.
  void complete(storage::NewFile& file) {
    const storage::Descriptor& descriptor = file.descriptor();
    const db::Census census = verified(descriptor);
    meta_ = header_.meta;
    db::lay_out(meta_, census.used);
    const std::uint64_t page_bytes = meta_.page_bytes;
    const std::vector<std::byte> map = db::map_image(meta_, census.used);
    storage::write_at(descriptor, meta_.map[0].first_page * page_bytes, map.data(), map.size(),
                      "write", temporary_);
    storage::write_zeros_at(descriptor, meta_.log.first_page * page_bytes,
                            meta_.log.page_count * page_bytes, "write", temporary_);
    for (int slot = 0; slot < 2; ++slot) {
      const format::Meta stored = db::stored_meta(meta_, slot);
      if (format::judge(stored) != format::MetaFault::none) {
        refuse_increment("the increment's header contradicts itself");
      }
      storage::write_at(descriptor, format::kMetaOffset[slot],
                        reinterpret_cast<const std::byte*>(&stored), sizeof stored, "write",
                        temporary_);
    }
    storage::resize(descriptor, meta_.page_count * page_bytes, "set the length of it", temporary_);
    name_it(file);
  }

  void name_it(storage::NewFile& file) {
    struct stat status = {};
    if (storage::system.fstatat(AT_FDCWD, path_.c_str(), &status, 0) == 0) {
      (void)storage::system.fchown(file.descriptor().get(), status.st_uid, status.st_gid);
      (void)storage::system.fchmod(file.descriptor().get(), status.st_mode & 07777);
    }
    if (storage::uninterrupted([&] { return storage::system.fsync(file.descriptor().get()); }) ==
        -1) {
      storage::throw_errno(errno, "flush", temporary_);
    }
    std::error_code ignored;
    std::filesystem::remove(temporary_,
                            ignored);  // a killed one's; the base's lock keeps others out
    if (!file.link()) refuse(Errc::busy, temporary_.string() + " is in the way; remove it");
    storage::replace_file(temporary_, path_);
  }

  std::filesystem::path path_;  // without links: what takes its place is no link either
  std::filesystem::path temporary_;
  storage::InStream increment_;
  const BackupOptions& options_;
  storage::StillFile base_;
  format::Meta meta_;  // of the base, and at last of what has become of it
  format::IncrementHeader header_;
};

std::filesystem::path existing(const std::filesystem::path& path) {
  std::error_code absent;
  const std::filesystem::path found = std::filesystem::canonical(path, absent);
  if (absent) throw Error(Errc::io, path.string() + ": cannot open: " + absent.message());
  return found;
}

}  // namespace

BackupReport apply_increment(const std::filesystem::path& database,
                             const std::filesystem::path& increment, const BackupOptions& options) {
  return Apply(existing(database), storage::InStream(increment), options).run();
}

BackupReport apply_increment(const std::filesystem::path& database, int descriptor,
                             const BackupOptions& options) {
  return Apply(existing(database), storage::InStream(descriptor), options).run();
}

}  // namespace quire
