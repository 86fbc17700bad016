#include "storage/file_calls.h"

#include <quire/error.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/resource.h>

#include "storage/system.h"

namespace quire::storage {
namespace {

constexpr std::size_t kZeroWriteBytes = 4096;
constexpr std::uint64_t kAllocateStepBytesMin = std::uint64_t{1} << 20;
constexpr int kOpenAttempts = 100;

// A fifo without a writer would stop a plain open, a terminal would become ours.
constexpr int kOpenFlags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

Descriptor try_open(const std::filesystem::path& path, int flags) {
  return Descriptor{uninterrupted(
      [&] { return system.openat(AT_FDCWD, path.c_str(), flags | kOpenFlags, mode_t{0}); })};
}

bool forbids_writing(int error_number) noexcept {
  return error_number == EACCES || error_number == EPERM || error_number == EROFS ||
         error_number == ETXTBSY;
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
}

struct stat status_of(const Descriptor& file, const std::filesystem::path& path) {
  struct stat status = {};
  if (system.fstat(file.get(), &status) == -1) throw_errno(errno, "fstat", path);
  return status;
}

void require_regular(const struct stat& status, const std::filesystem::path& path) {
  if (S_ISREG(status.st_mode)) return;
  const char* kind = S_ISDIR(status.st_mode)    ? "a directory"
                     : S_ISFIFO(status.st_mode) ? "a named pipe"
                                                : "a device";
  throw Error(Errc::io, path.string() + ": open: it is " + kind + ", not a regular file");
}

FileIdentity identity_in(const struct stat& status) noexcept {
  return {.device = status.st_dev, .inode = status.st_ino};
}

void require_size_allowed(std::uint64_t size_bytes, const std::string& action,
                          const std::filesystem::path& path) {
  if (size_bytes > size_limit_bytes()) throw_errno(EFBIG, action, path);
}

}  // namespace

std::uint64_t size_limit_bytes() noexcept {
  struct rlimit limit = {};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

OpenedFile open_descriptions(const std::filesystem::path& path, OpenMode mode, int extra_flags,
                             std::size_t count) {
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    OpenedFile opened;
    opened.is_writable = mode != OpenMode::read;
    Descriptor first = try_open(path, (opened.is_writable ? O_RDWR : O_RDONLY) | extra_flags);
    if (!first.is_open() && mode == OpenMode::write_if_allowed && forbids_writing(errno)) {
      opened.is_writable = false;
      first = try_open(path, O_RDONLY | extra_flags);
    }
    if (!first.is_open()) throw_errno(errno, "open", path);
    const struct stat status = status_of(first, path);
    require_regular(status, path);
    opened.identity = identity_in(status);
    opened.descriptions.push_back(std::move(first));

    bool is_same = true;
    while (is_same && opened.descriptions.size() < count) {
      Descriptor next = try_open(path, (opened.is_writable ? O_RDWR : O_RDONLY) | extra_flags);
      if (!next.is_open()) throw_errno(errno, "open", path);
      is_same = identity_of(next) == opened.identity;
      opened.descriptions.push_back(std::move(next));
    }
    if (is_same) return opened;
  }
  throw Error(Errc::io,
              path.string() + ": open: the file is replaced faster than it can be opened");
}

Descriptor open_directory_of(const std::filesystem::path& path) {
  Descriptor directory = try_open(directory_of(path), O_RDONLY | O_DIRECTORY);
  if (!directory.is_open()) {
    throw_errno(errno, "open the directory " + directory_of(path).string(), path);
  }
  return directory;
}

std::error_code flush_directory(const Descriptor& directory) {
  if (uninterrupted([&] { return system.fsync(directory.get()); }) == 0) return {};
  return errno == EINVAL ? std::error_code{} : last_error();
}

std::error_code flush_directory_of(const std::filesystem::path& path) {
  const Descriptor directory = try_open(directory_of(path), O_RDONLY | O_DIRECTORY);
  if (directory.is_open()) return flush_directory(directory);
  return errno == EACCES ? std::error_code{} : last_error();
}

FilesystemKind require_supported_filesystem(const Descriptor& file, bool allow_any,
                                            const std::filesystem::path& path) {
  struct statfs status = {};
  if (uninterrupted([&] { return system.fstatfs(file.get(), &status); }) == -1) {
    throw_errno(errno, "statfs", path);
  }
  const FilesystemKind kind = filesystem_kind(static_cast<std::uint64_t>(status.f_type));
  if (kind.is_supported || allow_any) return kind;
  throw Error(Errc::unsupported_filesystem,
              path.string() + ": open: on the file system \"" + std::string{kind.name} +
                  "\" processes may see different contents of one file, or lose what was flushed "
                  "(use a local disk, or set allow_any_filesystem if you know better)");
}

bool names_file(const std::filesystem::path& path, FileIdentity identity) {
  struct stat status = {};
  if (system.fstatat(AT_FDCWD, path.c_str(), &status, 0) == 0)
    return identity_in(status) == identity;
  if (errno != ENOENT && errno != ENOTDIR) throw_errno(errno, "stat", path);
  return false;
}

bool is_replaced(const std::filesystem::path& path, const Descriptor& file,
                 FileIdentity identity) noexcept {
  struct stat status = {};
  if (system.fstatat(AT_FDCWD, path.c_str(), &status, 0) == 0) {
    return !(identity_in(status) == identity);
  }
  if (errno != ENOENT && errno != ENOTDIR) return false;
  return system.fstat(file.get(), &status) == 0 && status.st_nlink == 0;
}

std::uint64_t size_of(const Descriptor& file, const std::filesystem::path& path) {
  return static_cast<std::uint64_t>(status_of(file, path).st_size);
}

void resize(const Descriptor& file, std::uint64_t size_bytes, const std::string& action,
            const std::filesystem::path& path) {
  require_size_allowed(size_bytes, action, path);
  if (uninterrupted([&] { return system.ftruncate(file.get(), static_cast<off_t>(size_bytes)); }) ==
      -1) {
    throw_errno(errno, action, path);
  }
}

std::size_t read_at(const Descriptor& file, std::uint64_t offset, std::byte* bytes,
                    std::size_t size_bytes, const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < size_bytes) {
    const ssize_t got = uninterrupted([&] {
      return system.pread(file.get(), bytes + done, size_bytes - done,
                          static_cast<off_t>(offset + done));
    });
    if (got == -1) throw_errno(errno, "read at " + std::to_string(offset + done), path);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void write_at(const Descriptor& file, std::uint64_t offset, const std::byte* bytes,
              std::size_t size_bytes, const std::string& action,
              const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < size_bytes) {
    const ssize_t written = uninterrupted([&] {
      return system.pwrite(file.get(), bytes + done, size_bytes - done,
                           static_cast<off_t>(offset + done));
    });
    if (written <= 0) throw_errno(written == 0 ? ENOSPC : errno, action, path);
    done += static_cast<std::size_t>(written);
  }
}

void write_zeros_at(const Descriptor& file, std::uint64_t offset, std::uint64_t size_bytes,
                    const std::string& action, const std::filesystem::path& path) {
  static constexpr std::array<std::byte, kZeroWriteBytes> kZeros = {};
  const std::uint64_t limit = offset + size_bytes;
  require_size_allowed(limit, action, path);
  while (offset < limit) {
    const std::uint64_t step = std::min(limit - offset, kZeroWriteBytes - offset % kZeroWriteBytes);
    write_at(file, offset, kZeros.data(), step, action, path);
    offset += step;
  }
}

bool allocate(const Descriptor& file, int mode, std::uint64_t offset, std::uint64_t size_bytes,
              const std::string& action, const std::filesystem::path& path) {
  const std::uint64_t limit = offset + size_bytes;
  if ((mode & FALLOC_FL_KEEP_SIZE) == 0) require_size_allowed(limit, action, path);
  std::uint64_t step = size_bytes;
  while (offset < limit) {
    step = std::min(step, limit - offset);
    if (system.fallocate(file.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(step)) ==
        0) {
      offset += step;
    } else if (errno == EINTR) {
      // tmpfs takes everything back when a signal arrives: under a profiler's timer a large step
      // would never end.
      step = std::max(step / 2, kAllocateStepBytesMin);
    } else if (errno == EOPNOTSUPP || errno == ENOSYS) {
      return false;
    } else {
      throw_errno(errno, action, path);
    }
  }
  return true;
}

}  // namespace quire::storage
