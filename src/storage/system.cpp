#include "storage/system.h"

#include <sys/ioctl.h>

namespace quire::storage {

static_assert(sizeof(off_t) == 8, "files are larger than 2 GiB");
static_assert(sizeof(void*) == 8, "files are mapped whole");

System system = {
    .memfd_create = ::memfd_create,
    .openat = [](int directory, const char* path, int flags,
                 mode_t mode) { return ::openat(directory, path, flags, mode); },
    .close = ::close,
    .fstat = [](int descriptor, struct stat* status) { return ::fstat(descriptor, status); },
    .fstatat = [](int directory, const char* path, struct stat* status,
                  int flags) { return ::fstatat(directory, path, status, flags); },
    .fstatfs = ::fstatfs,
    .fchmod = ::fchmod,
    .fchown = ::fchown,
    .ioctl = [](int descriptor, unsigned long request,
                int* flags) { return ::ioctl(descriptor, request, flags); },
    .fallocate = ::fallocate,
    .ftruncate = ::ftruncate,
    .pwrite = ::pwrite,
    .pread = ::pread,
    .fdatasync = ::fdatasync,
    .fsync = ::fsync,
    .sync_file_range = ::sync_file_range,
    .msync = ::msync,
    .madvise = ::madvise,
    .mincore = ::mincore,
    .fadvise = ::posix_fadvise,
    .linkat = ::linkat,
    .unlinkat = ::unlinkat,
    .lock = [](int descriptor, int command,
               struct flock* lock) { return ::fcntl(descriptor, command, lock); },
};

}  // namespace quire::storage
