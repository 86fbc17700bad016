// The seam between quire and the operating system: every call that can touch a file, its durability
// or a lock goes through this table, so that tests can fail, delay or record each of them.
// Production never changes it. Only mmap and munmap are not in it, because Boost.Interprocess calls
// them.
//
// Threads: set before any database is open; read-only afterwards.
#pragma once

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace quire::storage {

// Same arguments, results and errno as the calls of the same name.
struct System {
  int (*memfd_create)(const char* name, unsigned flags);
  int (*openat)(int directory, const char* path, int flags, mode_t mode);
  int (*close)(int descriptor);
  int (*fstat)(int descriptor, struct stat* status);
  int (*fstatat)(int directory, const char* path, struct stat* status, int flags);
  int (*fstatfs)(int descriptor, struct statfs* status);
  int (*fchmod)(int descriptor, mode_t mode);
  int (*fchown)(int descriptor, uid_t owner, gid_t group);
  int (*ioctl)(int descriptor, unsigned long request, int* flags);
  int (*fallocate)(int descriptor, int mode, off_t offset, off_t bytes);
  int (*ftruncate)(int descriptor, off_t bytes);
  ssize_t (*pwrite)(int descriptor, const void* bytes, size_t count, off_t offset);
  ssize_t (*pread)(int descriptor, void* bytes, size_t count, off_t offset);
  int (*fdatasync)(int descriptor);
  int (*fsync)(int descriptor);
  int (*sync_file_range)(int descriptor, off_t offset, off_t bytes, unsigned flags);
  int (*msync)(void* address, size_t bytes, int flags);
  int (*madvise)(void* address, size_t bytes, int advice);
  int (*mincore)(void* address, size_t bytes, unsigned char* resident);
  int (*fadvise)(int descriptor, off_t offset, off_t bytes,
                 int advice);  // posix_fadvise: returns the errno
  int (*linkat)(int from_directory, const char* from, int to_directory, const char* to, int flags);
  int (*unlinkat)(int directory, const char* path, int flags);
  int (*lock)(int descriptor, int command, struct flock* lock);  // fcntl with an F_OFD_… command

  // Files in memory are flushed like those on a disk: for tests that look at flushes and run there.
  bool flushes_memory = false;
};

extern System system;

// Repeats a call for as long as signals interrupt it.
template <typename Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace quire::storage
