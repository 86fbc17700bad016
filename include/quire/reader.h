// Who keeps an old state.
#pragma once

#include <cstdint>
#include <string>

namespace quire {

// An open snapshot, in whatever process.
struct ReaderInfo {
  // As its own PID namespace counts. 0 = a process that may only read, which leaves nothing but the
  // mark of the commit that it reads: several of them are one, and only `txn` and what follows from
  // it are known.
  std::uint64_t pid = 0;
  std::uint64_t pid_namespace = 0;  // inode of its PID namespace where that is not ours; 0 = ours
  std::uint64_t thread = 0;         // that opened it, as gettid() says there
  std::string command = {};
  std::uint64_t txn = 0;  // commit that the snapshot shows
  std::uint64_t commits_behind = 0;

  // By the system's real-time clock, which containers share; setting it changes ages.
  std::uint64_t age_seconds = 0;

  // About how much of the file waits that this snapshot can see and the newest commit cannot.
  // Others may keep the same pages.
  std::uint64_t pinned_bytes = 0;
};

}  // namespace quire
