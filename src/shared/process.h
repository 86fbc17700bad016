// Processes and threads as humans know them, from what they wrote into their slots. Nothing is
// decided by it: whoever is alive is known by locks alone (rule 9).
//
// Threads: any.
#pragma once

#include <cstdint>
#include <string>

#include "shared/region.h"

namespace quire::shared {

inline constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;

// Nanoseconds of the system's monotonic clock as of its last tick, 1 to 10 ms ago: cheap, and equal
// in all processes but for those in a time namespace of their own.
std::uint64_t coarse_nanos() noexcept;

// A thread of an attached process in one word, never 0.
constexpr std::uint64_t pack_thread(std::uint32_t process_slot, std::uint32_t thread_id) noexcept {
  return std::uint64_t{thread_id} << 32 | (process_slot + std::uint64_t{1});
}

// As the system numbers it, asked for once per thread.
std::uint32_t this_thread_id() noexcept;

std::string command_of(const ProcessSlot& slot);

// Ids are those of the process's own PID namespace.
struct ProcessThread {
  std::uint64_t pid = 0;
  std::uint64_t thread_id = 0;
  std::string command;
  bool is_in_our_namespace = false;  // its ids mean the same to us
};

// Who `pack_thread` was about, as long as that process is attached.
ProcessThread thread_at(const Region& region, std::uint64_t packed);

// "process 4711 (kvtool), thread 4712, stopped"; the state only where it can be seen. Without a
// thread id, of the process.
std::string text_of(const ProcessThread& thread);

// Inode of this process's PID namespace; 0 when unknown.
std::uint64_t pid_namespace_here() noexcept;

}  // namespace quire::shared
