#include "storage/region_file.h"

#include <quire/error.h>

#include <cerrno>
#include <string>
#include <utility>

#include <unistd.h>

#include "base/assert.h"
#include "storage/file_calls.h"
#include "storage/mapping.h"
#include "storage/new_file.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

constexpr unsigned kPermissionBits = 0666;

std::string action(const char* verb, std::uint64_t offset, std::uint64_t size_bytes) {
  return std::string{verb} + " " + std::to_string(size_bytes) + " bytes at " +
         std::to_string(offset);
}

bool is_taken(const std::filesystem::path& path) {
  struct stat status = {};
  return system.fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// Everybody who may use the data file may use the region. False when the path exists already.
bool create_like(const std::filesystem::path& path, int like) {
  struct stat status = {};
  if (system.fstat(like, &status) == -1) throw_errno(errno, "fstat", path_of(like));
  const mode_t mode = status.st_mode & kPermissionBits;
  NewFile created{open_directory_of(path), path, mode};
  const Descriptor& file = created.descriptor();
  // Only root may give files away; others can at least name a group that they are in.
  if (system.fchown(file.get(), status.st_uid, status.st_gid) == -1) {
    (void)system.fchown(file.get(), static_cast<uid_t>(-1), status.st_gid);
  }
  // The umask has cut what `NewFile` was given.
  if (system.fchmod(file.get(), mode) == -1) throw_errno(errno, "fchmod", path);
  return created.link();
}

}  // namespace

struct RegionFile::State {
  std::filesystem::path path;
  FileIdentity identity;
  Descriptor file;
  Descriptor locks;  // apart from `file`, which the mapping would keep alive with its locks
  Mapping::Mode mode = Mapping::Mode::read_write;
  Mapping mapping;
  bool is_nameless = false;

  // Where the file system has no fallocate: faults the range in for writing, which takes the blocks
  // and leaves the bytes alone. Writing zeros could overtake the stores of others.
  void ensure_by_faults(std::uint64_t offset, std::uint64_t size_bytes) const {
    const std::uint64_t first = offset - offset % system_page_bytes();
    const std::uint64_t window_bytes = offset + size_bytes - first;
    Mapping view;
    int failed = view.map(file.get(), Mapping::Mode::read_write, first, window_bytes);
    if (failed == 0 && uninterrupted([&] {
                         return system.madvise(view.base(), window_bytes, MADV_POPULATE_WRITE);
                       }) == -1) {
      failed = errno == EFAULT ? ENOSPC : errno;  // a store would have raised SIGBUS
    }
    if (failed != 0) throw_errno(failed, action("allocate", offset, size_bytes), path);
  }

  bool clear_in_place(std::uint64_t offset, std::uint64_t limit) const;
};

// Zeros over the blocks that the file has from `offset` on; false, and some may be zeros, when they
// are too many or cannot be found. Giving blocks back and taking them again costs milliseconds.
bool RegionFile::State::clear_in_place(std::uint64_t offset, std::uint64_t limit) const {
  constexpr std::uint64_t kBytesMax = std::uint64_t{512} << 10;
  std::uint64_t cleared_bytes = 0;
  while (offset < limit) {
    const off_t first = ::lseek(file.get(), static_cast<off_t>(offset), SEEK_DATA);
    if (first == -1) return errno == ENXIO;  // nothing but holes
    const off_t end = ::lseek(file.get(), first, SEEK_HOLE);
    if (end <= first) return false;
    const auto bytes = static_cast<std::uint64_t>(end - first);
    cleared_bytes += bytes;
    if (cleared_bytes > kBytesMax) return false;
    write_zeros_at(file, static_cast<std::uint64_t>(first), bytes, "clear", path);
    offset = static_cast<std::uint64_t>(end);
  }
  return true;
}

RegionFile::RegionFile(const std::filesystem::path& path, int like)
    : state_(std::make_unique<State>()) {
  state_->path = path;
  if (!is_taken(path)) static_cast<void>(create_like(path, like));
  OpenedFile opened = open_descriptions(path, OpenMode::write, O_NOFOLLOW, 2);
  state_->identity = opened.identity;
  state_->file = std::move(opened.descriptions[0]);
  state_->locks = std::move(opened.descriptions[1]);
}

RegionFile::RegionFile(const MemoryFiles& files) : state_(std::make_unique<State>()) {
  state_->path = memory_name(files.region, "region");
  state_->is_nameless = true;
  OpenedFile opened = open_descriptions(link_to(files.region), OpenMode::write, 0, 2);
  state_->identity = opened.identity;
  state_->file = std::move(opened.descriptions[0]);
  state_->locks = std::move(opened.descriptions[1]);
}

RegionFile::RegionFile(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

RegionFile RegionFile::open_to_read(const std::filesystem::path& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->mode = Mapping::Mode::read_only;
  OpenedFile opened = open_descriptions(path, OpenMode::read, O_NOFOLLOW, 2);
  state->identity = opened.identity;
  state->file = std::move(opened.descriptions[0]);
  state->locks = std::move(opened.descriptions[1]);
  return RegionFile{std::move(state)};
}

RegionFile RegionFile::in_memory() {
  auto state = std::make_unique<State>();
  state->path = "shared region in memory";
  for (Descriptor* descriptor : {&state->file, &state->locks}) {
    *descriptor = Descriptor{system.memfd_create("quire", MFD_CLOEXEC)};
    if (!descriptor->is_open()) throw_errno(errno, "create", state->path);
  }
  state->identity = identity_of(state->file);
  return RegionFile{std::move(state)};
}

RegionFile::~RegionFile() = default;

const std::filesystem::path& RegionFile::path() const noexcept { return state_->path; }
FileIdentity RegionFile::identity() const noexcept { return state_->identity; }
int RegionFile::lock_descriptor() const noexcept { return state_->locks.get(); }
std::byte* RegionFile::base() const noexcept { return state_->mapping.base(); }

bool RegionFile::is_replaced() const noexcept {
  return !state_->is_nameless && storage::is_replaced(state_->path, state_->file, state_->identity);
}
std::uint64_t RegionFile::size_bytes() const { return size_of(state_->file, state_->path); }

std::size_t RegionFile::read(std::uint64_t offset, std::byte* bytes, std::size_t size_bytes) const {
  return read_at(state_->file, offset, bytes, size_bytes, state_->path);
}

void RegionFile::reset(std::uint64_t size_bytes, std::uint64_t kept_bytes) {
  if (this->size_bytes() == size_bytes) {
    write_zeros_at(state_->file, 0, kept_bytes, "clear", state_->path);
    if (state_->clear_in_place(kept_bytes, size_bytes)) return;
    if (allocate(state_->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kept_bytes,
                 size_bytes - kept_bytes, "clear", state_->path)) {
      return;
    }
  }
  resize(state_->file, 0, "empty", state_->path);
  resize(state_->file, size_bytes, "resize to " + std::to_string(size_bytes) + " bytes",
         state_->path);
}

std::byte* RegionFile::map(std::uint64_t size_bytes) {
  QUIRE_ASSERT(base() == nullptr);
  const int refused = state_->mapping.map(state_->file.get(), state_->mode, 0, size_bytes);
  if (refused == ENOMEM || refused == EAGAIN) {
    throw Error(Errc::no_space, state_->path.string() + ": map: no address space for " +
                                    std::to_string(size_bytes) +
                                    " bytes (see ulimit -v and ulimit -l)");
  }
  if (refused != 0) throw_errno(refused, "map", state_->path);
  return base();
}

void RegionFile::ensure(std::uint64_t offset, std::uint64_t size_bytes) {
  // Never changes bytes: what has blocks stays as it is.
  if (!allocate(state_->file, FALLOC_FL_KEEP_SIZE, offset, size_bytes,
                action("allocate", offset, size_bytes), state_->path)) {
    state_->ensure_by_faults(offset, size_bytes);
  }
}

void RegionFile::abandon_after_fork() noexcept {
  state_->mapping.abandon_after_fork();
  state_->file.close();
  state_->locks.close();
}

}  // namespace quire::storage
