// The allocator's tables in the shared region, as every process sees them.
//
//   bitmap    one bit per page: in use by the newest transaction, by the running one, or waiting
//             in a deferred free
//   areas     per 32,768 pages the number of clear bits: stale only after a death; and how long a
//             run of clear bits there is at most: may be too high at any time, never too low
//   deferred  ring of runs that committed transactions no longer use but snapshots may
//   parked    such runs that a pin has been seen to keep, by that pin (see parked_frees.h)
//   undo      runs taken by the running transaction, named by its id; a run is on it before its
//             bits are set
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/id.h"
#include "storage/region_file.h"

namespace quire::pages {

// In the shared region. Words are atomics because a successor in another process reads what a
// killed writer stored: program order is all that counts.
struct AllocatorControl {
  std::atomic<std::uint64_t> file_pages;   // pages the file has, durably (rule 7)
  std::atomic<std::uint64_t> free_pages;   // clear bits below file_pages
  std::atomic<std::uint64_t> lowest_free;  // no clear bit below this page
  std::atomic<std::uint64_t> undo_txn;     // transaction that the undo list belongs to
  std::atomic<std::uint64_t> undo_count;   // runs on it
  std::atomic<std::uint64_t> undo_backed;  // runs that the table has blocks for
  std::atomic<std::uint64_t> sweep;        // 1 + source of the entry under way; 0 = none (rule 12)
  std::atomic<std::uint64_t>
      deferred_head;  // every deferred free before this one has been released or parked
  std::atomic<std::uint64_t> deferred_size;  // entries that the ring has places for, a power of two
  std::atomic<std::uint64_t> bitmap_backed;  // pages that bitmap and areas have blocks for
  std::atomic<std::uint64_t> sweep_target;   // while `sweep` is set: 1 + parked place that its
                                             // entry moves to; 0 = it is released
  std::atomic<std::uint64_t> parked_segments;    // segments with blocks behind them
  std::atomic<std::uint64_t> sweep_count;        // sweeps so far ...
  std::atomic<std::uint64_t> sweep_looks;        // ... and entries that they have looked at
  std::atomic<std::uint64_t> taken_since_sweep;  // pages taken one by one since the last one
};

// One deferred free. An empty one has page_count 0.
struct DeferredFree {
  std::uint32_t first_page;
  std::uint32_t page_count;
  std::uint64_t birth;
  std::uint64_t freed;  // transaction that stopped using the run
  std::uint64_t is_extent;

  PageRun run() const noexcept { return {PageId{first_page}, page_count}; }
};
static_assert(sizeof(DeferredFree) == 32);

// Word by word, because some look without a lock (`Allocator::pinned_pages`).
inline void store_entry(DeferredFree& place, const DeferredFree& entry) noexcept {
  std::atomic_ref(place.first_page).store(entry.first_page, std::memory_order_relaxed);
  std::atomic_ref(place.birth).store(entry.birth, std::memory_order_relaxed);
  std::atomic_ref(place.freed).store(entry.freed, std::memory_order_relaxed);
  std::atomic_ref(place.is_extent).store(entry.is_extent, std::memory_order_relaxed);
  std::atomic_ref(place.page_count).store(entry.page_count, std::memory_order_release);
}

// Words that were stored, but while a writer is at work not always those of one entry.
inline DeferredFree load_entry(DeferredFree& place) noexcept {
  DeferredFree entry = {};
  entry.page_count = std::atomic_ref(place.page_count).load(std::memory_order_acquire);
  entry.first_page = std::atomic_ref(place.first_page).load(std::memory_order_relaxed);
  entry.birth = std::atomic_ref(place.birth).load(std::memory_order_relaxed);
  entry.freed = std::atomic_ref(place.freed).load(std::memory_order_relaxed);
  entry.is_extent = std::atomic_ref(place.is_extent).load(std::memory_order_relaxed);
  return entry;
}

inline void empty_entry(DeferredFree& place) noexcept {
  std::atomic_ref(place.page_count).store(0, std::memory_order_release);
}

inline constexpr std::uint64_t kAreaPages = 32768;
inline constexpr std::uint64_t kWordBits = 64;  // of the bitmap

struct Area {
  std::atomic<std::uint32_t> free_pages;   // clear bits
  std::atomic<std::uint32_t> longest_run;  // of clear bits within the area: at most so many pages
};
static_assert(sizeof(Area) == 8);

// Where the tables stand in the region.
struct AllocatorTables {
  storage::RegionFile* region = nullptr;
  AllocatorControl* control = nullptr;
  std::uint64_t bitmap_offset = 0;
  std::uint64_t areas_offset = 0;
  std::uint64_t deferred_offset = 0;
  std::uint64_t undo_offset = 0;
  std::uint64_t segments_offset = 0;    // of parked frees: their headers ...
  std::uint64_t parked_offset = 0;      // ... and their entries
  std::uint64_t page_capacity = 0;      // bits that the bitmap has room for
  std::uint64_t deferred_capacity = 0;  // entries, a power of two
  std::uint64_t undo_capacity = 0;      // runs
  std::uint64_t segment_capacity = 0;   // 0: nothing is parked
};

// States first .. last that somebody may still read: one, or as many as can only be told together.
struct PinnedStates {
  TxnId first;
  TxnId last;
};

// What somebody may still read (rule 1). A run with life [birth, freed) that contains none of
// `pins` and has freed <= published may be used again; an extent only when checkpoint >= birth as
// well (rule 5).
struct ReusePins {
  std::span<const PinnedStates> pins;  // sorted by `first`, no two with a state in common
  TxnId published;
  TxnId checkpoint;
};

// The first of `pins` that has a state from `txn` on.
inline auto pin_from(std::span<const PinnedStates> pins, TxnId txn) noexcept {
  return std::lower_bound(
      pins.begin(), pins.end(), txn,
      [](const PinnedStates& states, TxnId wanted) { return states.last < wanted; });
}

}  // namespace quire::pages
