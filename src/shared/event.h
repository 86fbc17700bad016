// Words of the shared region that threads of any process sleep on until something has happened. Who
// sleeps marks the word, so that signalling costs a system call only when somebody does.
//
//   sleeper    seen = event_count(word); look whether there is anything to wait for;
//              event_wait(word, seen, ...): returns at once if a signal came in between
//   signaller  make the change, then event_signal(word)
//
// A sleeper that was killed leaves its mark: one signal makes one call in vain. A signaller that
// was killed before it signalled wakes nobody, so every sleep has a limit.
//
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace quire::shared {

using EventWord = std::atomic<std::uint32_t>;  // lowest bit: somebody sleeps; the rest counts

std::uint32_t event_count(const EventWord& word) noexcept;

// Sleeps until a signal that came after `seen` was read, or for `limit`: false then. May wake for
// no reason.
bool event_wait(EventWord& word, std::uint32_t seen, std::chrono::microseconds limit) noexcept;

// Wakes all who sleep.
void event_signal(EventWord& word) noexcept;

}  // namespace quire::shared
