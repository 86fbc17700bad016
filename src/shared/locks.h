// The locks between threads and processes. Order: writer, checkpoint, flush.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
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
  // long, and then goes on without their consent: false.
  bool lock_for(std::chrono::milliseconds patience);

 private:
  const Region& region_;
  std::uint64_t byte_;
  std::mutex threads_;
};

// One writer at a time: a robust mutex, or, once processes of several PID namespaces are attached,
// an OFD lock on a byte. A robust mutex knows its owner by thread id, and equal ids in two
// namespaces would let two writers in; the byte costs system calls. A word in the region tells that
// an owner died in the middle of something (rule 12). tests/model/namespaces.pml is the protocol.
class WriterLock {
 public:
  enum class Taken { no, yes, after_death };

  // `process` is this process's slot, for others who want to know who holds the lock.
  WriterLock(const Region& region, std::uint32_t process) noexcept
      : region_(region), process_(process), bytes_(region, kWriterByte) {}

  // Waits. after_death: the last owner died holding it, and the caller repairs what it left before
  // anything else. Throws Errc::misuse when this thread holds it already.
  Taken lock();

  // Waits no longer than that; Taken::no then. Asks again and again: whoever waits in `lock` comes
  // first.
  Taken lock_for(std::chrono::nanoseconds patience);

  // Taken::no when somebody else holds it.
  Taken try_lock();

  // On the thread that locked.
  void unlock() noexcept;

  bool held_by_this_thread() const noexcept;

  // Who holds it and since when, for humans: "process 4711 (kvtool), thread 4712, stopped, since
  // 12 s". "somebody else each time" when it is free at the moment.
  std::string holder() const;

 private:
  void require_not_held() const;
  bool looks_free() const noexcept;
  bool are_namespaces_several() const noexcept;
  bool try_take();
  void take();
  Taken entered() noexcept;

  const Region& region_;
  std::uint32_t process_;
  ByteMutex bytes_;
  std::atomic<std::thread::id> owner_{};
  bool has_mutex_ = false;  // of the holder: else it has the byte
};

}  // namespace quire::shared
