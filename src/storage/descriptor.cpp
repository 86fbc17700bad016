#include "storage/descriptor.h"

#include <quire/error.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "storage/system.h"

namespace quire::storage {
namespace {

std::string hint_for(int error_number, const std::filesystem::path& path) {
  switch (error_number) {
    case ENOENT: {
      std::error_code ignored;
      const std::filesystem::path parent = path.parent_path();
      if (parent.empty() || std::filesystem::exists(parent, ignored)) return {};
      return "the directory " + parent.string() + " does not exist";
    }
    case ENOTDIR:
      return "a part of the path is not a directory";
    case EISDIR:
      return "name a file, not a directory";
    case EACCES:
      return "check the permissions of the file and of every directory above it; what this process "
             "may only read can be opened read-only";
    case EPERM:
      return "the file or its directory may be immutable: see lsattr; the database can be opened "
             "read-only";
    case EROFS:
      return "the file system is mounted read-only; the database can be opened read-only";
    case ENOSPC:
      return "free some space on the file system that holds it";
    case EDQUOT:
      return "the disk quota of the file's owner is used up";
    case EFBIG:
      return "larger than the file system or ulimit -f allows";
    case EMFILE:
      return "this process has too many open files: see ulimit -n";
    case ENFILE:
      return "the system has too many open files";
    case EIO:
      return "the disk failed: see the kernel's log";
    default:
      return {};
  }
}

bool is_shortage(int error_number) noexcept {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

}  // namespace

Descriptor::Descriptor(int descriptor) noexcept : descriptor_(descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return;
  descriptor_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error_number = errno;
  system.close(descriptor);
  errno = error_number;
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

Descriptor::~Descriptor() { close(); }

void Descriptor::close() noexcept {
  // Never repeated: Linux frees the number even when a signal interrupts the call.
  if (is_open()) system.close(std::exchange(descriptor_, -1));
}

Descriptor open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  const int descriptor = uninterrupted([&] {
    return system.openat(AT_FDCWD, path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(mode));
  });
  if (descriptor == -1) throw_errno(errno, "open", path);
  return Descriptor{descriptor};
}

FileIdentity identity_of(const Descriptor& file) {
  struct stat status = {};
  if (system.fstat(file.get(), &status) == -1) throw_errno(errno, "fstat", path_of(file.get()));
  return {.device = status.st_dev, .inode = status.st_ino};
}

std::filesystem::path path_of(int descriptor) {
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  std::error_code unreadable;
  const std::filesystem::path path = std::filesystem::read_symlink(link, unreadable);
  return unreadable ? std::filesystem::path{link} : path;
}

void throw_errno(int error_number, const std::string& action, const std::filesystem::path& path) {
  std::string text =
      path.string() + ": " + action + ": " + std::generic_category().message(error_number);
  const std::string hint = hint_for(error_number, path);
  if (!hint.empty()) text += " (" + hint + ")";
  if (error_number == EROFS || error_number == EACCES || error_number == EPERM) {
    throw NotPermitted(text);
  }
  throw Error(is_shortage(error_number) ? Errc::no_space : Errc::io, text);
}

}  // namespace quire::storage
