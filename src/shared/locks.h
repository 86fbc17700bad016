// The locks between threads and processes. Order: writer, checkpoint, flush.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

#include "shared/region.h"

namespace quire::shared {

// Excludes threads by a mutex of this process and processes by an OFD lock on a byte of the lock
// file. A dead process leaves nothing behind. BasicLockable and Lockable.
class ByteMutex {
 public:
  ByteMutex(const Region& region, std::uint64_t byte) noexcept : region_(region), byte_(byte) {}
  void lock();
  bool try_lock();
  void unlock();

  // Waits for the threads of this process as long as it takes, but for other processes only so
  // long, and then goes on without their consent.
  void lock_for(std::chrono::milliseconds patience);

 private:
  const Region& region_;
  std::uint64_t byte_;
  std::mutex threads_;
};

// One writer at a time. The OFD lock comes before the robust mutex because a robust futex knows its
// owner by thread id, and equal thread ids in two PID namespaces would let two writers in; the
// robust mutex tells that an owner died in the middle of something (rule 12).
class WriterLock {
 public:
  enum class Taken { no, yes, after_death };

  explicit WriterLock(const Region& region) noexcept
      : region_(region), bytes_(region, kWriterByte) {}

  // Waits. after_death: the last owner died holding it, and the caller repairs what it left before
  // anything else. Throws Errc::misuse when this thread holds it already.
  Taken lock();

  // Taken::no when somebody else holds it.
  Taken try_lock();

  // On the thread that locked.
  void unlock() noexcept;

  bool held_by_this_thread() const noexcept;

 private:
  Taken lock_mutex();

  const Region& region_;
  ByteMutex bytes_;
  std::atomic<std::thread::id> owner_{};
};

}  // namespace quire::shared
