// Deferred frees that a pin was seen to keep, put aside so that no sweep looks at them before that
// pin is gone. They stand in segments; a segment belongs to one pin, the oldest one in the life of
// each of its entries when it came here. That pin is why they wait, not why they may be released:
// whoever looks at them again judges each anew.
//
// Where several states are pinned together, the first of them stands for the pin. A segment is
// free, or its first `count` places have been filled; emptied ones among them have page_count 0. It
// is given to a pin only while count is 0.
//
// Threads: the holder of the writer lock only, except where noted.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/id.h"
#include "pages/allocator_tables.h"

namespace quire::pages {

inline constexpr std::uint64_t kSegmentEntries = 128;

struct SegmentHeader {
  std::atomic<std::uint64_t> pin;    // 1 + the pin; 0 = free
  std::atomic<std::uint64_t> count;  // places filled so far
};
static_assert(sizeof(SegmentHeader) == 16);

class ParkedFrees {
 public:
  explicit ParkedFrees(const AllocatorTables& tables) noexcept;

  std::uint64_t segment_count() const noexcept;  // any thread; segments with blocks behind them
  SegmentHeader& header(std::uint64_t segment) const noexcept;

  std::optional<TxnId> pin_of(std::uint64_t segment) const noexcept;  // nothing: it is free

  // A place is segment * kSegmentEntries + position.
  DeferredFree& entry(std::uint64_t place) const noexcept;

  // Forgets what it knew about segments, which another process may have changed. `pins` are those
  // of the sweep that begins; they outlive it.
  void begin_sweep(std::span<const PinnedStates> pins);

  // The next place for an entry that `pin`, one of the sweep's, keeps; in a segment that is made
  // over to it if need be. Nothing when the disk or the table is full. Idempotent until `fill`.
  std::optional<std::uint64_t> place_for(const PinnedStates& pin);

  // Stores the entry there, and counts it. Idempotent.
  void fill(std::uint64_t place, const DeferredFree& entry) noexcept;

  // Makes a segment free whose entries are all empty.
  void release(std::uint64_t segment) noexcept;

  // Calls `visit(const DeferredFree&)` for each entry; with `pin`, only for those that it keeps.
  template <typename Visit>
  void for_each(Visit visit, std::optional<TxnId> pin = {}) const {
    for (std::uint64_t segment = 0; segment < segment_count(); ++segment) {
      const auto owner = pin_of(segment);
      if (!owner || (pin && *owner != *pin)) continue;
      const std::uint64_t count = header(segment).count.load(std::memory_order_relaxed);
      for (std::uint64_t position = 0; position < count; ++position) {
        const DeferredFree& found = entry(segment * kSegmentEntries + position);
        if (found.page_count != 0) visit(found);
      }
    }
  }

 private:
  std::optional<std::uint64_t> take_segment(TxnId pin);
  bool add_segments();

  const AllocatorTables& tables_;
  std::span<const PinnedStates> pins_;
  std::vector<std::uint64_t> open_;  // by index of the pin: 1 + its segment with room; 0 = none
  std::uint64_t lowest_free_ = 0;    // no free segment before this one
};

}  // namespace quire::pages
