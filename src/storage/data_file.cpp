#include "storage/data_file.h"

#include <quire/error.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/test_points.h"
#include "storage/file_calls.h"
#include "storage/mapping.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

#ifdef QUIRE_SINGLE_MAPPING
constexpr bool kSingleMapping = true;
constexpr std::uint64_t kReserveBytes = std::uint64_t{64}
                                        << 30;  // ThreadSanitizer needs addresses itself
#else
constexpr bool kSingleMapping = false;
constexpr std::uint64_t kReserveBytes = std::uint64_t{1} << 40;
#endif
constexpr std::uint64_t kReserveBytesMax = std::uint64_t{1} << 56;    // no address is longer
constexpr std::uint64_t kReserveUnitBytes = std::uint64_t{64} << 10;  // the largest page
constexpr std::uint64_t kResidentStepBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kFolioBytes = std::uint64_t{16} << 10;
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{1} << 20;
constexpr int kDropAttempts = 4;

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) noexcept {
  return (bytes + unit - 1) / unit * unit;
}

// Falls back to the path as given, made absolute, where the file cannot be found by its true name.
std::filesystem::path true_path(const std::filesystem::path& path, FileIdentity identity) {
  std::error_code failed;
  std::filesystem::path found = std::filesystem::canonical(path, failed);
  if (!failed && names_file(found, identity)) return found;
  found = std::filesystem::absolute(path, failed);
  return failed ? path : found;
}

// True when the system holds no page of the file in memory.
bool is_all_dropped(const Descriptor& file, std::uint64_t file_bytes,
                    const std::filesystem::path& path) {
  Mapping view;
  if (const int refused = view.map(file.get(), Mapping::Mode::read_only, 0, file_bytes)) {
    throw_errno(refused, "map", path);
  }
  std::vector<unsigned char> resident(kResidentStepBytes / system_page_bytes());
  for (std::uint64_t offset = 0; offset < file_bytes; offset += kResidentStepBytes) {
    const std::uint64_t step = std::min(kResidentStepBytes, file_bytes - offset);
    std::fill(resident.begin(), resident.end(), static_cast<unsigned char>(0));
    if (system.mincore(view.base() + offset, step, resident.data()) == -1) {
      throw_errno(errno, "mincore", path);
    }
    const bool is_any = std::any_of(resident.begin(), resident.end(),
                                    [](unsigned char page) { return (page & 1) != 0; });
    if (is_any) return false;
  }
  return true;
}

}  // namespace

struct DataFile::State {
  std::filesystem::path path;
  Access access = Access::read_write;
  FileIdentity identity;
  FilesystemKind filesystem = {};
  bool is_opened_for_writing = false;
  std::optional<MemoryFiles> memory;
  std::uint64_t private_bytes = 0;  // size of a private view
  // One description per role, because the system reports a failed write-back once to each (rule 6).
  Descriptor pages;
  Descriptor log;
  Descriptor growth;
  Descriptor locks;
  std::mutex sending_opened;
  Descriptor sending;
  Mapping read_mapping;   // of `pages`
  Mapping write_mapping;  // of `log`
  mutable std::atomic<std::uint64_t> limit_bytes{0};
  mutable std::atomic<std::int64_t> limit_known_in{-1};  // a tick, in nanoseconds; -1: in none

  // As it was in this tick of the coarse clock: asking costs a system call.
  std::uint64_t known_limit_bytes() const noexcept {
    timespec now = {};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    const std::int64_t tick = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
    if (limit_known_in.load(std::memory_order_relaxed) != tick) {
      limit_bytes.store(size_limit_bytes(), std::memory_order_relaxed);
      limit_known_in.store(tick, std::memory_order_relaxed);
    }
    return limit_bytes.load(std::memory_order_relaxed);
  }

  // Errno of the refusal; then nothing is mapped.
  int map_windows(std::uint64_t window_bytes) {
    if (is_private()) return map_privately(window_bytes);
    if (access == Access::read_write) {
      const int refused = write_mapping.map(log.get(), Mapping::Mode::read_write, 0, window_bytes);
      if (refused != 0 || kSingleMapping) return refused;
    }
    const int refused = read_mapping.map(pages.get(), Mapping::Mode::read_only, 0, window_bytes);
    if (refused != 0) write_mapping = Mapping{};
    return refused;
  }

  bool is_private() const noexcept { return access == Access::private_view; }
  bool has_disk() const noexcept { return !filesystem.is_memory || system.flushes_memory; }

  void take(OpenedFile opened) {
    identity = opened.identity;
    is_opened_for_writing = opened.is_writable;
    pages = std::move(opened.descriptions[0]);
    locks = std::move(opened.descriptions[1]);
    if (access != Access::read_write) return;
    log = std::move(opened.descriptions[2]);
    growth = std::move(opened.descriptions[3]);
  }

  int map_privately(std::uint64_t window_bytes) {
    int refused = write_mapping.map(pages.get(), Mapping::Mode::copy_on_write, 0, window_bytes);
    if (refused == 0) {
      refused = write_mapping.map_memory_from(round_up(private_bytes, system_page_bytes()));
    }
    if (refused != 0) write_mapping = Mapping{};
    return refused;
  }

  std::error_code flush(std::byte* base, std::uint64_t offset, std::uint64_t size_bytes) const {
    if (is_private()) return {};
    QUIRE_ASSERT(access == Access::read_write && base != nullptr);
    QUIRE_ASSERT(offset <= write_mapping.size_bytes() &&
                 size_bytes <= write_mapping.size_bytes() - offset);
    if (size_bytes == 0 || !has_disk()) return {};
    const std::uint64_t first = offset - offset % system_page_bytes();
    const int result = uninterrupted(
        [&] { return system.msync(base + first, offset + size_bytes - first, MS_SYNC); });
    return result == 0 ? std::error_code{} : last_error();
  }

  // Of kWriteBackBytes. Without one of the flags that wait it takes no error from any description
  // (rule 6); that it cannot is no loss.
  void start_write_back(std::uint64_t offset) const {
    if (!has_disk()) return;
    static_cast<void>(system.sync_file_range(pages.get(), static_cast<off_t>(offset),
                                             static_cast<off_t>(kWriteBackBytes),
                                             SYNC_FILE_RANGE_WRITE));
  }

  // To notice later stores, the flush would take the right to write from every page on its own,
  // each time interrupting the processors on which this process runs. Pages that are not mapped
  // need none of that; the next access maps them again.
  void unmap_written(std::uint64_t offset, std::uint64_t size_bytes) const {
    if (is_private() || size_bytes == 0 || !has_disk()) return;  // what was stored would be gone
    const std::uint64_t first = offset - offset % system_page_bytes();
    (void)system.madvise(write_mapping.base() + first, offset + size_bytes - first, MADV_DONTNEED);
  }

  // Of the whole file: the growth description's flush where a range will not do.
  std::error_code flush_growth() const {
    if (!has_disk()) return {};
    const int result = uninterrupted([&] { return system.fdatasync(growth.get()); });
    return result == 0 ? std::error_code{} : last_error();
  }

  // A whole-file flush here would write all dirty pages of the trees; a ranged one needs a mapping
  // of this description.
  std::error_code flush_growth(std::uint64_t offset, std::uint64_t size_bytes) const {
    if (size_bytes == 0 || !has_disk()) return {};
    const std::uint64_t first = offset - offset % system_page_bytes();
    const std::uint64_t window_bytes = offset + size_bytes - first;
    Mapping view;
    if (view.map(growth.get(), Mapping::Mode::read_only, first, window_bytes) != 0) {
      return flush_growth();
    }
    const int result =
        uninterrupted([&] { return system.msync(view.base(), window_bytes, MS_SYNC); });
    return result == 0 ? std::error_code{} : last_error();
  }
};

DataFile::DataFile(const std::filesystem::path& path, Access access, bool allow_any_filesystem)
    : state_(std::make_unique<State>()) {
  const bool is_writer = access == Access::read_write;
  state_->access = access;
  state_->take(open_descriptions(path, is_writer ? OpenMode::write : OpenMode::write_if_allowed, 0,
                                 is_writer ? 4 : 2));
  state_->path = true_path(path, state_->identity);
  state_->filesystem = require_supported_filesystem(state_->pages, allow_any_filesystem, path);
  if (is_private()) state_->private_bytes = size_of(state_->pages, state_->path);
}

DataFile::DataFile(MemoryFiles files) : state_(std::make_unique<State>()) {
  state_->path = memory_name(files.data, "data");
  state_->take(open_descriptions(link_to(files.data), OpenMode::write, 0, 4));
  state_->filesystem = require_supported_filesystem(state_->pages, false, state_->path);
  state_->memory = std::move(files);
}

DataFile::~DataFile() = default;

const std::filesystem::path& DataFile::path() const noexcept { return state_->path; }
FileIdentity DataFile::identity() const noexcept { return state_->identity; }
FilesystemKind DataFile::filesystem() const noexcept { return state_->filesystem; }
bool DataFile::is_opened_for_writing() const noexcept { return state_->is_opened_for_writing; }
int DataFile::lock_descriptor() const noexcept { return state_->locks.get(); }

bool DataFile::is_replaced() const noexcept {
  return !state_->memory && storage::is_replaced(state_->path, state_->pages, state_->identity);
}
bool DataFile::is_private() const noexcept { return state_->is_private(); }
bool DataFile::has_disk() const noexcept { return state_->has_disk(); }

const MemoryFiles* DataFile::memory_files() const noexcept {
  return state_->memory ? &*state_->memory : nullptr;
}

std::uint64_t DataFile::size_bytes() const {
  return is_private() ? state_->private_bytes : size_of(state_->pages, state_->path);
}

std::error_code DataFile::flush_name() {
  return has_disk() && !state_->memory ? flush_directory_of(state_->path) : std::error_code{};
}

std::size_t DataFile::read(std::uint64_t offset, std::byte* bytes, std::size_t size_bytes) const {
  return read_at(state_->pages, offset, bytes, size_bytes, state_->path);
}

void DataFile::write(std::uint64_t offset, const std::byte* bytes, std::size_t size_bytes) {
  if (is_private() || offset + size_bytes > state_->known_limit_bytes()) {
    std::memcpy(write_base() + offset, bytes, size_bytes);
  } else {
    write_at(state_->log, offset, bytes, size_bytes, "write the log", state_->path);
  }
}

void DataFile::write_pages(std::uint64_t offset, const std::byte* bytes, std::size_t size_bytes) {
  const std::uint64_t limit = offset + size_bytes;
  // A file that somebody has cut must not become longer again: through the map that is found out.
  if (is_private() || limit > state_->known_limit_bytes() || this->size_bytes() < limit) {
    std::memcpy(write_base() + offset, bytes, size_bytes);
    return;
  }
  while (offset < limit) {
    const std::uint64_t step = std::min(limit - offset, kFolioBytes - offset % kFolioBytes);
    write_at(state_->pages, offset, bytes, step, "write pages", state_->path);
    offset += step;
    bytes += step;
    if (offset % kWriteBackBytes == 0) state_->start_write_back(offset - kWriteBackBytes);
  }
}

int DataFile::sending_descriptor() {
  const std::lock_guard lock(state_->sending_opened);
  if (!state_->sending.is_open()) {
    // Not by its path, which may name another file by now.
    const std::string open_file_name = "/proc/self/fd/" + std::to_string(state_->pages.get());
    state_->sending = open_file(open_file_name, O_RDONLY);
  }
  return state_->sending.get();
}

void DataFile::read_on(std::uint64_t behind_offset, std::uint64_t behind_bytes,
                       std::uint64_t next_offset, std::uint64_t next_bytes) noexcept {
  if (is_private()) return;  // there, what recovery has stored would be gone
  const auto advise = [&](std::uint64_t offset, std::uint64_t bytes, int advice) {
    const std::uint64_t first = offset - offset % system_page_bytes();
    const std::uint64_t end = offset + bytes - (offset + bytes) % system_page_bytes();
    if (end <= first) return;
    // madvise(2) does not write, and the mapping stays read-only.
    (void)system.madvise(const_cast<std::byte*>(read_base()) + first, end - first, advice);
  };
  advise(behind_offset, behind_bytes, MADV_DONTNEED);
  advise(next_offset, next_bytes, MADV_WILLNEED);
}

void DataFile::map(std::uint64_t reserve_bytes) {
  QUIRE_ASSERT(reserved_bytes() == 0);
  const std::uint64_t wanted = reserve_bytes != 0 ? reserve_bytes : kReserveBytes;
  const std::uint64_t needed =
      round_up(std::max<std::uint64_t>(size_bytes(), 1), kReserveUnitBytes);
  std::uint64_t window =
      std::max(needed, round_up(std::min(wanted, kReserveBytesMax), kReserveUnitBytes));
  for (;;) {
    const int refused = state_->map_windows(window);
    if (refused == 0) break;
    // EOVERFLOW: beyond the longest file of this file system. EAGAIN: beyond what may be locked in
    // memory.
    if (refused != ENOMEM && refused != EOVERFLOW && refused != EAGAIN) {
      throw_errno(refused, "map", state_->path);
    }
    if (window == needed) {
      throw Error(Errc::no_space, state_->path.string() + ": map: no address space for " +
                                      std::to_string(needed) +
                                      " bytes (see ulimit -v and ulimit -l)");
    }
    window = std::max(needed, round_up(window / 2, kReserveUnitBytes));
  }
  // Without it, faults around a store would read neighbours in large folios, which are then written
  // whole. Only the writer's window: the system does not count accesses through such a mapping when
  // it chooses what to evict.
  if (state_->access == Access::read_write) (void)system.madvise(write_base(), window, MADV_RANDOM);
}

const std::byte* DataFile::read_base() const noexcept {
  const std::byte* base = state_->read_mapping.base();
  return base != nullptr ? base : state_->write_mapping.base();
}

std::byte* DataFile::write_base() const noexcept { return state_->write_mapping.base(); }

std::uint64_t DataFile::reserved_bytes() const noexcept {
  return std::max(state_->read_mapping.size_bytes(), state_->write_mapping.size_bytes());
}

std::error_code DataFile::grow(std::uint64_t size_bytes) {
  QUIRE_ASSERT(state_->access != Access::read_only);
  const std::uint64_t before = this->size_bytes();
  const std::string action =
      "grow from " + std::to_string(before) + " to " + std::to_string(size_bytes) + " bytes";
  if (reserved_bytes() != 0 && size_bytes > reserved_bytes()) {
    throw Error(Errc::no_space,
                state_->path.string() + ": " + action + ": only " +
                    std::to_string(reserved_bytes()) +
                    " bytes of addresses are reserved (open with a larger reserve)");
  }
  if (is_private()) {
    state_->private_bytes = std::max(before, size_bytes);
    return {};
  }
  if (before >= size_bytes) return state_->flush_growth();
  if (allocate(state_->growth, 0, before, size_bytes - before, action, state_->path)) {
    crash_point("growth: file longer");
    if (sabotaged("growth_without_flush")) return {};
    return state_->flush_growth(before, size_bytes - before);
  }
  // Only beyond the old end, where nothing can be overwritten. Zeros that an earlier grower wrote
  // may still be dirty.
  write_zeros_at(state_->growth, before, size_bytes - before, action, state_->path);
  return state_->flush_growth();
}

bool DataFile::shrink(std::uint64_t size_bytes) noexcept {
  QUIRE_ASSERT(state_->access == Access::read_write);
  return uninterrupted([&] {
           return system.ftruncate(state_->growth.get(), static_cast<off_t>(size_bytes));
         }) == 0;
}

void DataFile::limit_view(std::uint64_t bytes_max) {
  QUIRE_ASSERT(is_private() && reserved_bytes() == 0);
  state_->private_bytes = std::min(size_of(state_->pages, state_->path), bytes_max);
}

void DataFile::fill_holes() {
  QUIRE_ASSERT(state_->access == Access::read_write);
  struct stat status = {};
  if (system.fstat(state_->growth.get(), &status) != 0) {
    throw_errno(errno, "look at its blocks", state_->path);
  }
  constexpr std::uint64_t kBlockBytes = 512;  // the unit of st_blocks
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (static_cast<std::uint64_t>(status.st_blocks) * kBlockBytes >= size_bytes) return;
  // A file system without fallocate has no blocks to give ahead: it is as safe as it was.
  static_cast<void>(
      allocate(state_->growth, 0, 0, size_bytes, "fill the holes of it", state_->path));
}

void DataFile::write_zeros(std::uint64_t offset, std::uint64_t size_bytes) {
  if (is_private()) {
    std::memset(write_base() + offset, 0, size_bytes);
    return;
  }
  QUIRE_ASSERT(state_->access == Access::read_write);
  write_zeros_at(state_->growth, offset, size_bytes,
                 "write " + std::to_string(size_bytes) + " zeros at " + std::to_string(offset),
                 state_->path);
}

std::error_code DataFile::flush_log(std::uint64_t offset, std::uint64_t size_bytes) {
  return state_->flush(state_->write_mapping.base(), offset, size_bytes);
}

std::error_code DataFile::flush_pages(std::uint64_t offset, std::uint64_t size_bytes) {
  state_->unmap_written(offset, size_bytes);
  // msync(2) does not write, and the mapping stays read-only.
  return state_->flush(const_cast<std::byte*>(read_base()), offset, size_bytes);
}

std::error_code DataFile::flush_all() {
  if (is_private() || !has_disk()) return {};
  const int result = uninterrupted([&] { return system.fdatasync(state_->pages.get()); });
  return result == 0 ? std::error_code{} : last_error();
}

bool DataFile::drop_cache() {
  QUIRE_ASSERT(reserved_bytes() == 0);
  const std::uint64_t file_bytes = size_bytes();
  if (state_->filesystem.is_memory || file_bytes == 0) return true;
  // Dirty pages would stay. Through a description without a flushing role: an error is still
  // reported to each of those.
  (void)uninterrupted([&] { return system.fdatasync(state_->locks.get()); });
  // Somebody else's read or a page on its way between the system's lists holds a page for a moment.
  for (int attempt = 0; attempt < kDropAttempts; ++attempt) {
    if (const int failed = system.fadvise(state_->locks.get(), 0, 0, POSIX_FADV_DONTNEED)) {
      throw_errno(failed, "drop the cache", state_->path);
    }
    if (is_all_dropped(state_->locks, file_bytes, state_->path)) return true;
  }
  return false;
}

void DataFile::abandon_after_fork() noexcept {
  state_->read_mapping.abandon_after_fork();
  state_->write_mapping.abandon_after_fork();
  // The locks belong to the parent's descriptions: closing this process's copies does not release
  // them.
  for (Descriptor* descriptor :
       {&state_->pages, &state_->log, &state_->growth, &state_->locks, &state_->sending}) {
    descriptor->close();
  }
}

}  // namespace quire::storage
