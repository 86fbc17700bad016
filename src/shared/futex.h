// Sleeping on a word of the shared region until another process changes it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace quire::shared {

// Returns when `word` may no longer hold `expected`, or after `timeout`.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::microseconds timeout) noexcept;

void futex_wake_all(std::atomic<std::uint32_t>& word) noexcept;

}  // namespace quire::shared
