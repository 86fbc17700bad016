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

// Stores the state of `txn`. The caller holds the writer lock and has made sure that no reader
// still needs the record that stood here (txn - kStateCount).
template <typename State>
void store_state(StateSlot& slot, std::uint64_t txn, const State& state) noexcept {
  static_assert(std::is_trivially_copyable_v<State> && sizeof(State) % 8 == 0);
  static_assert(sizeof(State) <= kStateWords * 8);
  std::uint64_t words[sizeof(State) / 8];
  std::memcpy(words, &state, sizeof state);
  slot.sequence.store(0, std::memory_order_relaxed);
  for (std::size_t index = 0; index < std::size(words); ++index) {
    slot.words[index].store(words[index], std::memory_order_release);
  }
  crash_point("commit: state half stored");
  slot.sequence.store(txn, std::memory_order_release);
}

// Copies the state of `txn`; false when the record holds another transaction's (it was overwritten
// meanwhile).
template <typename State>
bool load_state(const StateSlot& slot, std::uint64_t txn, State& state) noexcept {
  std::uint64_t words[sizeof(State) / 8];
  if (slot.sequence.load(std::memory_order_acquire) != txn) return false;
  for (std::size_t index = 0; index < std::size(words); ++index) {
    words[index] = slot.words[index].load(std::memory_order_acquire);
  }
  if (slot.sequence.load(std::memory_order_relaxed) != txn) return false;
  std::memcpy(&state, words, sizeof state);
  return true;
}

}  // namespace quire::shared
