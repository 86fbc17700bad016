#include "storage/new_file.h"

#include <cerrno>
#include <cstdint>
#include <random>
#include <utility>

#include <linux/fs.h>
#include <linux/magic.h>

#include "storage/memory_files.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

constexpr int kOpenFlags = O_RDWR | O_CLOEXEC;

std::string random_name() {
  std::random_device random;
  return ".quire-" + std::to_string(random()) + "-" + std::to_string(random()) + ".new";
}

// btrfs writes pages elsewhere by default, so that a store through a mapping can meet a full disk
// long after the space was allocated. Only an empty file can be told not to; another file system
// says no, which does not matter.
void write_in_place(const Descriptor& file) noexcept {
  struct statfs status = {};
  int flags = 0;
  if (system.fstatfs(file.get(), &status) == 0 && status.f_type == BTRFS_SUPER_MAGIC &&
      system.ioctl(file.get(), FS_IOC_GETFLAGS, &flags) == 0) {
    flags |= FS_NOCOW_FL;
    (void)system.ioctl(file.get(), FS_IOC_SETFLAGS, &flags);
  }
}

}  // namespace

NewFile::NewFile(Descriptor directory, const std::filesystem::path& path, unsigned mode)
    : path_(path), directory_(std::move(directory)) {
  if (!open_nameless(mode)) open_named(mode);
  write_in_place(file_);
}

NewFile::~NewFile() {
  if (!temporary_name_.empty()) {
    (void)system.unlinkat(directory_.get(), temporary_name_.c_str(), 0);
  }
}

bool NewFile::open_nameless(unsigned mode) {
  file_ = Descriptor{uninterrupted([&] {
    return system.openat(directory_.get(), ".", kOpenFlags | O_TMPFILE, static_cast<mode_t>(mode));
  })};
  if (!file_.is_open()) {
    // EISDIR, EINVAL: a kernel or file system that does not know the flag.
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) return false;
    throw_errno(errno, "create", path_);
  }
  struct stat status = {};
  return system.fstatat(AT_FDCWD, link_to(file_).c_str(), &status, 0) == 0;  // /proc may be missing
}

void NewFile::open_named(unsigned mode) {
  do {
    temporary_name_ = random_name();
    file_ = Descriptor{uninterrupted([&] {
      return system.openat(directory_.get(), temporary_name_.c_str(), kOpenFlags | O_CREAT | O_EXCL,
                           static_cast<mode_t>(mode));
    })};
  } while (!file_.is_open() && errno == EEXIST);
  if (!file_.is_open()) {
    const int error_number = errno;
    temporary_name_.clear();
    throw_errno(error_number, "create", path_);
  }
}

bool NewFile::link() {
  const std::string name = path_.filename().string();
  const std::string nameless = link_to(file_).string();
  const int result = uninterrupted([&] {
    return temporary_name_.empty() ? system.linkat(AT_FDCWD, nameless.c_str(), directory_.get(),
                                                   name.c_str(), AT_SYMLINK_FOLLOW)
                                   : system.linkat(directory_.get(), temporary_name_.c_str(),
                                                   directory_.get(), name.c_str(), 0);
  });
  if (result == 0) return true;
  if (errno != EEXIST) throw_errno(errno, "create", path_);
  return false;
}

void NewFile::unlink() noexcept {
  (void)system.unlinkat(directory_.get(), path_.filename().c_str(), 0);
}

}  // namespace quire::storage
