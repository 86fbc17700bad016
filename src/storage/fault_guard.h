// Windows in which a page that the system cannot provide (the file was cut under us, the medium
// fails) is noted instead of ending the process by SIGBUS.
//
// The handler puts a page of zeros in the place of the missing one and writes down where, so the
// code that touched it goes on, with zeros, to its end: nothing is jumped over, every lock and
// object is left as always. Whoever has read from a window asks `is_lost` before believing it, and
// whoever has stored into one before letting others know: from the first loss on, what the window
// shows or takes need not be the file's.
//
// Threads: cover and the destructor by one thread; asking from any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace quire::storage {

class FaultGuard {
 public:
  FaultGuard() noexcept = default;
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;
  ~FaultGuard();  // before the windows are unmapped

  // Covers a window of a file, from its first byte on. The first of all guards installs the
  // process's handler of SIGBUS, which passes every other fault on to the handler before it; it
  // stays.
  void cover(const std::byte* base, std::uint64_t size_bytes);

  // True once a page of the windows was missing.
  bool is_lost() const noexcept { return note_.load(std::memory_order_acquire) != 0; }

  // Where in the file that was, in bytes. Requires is_lost().
  std::uint64_t lost_offset() const noexcept { return note_.load(std::memory_order_acquire) - 1; }

  // In a forked child, which has not inherited the windows: other mappings may stand there.
  void abandon_after_fork() noexcept { release(); }

 private:
  void release() noexcept;

  std::atomic<std::uint64_t> note_{0};  // 1 + offset of the first page that was missing
};

// Around a fork, so that the child finds the list of windows whole and free: held before, released
// after it in both processes. Taken after every other lock of this library.
void hold_fault_windows();
void release_fault_windows() noexcept;

// Reads a byte of every system page that the bytes touch, so that a missing one is noted now.
void touch(const char* bytes, std::size_t size_bytes) noexcept;

}  // namespace quire::storage
