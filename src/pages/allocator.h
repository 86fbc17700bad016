// Which pages are in use. The state lives in the shared region, so that a writer that dies leaves
// everything to its successor; this class is one process's hold on it.
//
// Four tables, laid out by the shared module and backed as far as they are used:
//
//   bitmap    one bit per page: in use by the newest transaction, by the running one, or waiting
//             in a deferred free
//   areas     per 32,768 pages the number of clear bits: stale only after a death
//   deferred  ring of runs that committed transactions no longer use but snapshots may
//   undo      runs taken by the running transaction, named by its id; a run is on it before its
//             bits are set
//
// Threads: the holder of the writer lock only, except where noted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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
  std::atomic<std::uint64_t>
      sweep;  // 1 + index of the deferred free being released; 0 = none (rule 12)
  std::atomic<std::uint64_t>
      deferred_head;  // every deferred free before this one has been released
  std::atomic<std::uint64_t> deferred_size;  // entries that the ring has places for, a power of two
  std::atomic<std::uint64_t> bitmap_backed;  // pages that bitmap and areas have blocks for
};

// One deferred free. An empty one has page_count 0.
struct DeferredFree {
  std::uint32_t first_page;
  std::uint32_t page_count;
  std::uint64_t birth;
  std::uint64_t freed;  // transaction that stopped using the run
  std::uint64_t is_extent;
};
static_assert(sizeof(DeferredFree) == 32);

inline constexpr std::uint64_t kAreaPages = 32768;

// Where the tables stand in the region.
struct AllocatorTables {
  storage::RegionFile* region = nullptr;
  AllocatorControl* control = nullptr;
  std::uint64_t bitmap_offset = 0;
  std::uint64_t areas_offset = 0;
  std::uint64_t deferred_offset = 0;
  std::uint64_t undo_offset = 0;
  std::uint64_t page_capacity = 0;      // bits that the bitmap has room for
  std::uint64_t deferred_capacity = 0;  // entries, a power of two
  std::uint64_t undo_capacity = 0;      // runs
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

class Allocator {
 public:
  explicit Allocator(const AllocatorTables& tables) noexcept;

  // --- set-up, alone

  // Everything free in a file of `file_pages`. Throws Errc::no_space.
  void reset(std::uint64_t file_pages);
  void mark_used(PageRun run);  // run within file_pages
  void recount();               // areas, free_pages and lowest_free from the bitmap
  // Makes every free page a deferred free of unknown birth that ends with the running transaction:
  // whoever reads an older state may read it (rule 1). Void until that transaction commits. Throws
  // Errc::no_space.
  void defer_free_pages();

  // --- one transaction

  // Starts the undo list of `txn`; frees are appended at `deferred_tail`, the tail that the newest
  // state names.
  void begin(TxnId txn, std::uint64_t deferred_tail);
  std::uint64_t deferred_tail() const noexcept {
    return deferred_tail_;
  }  // for the state record of this transaction

  std::uint64_t file_pages() const noexcept;
  std::uint64_t free_pages() const noexcept;       // clear bits
  std::uint64_t available_pages() const noexcept;  // for `allocate`: clear bits and spare pages

  PageId allocate();  // requires available_pages() > 0
  std::optional<PageId> allocate_run(
      std::uint32_t page_count);  // lowest run that fits; nothing when there is none
  bool has_run(std::uint64_t page_count) const noexcept;  // true when allocate_run would find one
  // True when `count` more deferred frees fit; makes the ring larger for them. False when the disk
  // is full.
  bool has_deferred_room(std::uint64_t count);
  // Of a page taken by this very transaction: spare, and the next to be allocated. Its bit stays
  // set, so that no checkpoint takes what a rollback would clear.
  void free_now(PageId page);
  void free_later(PageRun run, TxnId birth,
                  bool is_extent);  // void until the transaction commits. Throws no_space
  void
  retire_spare();  // before the commit point: spare pages become deferred frees that nobody pins
  void end() noexcept;  // after the commit point: forgets the undo list

  // Raises the size of the file; the new pages are free. Throws Errc::no_space before anything
  // changed.
  void extend(std::uint64_t file_pages);

  // Releases the deferred frees before `committed_tail` that may be reused. Returns pages released.
  std::uint64_t sweep(std::uint64_t committed_tail, const ReusePins& pins);

  // --- checkpoints

  // Like allocate_run, but for a checkpoint: the run belongs to no transaction. `announce(run)` is
  // called before any bit is set; it must store the run where a successor finds it.
  template <typename Announce>
  std::optional<PageId> take_run(std::uint32_t page_count, Announce announce) {
    const auto first = find_run(page_count);
    if (!first) return std::nullopt;
    announce(PageRun{*first, page_count});
    set_bits({*first, page_count});
    return first;
  }
  void give_back(PageRun run) noexcept { clear_bits(run); }

  // Calls `visit(PageRun)` for each run that the running transaction has taken.
  template <typename Visit>
  void for_each_taken(Visit visit) const {
    const std::uint64_t count = control_.undo_count.load(std::memory_order_relaxed);
    for (std::uint64_t index = 0; index < count; ++index) visit(undo()[index]);
  }

  // --- death and rollback (rule 12)

  // Finishes an interrupted release, then takes back what a transaction above `visible` has
  // allocated. Idempotent.
  void repair(TxnId visible);

  // --- looking (any thread that holds the writer lock)

  bool is_used(PageId page) const noexcept;
  std::span<const std::atomic<std::uint64_t>> bitmap_words() const noexcept;
  std::uint64_t deferred_pages(std::uint64_t tail) const;  // in deferred frees before `tail`

  // Calls `visit(const DeferredFree&)` for each deferred free before `tail`.
  template <typename Visit>
  void for_each_deferred(std::uint64_t tail, Visit visit) const {
    for (std::uint64_t index = control_.deferred_head.load(std::memory_order_relaxed); index < tail;
         ++index) {
      if (deferred(index).page_count != 0) visit(deferred(index));
    }
  }

 private:
  std::atomic<std::uint64_t>* words() const noexcept;
  std::atomic<std::uint32_t>* areas() const noexcept;
  DeferredFree& deferred(std::uint64_t index) const noexcept;
  DeferredFree* deferred_places() const noexcept;
  PageRun* undo() const noexcept;
  void record_undo(PageRun run);
  void set_bits(PageRun run) noexcept;
  std::uint64_t clear_bits(PageRun run) noexcept;
  bool enlarge_deferred();
  std::optional<PageId> find_free() const noexcept;
  std::optional<PageId> find_run(std::uint64_t page_count) const noexcept;

  AllocatorTables tables_;
  AllocatorControl& control_;
  std::uint64_t deferred_tail_ = 0;
  TxnId txn_;
  std::vector<PageId> spare_;
};

}  // namespace quire::pages
