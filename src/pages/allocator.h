// Which pages are in use. The state lives in the shared region, so that a writer that dies leaves
// everything to its successor; this class is one process's hold on it. The tables are laid out by
// the shared module and backed as far as they are used: see allocator_tables.h.
//
// Threads: the holder of the writer lock only, except where noted.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/id.h"
#include "pages/allocator_tables.h"
#include "pages/parked_frees.h"

namespace quire::pages {

class Allocator {
 public:
  explicit Allocator(const AllocatorTables& tables) noexcept;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

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
  bool has_free_below(PageId page) const noexcept;  // whether `allocate` would give a lower one

  // What allocate_run would give.
  std::optional<PageId> lowest_run(std::uint64_t page_count) const noexcept;
  bool has_run(std::uint64_t page_count) const noexcept {
    return lowest_run(page_count).has_value();
  }
  // True when `count` more deferred frees fit; makes the ring larger for them. False when the disk
  // is full.
  bool has_deferred_room(std::uint64_t count);

  // Deferred frees that fit as the ring is.
  std::uint64_t deferred_room() const noexcept;

  // Of a page taken by this very transaction: spare, and the next to be allocated. Its bit stays
  // set, so that no checkpoint takes what a rollback would clear.
  void free_now(PageId page);
  // The same of a run, which `allocate_run` may give as well.
  void free_run_now(PageRun run);
  void free_later(PageRun run, TxnId birth,
                  bool is_extent);  // void until the transaction commits. Throws no_space
  // Makes void what this transaction has freed since the tail was `tail`.
  void cut_deferred(std::uint64_t tail) noexcept;
  void
  retire_spare();  // before the commit point: spare pages become deferred frees that nobody pins
  void end() noexcept;  // after the commit point: forgets the undo list

  // Raises the size of the file; the new pages are free. Throws Errc::no_space before anything
  // changed.
  void extend(std::uint64_t file_pages);

  // Segments of parked frees, whose headers each sweep looks at.
  std::uint64_t parked_segments() const noexcept { return parked_.segment_count(); }

  // Pages taken by `allocate` since the last sweep.
  std::uint64_t taken_since_sweep() const noexcept {
    return control_.taken_since_sweep.load(std::memory_order_relaxed);
  }

  // Releases the deferred frees before `committed_tail` that may be reused, and parks those that
  // only a pin keeps. Looks at parked ones only where their pin is gone. Returns pages released.
  std::uint64_t sweep(std::uint64_t committed_tail, const ReusePins& pins);

  // --- checkpoints

  // Like allocate_run, but for a checkpoint: the run belongs to no transaction. `announce(run)` is
  // called before any bit is set; it must store the run where a successor finds it.
  template <typename Announce>
  std::optional<PageId> take_run(std::uint32_t page_count, Announce announce) {
    const auto first = lowest_run(page_count);
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

  // Pages in deferred frees before `tail` that wait for `pin` and for none older; and for a
  // publication or a checkpoint.
  std::uint64_t pages_waiting_for(TxnId pin, std::uint64_t tail) const;

  // Calls `visit(const DeferredFree&)` for each deferred free before `tail`, parked ones as well.
  template <typename Visit>
  void for_each_deferred(std::uint64_t tail, Visit visit) const {
    for_each_in_ring(tail, visit);
    parked_.for_each(visit);
  }

  // For each of `pins` (as in ReusePins) about how many pages wait that lived in one of its states,
  // and how many of them in those of no other one. Any thread, without any lock: writers go on
  // meanwhile, so what they move just then may be missing or counted twice.
  struct Pinned {
    std::uint64_t page_count = 0;
    std::uint64_t page_count_alone = 0;
  };
  std::vector<Pinned> pinned_pages(std::span<const PinnedStates> pins, std::uint64_t tail) const;

 private:
  std::atomic<std::uint64_t>* words() const noexcept;
  Area* areas() const noexcept;
  DeferredFree& deferred(std::uint64_t index) const noexcept;
  DeferredFree* deferred_places() const noexcept;
  template <typename Visit>
  void for_each_in_ring(std::uint64_t tail, Visit visit) const {
    for (std::uint64_t index = control_.deferred_head.load(std::memory_order_relaxed); index < tail;
         ++index) {
      if (deferred(index).page_count != 0) visit(deferred(index));
    }
  }
  PageRun* undo() const noexcept;
  void record_undo(PageRun run);
  void set_bits(PageRun run) noexcept;
  std::uint64_t clear_bits(PageRun run) noexcept;
  bool enlarge_deferred();
  std::uint64_t look_at_parked(const ReusePins& reuse);
  std::uint64_t settle(std::uint64_t source, const ReusePins& reuse);
  std::uint64_t release(std::uint64_t source) noexcept;
  void park(std::uint64_t source, std::uint64_t place) noexcept;
  void finish_sweep() noexcept;
  DeferredFree& entry_at(std::uint64_t source) const noexcept;
  std::uint64_t lowest_free_page() const noexcept;  // file_pages(): none
  std::optional<PageId> find_run_in(std::uint64_t area, std::uint64_t page_count) const noexcept;
  void forget_spare() noexcept;
  std::optional<PageId> take_spare_run(std::uint32_t page_count) noexcept;
  std::uint64_t clear_from(std::uint64_t page, std::uint64_t limit) const noexcept;
  std::uint64_t clear_before(std::uint64_t page, std::uint64_t limit) const noexcept;
  void expect_run(PageRun run) noexcept;

  AllocatorTables tables_;
  AllocatorControl& control_;
  ParkedFrees parked_;
  std::uint64_t deferred_tail_ = 0;
  TxnId txn_;
  std::vector<PageId> spare_;
  std::multimap<std::uint32_t, PageId> spare_runs_;  // first pages, by page count
  std::uint64_t spare_run_pages_ = 0;
};

}  // namespace quire::pages
