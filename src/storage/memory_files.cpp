#include "storage/memory_files.h"

#include <quire/error.h>

#include <cerrno>
#include <string>

#include "storage/filesystem.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

Descriptor make_file() {
  Descriptor file{system.memfd_create("quire", MFD_CLOEXEC)};
  if (!file.is_open()) throw_errno(errno, "create", "database in memory");
  return file;
}

[[noreturn]] void refuse(int descriptor, const std::string& reason) {
  throw Error(Errc::misuse, "descriptor " + std::to_string(descriptor) + ": " + reason +
                                "; pass both of those that Database::descriptors() gives");
}

// Anything else must not be taken for a region, which is overwritten, or outlive what knows it.
void require_memory(int descriptor) {
  struct stat status = {};
  if (system.fstat(descriptor, &status) == -1) refuse(descriptor, "is not open");
  struct statfs place = {};
  const bool is_nameless = S_ISREG(status.st_mode) && status.st_nlink == 0;
  if (!is_nameless || system.fstatfs(descriptor, &place) == -1 ||
      !filesystem_kind(static_cast<std::uint64_t>(place.f_type)).is_memory) {
    refuse(descriptor, "is not a database in memory");
  }
}

Descriptor duplicate(int descriptor) {
  require_memory(descriptor);
  const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy == -1) throw_errno(errno, "duplicate", path_of(descriptor));
  return Descriptor{copy};
}

}  // namespace

MemoryFiles MemoryFiles::make() { return {make_file(), make_file()}; }

MemoryFiles MemoryFiles::duplicates(int data, int region) {
  MemoryFiles files{duplicate(data), duplicate(region)};
  if (identity_of(files.data) == identity_of(files.region)) {
    refuse(region, "is the same file as descriptor " + std::to_string(data));
  }
  return files;
}

std::filesystem::path link_to(const Descriptor& file) {
  return "/proc/self/fd/" + std::to_string(file.get());
}

std::filesystem::path memory_name(const Descriptor& file, const char* kind) {
  return std::string{"memory:"} + kind + "-" + std::to_string(identity_of(file).inode);
}

}  // namespace quire::storage
