// The newest states, as sequence-locked records: written by the holder of the writer lock, copied
// by readers without a lock. What a state means is the caller's business; here it is a handful of
// words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/test_points.h"
#include "shared/layout.h"

namespace quire::shared {

// Both copy word by word, without an array between: a wide load of what was just stored in parts
// waits until every store before it is in the cache, those of a page that was just copied too.

// Stores the state of `txn`. The caller holds the writer lock and has made sure that no reader
// still needs the record that stood here (txn - kStateCount).
template <typename State>
void store_state(StateSlot& slot, std::uint64_t txn, const State& state) noexcept {
  static_assert(std::is_trivially_copyable_v<State> && sizeof(State) % 8 == 0);
  static_assert(sizeof(State) <= kStateWords * 8);
  slot.sequence.store(0, std::memory_order_relaxed);
  const auto* bytes = reinterpret_cast<const std::byte*>(&state);
  for (std::size_t index = 0; index < sizeof state / 8; ++index) {
    std::uint64_t word;
    std::memcpy(&word, bytes + index * sizeof word, sizeof word);
    slot.words[index].store(word, std::memory_order_release);
  }
  crash_point("commit: state half stored");
  slot.sequence.store(txn, std::memory_order_release);
}

// Copies the state of `txn`; false when the record holds another transaction's (it was overwritten
// meanwhile), then what is in `state` means nothing.
template <typename State>
bool load_state(const StateSlot& slot, std::uint64_t txn, State& state) noexcept {
  static_assert(std::is_trivially_copyable_v<State> && sizeof(State) % 8 == 0);
  if (slot.sequence.load(std::memory_order_acquire) != txn) return false;
  auto* bytes = reinterpret_cast<std::byte*>(&state);
  for (std::size_t index = 0; index < sizeof state / 8; ++index) {
    const std::uint64_t word = slot.words[index].load(std::memory_order_acquire);
    std::memcpy(bytes + index * sizeof word, &word, sizeof word);
  }
  return slot.sequence.load(std::memory_order_relaxed) == txn;
}

}  // namespace quire::shared
