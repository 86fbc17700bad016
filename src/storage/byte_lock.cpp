#include "storage/byte_lock.h"

#include <quire/error.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include "base/assert.h"
#include "storage/descriptor.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

constexpr auto kOffsetMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());

struct flock lock_over(std::uint64_t first, std::uint64_t limit, short type) {
  QUIRE_ASSERT(first < limit && limit <= kOffsetMax);
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(first);
  lock.l_len = static_cast<off_t>(limit - first);
  return lock;
}

short type_of(LockMode mode) noexcept { return mode == LockMode::shared ? F_RDLCK : F_WRLCK; }

[[noreturn]] void fail(int error_number, int descriptor, std::uint64_t byte) {
  throw_errno(error_number, "lock byte " + std::to_string(byte), path_of(descriptor));
}

// False when somebody else's lock is in the way.
bool apply(int descriptor, int command, std::uint64_t byte, short type) {
  struct flock lock = lock_over(byte, byte + 1, type);
  if (uninterrupted([&] { return system.lock(descriptor, command, &lock); }) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) fail(errno, descriptor, byte);
  return false;
}

}  // namespace

bool try_lock_byte(int descriptor, std::uint64_t byte, LockMode mode) {
  return apply(descriptor, F_OFD_SETLK, byte, type_of(mode));
}

void lock_byte(int descriptor, std::uint64_t byte, LockMode mode) {
  if (!apply(descriptor, F_OFD_SETLKW, byte, type_of(mode))) fail(EAGAIN, descriptor, byte);
}

void unlock_byte(int descriptor, std::uint64_t byte) noexcept {
  constexpr int kAttempts = 100;
  struct flock lock = lock_over(byte, byte + 1, F_UNLCK);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (system.lock(descriptor, F_OFD_SETLK, &lock) == 0) return;
  }
}

bool is_byte_locked(int descriptor, std::uint64_t byte, LockMode mode) {
  return first_locked_byte(descriptor, byte, byte + 1, mode) == byte;
}

std::uint64_t first_locked_byte(int descriptor, std::uint64_t first, std::uint64_t limit,
                                LockMode mode) {
  // The system names any lock in the range, not the lowest one: ask again for what lies before it.
  std::uint64_t lowest = limit;
  while (first < lowest) {
    struct flock lock = lock_over(first, lowest, type_of(mode));
    if (uninterrupted([&] { return system.lock(descriptor, F_OFD_GETLK, &lock); }) == -1) {
      fail(errno, descriptor, first);
    }
    if (lock.l_type == F_UNLCK) break;
    lowest = std::max(first, static_cast<std::uint64_t>(lock.l_start));
  }
  return lowest;
}

}  // namespace quire::storage
