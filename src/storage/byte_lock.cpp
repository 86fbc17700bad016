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
bool apply(int descriptor, int command, std::uint64_t first, std::uint64_t limit, short type) {
  struct flock lock = lock_over(first, limit, type);
  if (uninterrupted([&] { return system.lock(descriptor, command, &lock); }) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) fail(errno, descriptor, first);
  return false;
}

// Some lock of another description that overlaps [first, limit) and conflicts with `type`; l_type
// is F_UNLCK when there is none.
struct flock conflict_in(int descriptor, std::uint64_t first, std::uint64_t limit, short type) {
  struct flock lock = lock_over(first, limit, type);
  if (uninterrupted([&] { return system.lock(descriptor, F_OFD_GETLK, &lock); }) == -1) {
    fail(errno, descriptor, first);
  }
  return lock;
}

// A length of 0 means up to the end of all bytes.
ByteRange range_of(const struct flock& lock, ByteRange within) noexcept {
  const auto first = static_cast<std::uint64_t>(lock.l_start);
  const auto size_bytes = static_cast<std::uint64_t>(lock.l_len);
  return {.first = std::max(first, within.first),
          .limit = size_bytes == 0 ? within.limit : std::min(first + size_bytes, within.limit)};
}

}  // namespace

bool try_lock_byte(int descriptor, std::uint64_t byte, LockMode mode) {
  return try_lock_bytes(descriptor, byte, byte + 1, mode);
}

bool try_lock_bytes(int descriptor, std::uint64_t first, std::uint64_t limit, LockMode mode) {
  return apply(descriptor, F_OFD_SETLK, first, limit, type_of(mode));
}

void lock_byte(int descriptor, std::uint64_t byte, LockMode mode) {
  if (!apply(descriptor, F_OFD_SETLKW, byte, byte + 1, type_of(mode))) {
    fail(EAGAIN, descriptor, byte);
  }
}

void unlock_byte(int descriptor, std::uint64_t byte) noexcept {
  unlock_bytes(descriptor, byte, byte + 1);
}

void unlock_bytes(int descriptor, std::uint64_t first, std::uint64_t limit) noexcept {
  constexpr int kAttempts = 100;
  struct flock lock = lock_over(first, limit, F_UNLCK);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (system.lock(descriptor, F_OFD_SETLK, &lock) == 0) return;
  }
}

bool is_byte_locked(int descriptor, std::uint64_t byte, LockMode mode) {
  return conflict_in(descriptor, byte, byte + 1, type_of(mode)).l_type != F_UNLCK;
}

ByteHolder holder_of(int descriptor, std::uint64_t byte) {
  switch (conflict_in(descriptor, byte, byte + 1, F_WRLCK).l_type) {
    case F_UNLCK:
      return ByteHolder::nobody;
    case F_RDLCK:
      return ByteHolder::shared;
    default:
      return ByteHolder::exclusive;
  }
}

// The system names any lock in a range, not the lowest: each answer splits what is left in two.
std::vector<ByteRange> locked_ranges(int descriptor, std::uint64_t first, std::uint64_t limit,
                                     std::size_t questions_max) {
  std::vector<ByteRange> locked;
  std::vector<ByteRange> unknown;
  if (first < limit) unknown.push_back({first, limit});
  for (std::size_t asked = 0; asked < questions_max && !unknown.empty(); ++asked) {
    const ByteRange asking = unknown.back();
    unknown.pop_back();
    const struct flock lock = conflict_in(descriptor, asking.first, asking.limit, F_WRLCK);
    if (lock.l_type == F_UNLCK) continue;
    const ByteRange found = range_of(lock, asking);
    if (found.first >= found.limit) continue;
    locked.push_back(found);
    if (found.limit < asking.limit) unknown.push_back({found.limit, asking.limit});
    if (asking.first < found.first) unknown.push_back({asking.first, found.first});
  }
  locked.insert(locked.end(), unknown.begin(), unknown.end());
  std::sort(locked.begin(), locked.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  return locked;
}

}  // namespace quire::storage
