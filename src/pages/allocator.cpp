#include "pages/allocator.h"

#include <quire/error.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "base/test_points.h"

namespace quire::pages {
namespace {

constexpr std::uint64_t kBackedStepBytes = 65536;  // tables get blocks in steps of this

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kRelease =
    std::memory_order_release;  // a killed process has stored in program order

// Bits [from, from + count) of one word, count >= 1.
std::uint64_t mask_of(std::uint64_t from, std::uint64_t count) noexcept {
  const std::uint64_t ones =
      count == kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  return ones << from;
}

// Bits below `count`, which is less than 64.
std::uint64_t mask_below(std::uint64_t count) noexcept { return (std::uint64_t{1} << count) - 1; }

// Calls `change(word index, mask)` for the words that a run covers.
template <typename Change>
void for_words(PageRun run, Change change) {
  std::uint64_t bit = run.first.value;
  std::uint64_t left = run.page_count;
  while (left > 0) {
    const std::uint64_t from = bit % kWordBits;
    const std::uint64_t count = std::min(left, kWordBits - from);
    change(bit / kWordBits, mask_of(from, count));
    bit += count;
    left -= count;
  }
}

// Only the holder of the writer lock changes counts, or who is alone. A locked addition would wait
// until all stores before it are in the cache, those of a page that was just copied too.
template <typename Count>
void add(std::atomic<Count>& count, Count change) noexcept {
  count.store(count.load(kRelaxed) + change, kRelaxed);
}

}  // namespace

Allocator::Allocator(const AllocatorTables& tables) noexcept
    : tables_(tables), control_(*tables.control), parked_(tables_) {}

std::atomic<std::uint64_t>* Allocator::words() const noexcept {
  return reinterpret_cast<std::atomic<std::uint64_t>*>(tables_.region->base() +
                                                       tables_.bitmap_offset);
}

Area* Allocator::areas() const noexcept {
  return reinterpret_cast<Area*>(tables_.region->base() + tables_.areas_offset);
}

DeferredFree* Allocator::deferred_places() const noexcept {
  return reinterpret_cast<DeferredFree*>(tables_.region->base() + tables_.deferred_offset);
}

DeferredFree& Allocator::deferred(std::uint64_t index) const noexcept {
  return deferred_places()[index & (control_.deferred_size.load(kRelaxed) - 1)];
}

PageRun* Allocator::undo() const noexcept {
  return reinterpret_cast<PageRun*>(tables_.region->base() + tables_.undo_offset);
}

// The first step of each table gets its blocks now, so that small transactions never fail for want
// of them.
void Allocator::reset(std::uint64_t file_pages) {
  tables_.region->ensure(tables_.undo_offset, kBackedStepBytes);
  tables_.region->ensure(tables_.deferred_offset, kBackedStepBytes);
  control_.undo_backed.store(kBackedStepBytes / sizeof(PageRun), kRelaxed);
  control_.deferred_size.store(kBackedStepBytes / sizeof(DeferredFree), kRelaxed);
  extend(file_pages);
}

void Allocator::mark_used(PageRun run) {
  QUIRE_ASSERT(std::uint64_t{run.first.value} + run.page_count <= file_pages());
  for_words(run, [&](std::uint64_t index, std::uint64_t mask) {
    words()[index].fetch_or(mask, kRelaxed);
  });
}

void Allocator::recount() {
  const std::uint64_t page_count = file_pages();
  std::uint64_t free_total = 0;
  for (std::uint64_t area = 0; area * kAreaPages < page_count; ++area) {
    const std::uint64_t first = area * kAreaPages;
    const std::uint64_t limit = std::min(first + kAreaPages, page_count);
    std::uint64_t used = 0;
    for (std::uint64_t word = first / kWordBits; word * kWordBits < limit; ++word) {
      used += static_cast<std::uint64_t>(std::popcount(words()[word].load(kRelaxed)));
    }
    const auto clear = static_cast<std::uint32_t>(limit - first - used);
    areas()[area].longest_run.store(clear, kRelaxed);
    areas()[area].free_pages.store(clear, kRelaxed);
    free_total += limit - first - used;
  }
  control_.free_pages.store(free_total, kRelaxed);
  control_.lowest_free.store(0, kRelaxed);
}

void Allocator::defer_free_pages() {
  const std::uint64_t limit = file_pages();
  PageRun run;
  const auto defer = [&] {
    if (run.page_count == 0) return;
    free_later(run, TxnId{0}, false);
    set_bits(run);
    run = {};
  };
  for (std::uint64_t page = 0; page < limit; ++page) {
    const PageId id{static_cast<std::uint32_t>(page)};
    if (is_used(id)) {
      defer();
    } else if (run.page_count++ == 0) {
      run.first = id;
    }
  }
  defer();
}

void Allocator::begin(TxnId txn, std::uint64_t deferred_tail) {
  txn_ = txn;
  deferred_tail_ = deferred_tail;
  forget_spare();
  control_.undo_count.store(0, kRelease);
  control_.undo_txn.store(txn.value, kRelease);
}

std::uint64_t Allocator::file_pages() const noexcept { return control_.file_pages.load(kRelaxed); }

std::uint64_t Allocator::free_pages() const noexcept { return control_.free_pages.load(kRelaxed); }

std::uint64_t Allocator::available_pages() const noexcept {
  return free_pages() + spare_.size() + spare_run_pages_;
}

PageId Allocator::allocate() {
  if (!spare_.empty()) {
    const PageId page = spare_.back();
    spare_.pop_back();
    return page;
  }
  if (!spare_runs_.empty()) return *take_spare_run(1);  // for nothing a call would be dear
  const std::uint64_t page = lowest_free_page();
  QUIRE_ASSERT(page < file_pages());
  const PageRun run{PageId{static_cast<std::uint32_t>(page)}, 1};
  record_undo(run);
  crash_point("allocate: on the undo list");
  set_bits(run);
  crash_point("allocate: marked");
  control_.lowest_free.store(page + 1, kRelaxed);
  control_.taken_since_sweep.store(taken_since_sweep() + 1, kRelaxed);
  return run.first;
}

bool Allocator::has_free_below(PageId page) const noexcept {
  if (!spare_.empty()) return spare_.back() < page;
  return lowest_free_page() < page.value;
}

std::optional<PageId> Allocator::allocate_run(std::uint32_t page_count) {
  QUIRE_ASSERT(page_count > 0);
  if (const auto spare = take_spare_run(page_count)) return spare;
  std::optional<PageId> first;
  if (page_count > 1) {
    first = lowest_run(page_count);
  } else if (const std::uint64_t page = lowest_free_page(); page < file_pages()) {
    first = PageId{static_cast<std::uint32_t>(page)};
  }
  if (!first) return std::nullopt;
  const PageRun run{*first, page_count};
  record_undo(run);
  crash_point("allocate: run on the undo list");
  set_bits(run);
  crash_point("allocate: run marked");
  return first;
}

void Allocator::record_undo(PageRun run) {
  const std::uint64_t count = control_.undo_count.load(kRelaxed);
  if (count > 0) {
    PageRun& last = undo()[count - 1];
    if (last.first.value + std::uint64_t{last.page_count} == run.first.value) {
      std::atomic_ref(last.page_count).store(last.page_count + run.page_count, kRelease);
      return;
    }
  }
  if (count >= tables_.undo_capacity) {
    throw Error(Errc::no_space,
                "the transaction has taken too many scattered runs of pages; split it");
  }
  const std::uint64_t backed = control_.undo_backed.load(kRelaxed);
  if (count >= backed) {
    tables_.region->ensure(tables_.undo_offset + backed * sizeof(PageRun), kBackedStepBytes);
    control_.undo_backed.store(backed + kBackedStepBytes / sizeof(PageRun), kRelease);
  }
  undo()[count] = run;
  control_.undo_count.store(count + 1, kRelease);
}

void Allocator::set_bits(PageRun run) noexcept {
  for_words(run, [&](std::uint64_t index, std::uint64_t mask) {
    const std::uint64_t before = words()[index].load(kRelaxed);
    words()[index].store(before | mask, kRelease);
    const auto taken = static_cast<std::uint32_t>(std::popcount(mask & ~before));
    add(areas()[index * kWordBits / kAreaPages].free_pages, std::uint32_t{0} - taken);
    add(control_.free_pages, std::uint64_t{0} - taken);
  });
}

std::uint64_t Allocator::clear_bits(PageRun run) noexcept {
  std::uint64_t released = 0;
  if (run.first.value < control_.lowest_free.load(kRelaxed)) {
    control_.lowest_free.store(run.first.value, kRelease);
  }
  expect_run(run);
  for_words(run, [&](std::uint64_t index, std::uint64_t mask) {
    const std::uint64_t before = words()[index].load(kRelaxed);
    words()[index].store(before & ~mask, kRelease);
    const auto given = static_cast<std::uint32_t>(std::popcount(mask & before));
    add(areas()[index * kWordBits / kAreaPages].free_pages, given);
    add(control_.free_pages, std::uint64_t{given});
    released += given;
  });
  return released;
}

void Allocator::free_now(PageId page) { spare_.push_back(page); }

void Allocator::free_run_now(PageRun run) {
  spare_runs_.emplace(run.page_count, run.first);
  spare_run_pages_ += run.page_count;
}

// From the shortest one that is long enough.
std::optional<PageId> Allocator::take_spare_run(std::uint32_t page_count) noexcept {
  const auto found = spare_runs_.lower_bound(page_count);
  if (found == spare_runs_.end()) return std::nullopt;
  auto run = spare_runs_.extract(found);
  const PageId first = run.mapped();
  run.key() -= page_count;
  run.mapped().value += page_count;
  spare_run_pages_ -= page_count;
  if (run.key() > 0) spare_runs_.insert(std::move(run));
  return first;
}

void Allocator::forget_spare() noexcept {
  spare_.clear();
  spare_runs_.clear();
  spare_run_pages_ = 0;
}

void Allocator::cut_deferred(std::uint64_t tail) noexcept {
  QUIRE_ASSERT(tail <= deferred_tail_);
  deferred_tail_ = tail;
}

void Allocator::retire_spare() {
  std::sort(spare_.begin(), spare_.end());
  for (std::size_t index = 0; index < spare_.size();) {
    PageRun run{spare_[index], 0};
    while (index < spare_.size() && spare_[index].value == run.first.value + run.page_count) {
      ++run.page_count;
      ++index;
    }
    free_later(run, txn_, false);
  }
  for (const auto& [page_count, first] : spare_runs_) free_later({first, page_count}, txn_, false);
  forget_spare();
}

void Allocator::free_later(PageRun run, TxnId birth, bool is_extent) {
  if (!has_deferred_room(1)) {
    throw Error(Errc::no_space,
                "the lock file has no room to note more freed pages, and the disk none to make it "
                "larger; free some, erase less in one transaction, or end old snapshots");
  }
  store_entry(deferred(deferred_tail_), {run.first.value, run.page_count, birth.value, txn_.value,
                                         is_extent ? std::uint64_t{1} : std::uint64_t{0}});
  ++deferred_tail_;
  crash_point("free: deferred");
}

std::uint64_t Allocator::deferred_room() const noexcept {
  return control_.deferred_size.load(kRelaxed) -
         (deferred_tail_ - control_.deferred_head.load(kRelaxed));
}

bool Allocator::has_deferred_room(std::uint64_t count) {
  while (deferred_room() < count) {
    if (!enlarge_deferred()) return false;
  }
  return true;
}

// Doubles the ring. Every second lap of the entries moves up into the new half; until the one store
// of the new size nobody looks there, so dying on the way changes nothing.
bool Allocator::enlarge_deferred() {
  const std::uint64_t size = control_.deferred_size.load(kRelaxed);
  if (size * 2 > tables_.deferred_capacity) return false;
  const std::uint64_t half_bytes = size * sizeof(DeferredFree);
  try {
    tables_.region->ensure(tables_.deferred_offset + half_bytes, half_bytes);
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) return false;
    throw;
  }
  for (std::uint64_t index = control_.deferred_head.load(kRelaxed); index < deferred_tail_;
       ++index) {
    if ((index & size) != 0)
      store_entry(deferred_places()[index & (size * 2 - 1)], deferred_places()[index & (size - 1)]);
  }
  crash_point("free: ring copied");
  control_.deferred_size.store(size * 2, kRelease);
  return true;
}

void Allocator::end() noexcept {
  forget_spare();
  control_.undo_count.store(0, kRelease);
}

void Allocator::extend(std::uint64_t file_pages) {
  QUIRE_ASSERT(file_pages <= tables_.page_capacity);
  const std::uint64_t before = this->file_pages();
  if (file_pages <= before) return;
  constexpr std::uint64_t kStepPages = kBackedStepBytes * 8;
  std::uint64_t backed = control_.bitmap_backed.load(kRelaxed);
  while (backed < file_pages) {
    tables_.region->ensure(tables_.bitmap_offset + backed / 8, kBackedStepBytes);
    const std::uint64_t area = backed / kAreaPages;
    tables_.region->ensure(tables_.areas_offset + area * sizeof(Area),
                           kStepPages / kAreaPages * sizeof(Area));
    backed += kStepPages;
    control_.bitmap_backed.store(backed, kRelease);
  }
  for (std::uint64_t page = before; page < file_pages;) {
    const std::uint64_t area = page / kAreaPages;
    const std::uint64_t limit = std::min((area + 1) * kAreaPages, file_pages);
    areas()[area].longest_run.store(kAreaPages, kRelaxed);
    add(areas()[area].free_pages, static_cast<std::uint32_t>(limit - page));
    page = limit;
  }
  if (before < control_.lowest_free.load(kRelaxed)) control_.lowest_free.store(before, kRelaxed);
  control_.file_pages.store(file_pages, kRelease);
  add(control_.free_pages, file_pages - before);
}

void Allocator::repair(TxnId visible) {
  finish_sweep();
  if (TxnId{control_.undo_txn.load(kRelaxed)} > visible || sabotaged("undo_list_without_its_id")) {
    const std::uint64_t count = control_.undo_count.load(kRelaxed);
    for (std::uint64_t index = 0; index < count; ++index) clear_bits(undo()[index]);
    crash_point("rollback: bits cleared");
  }
  control_.undo_count.store(0, kRelease);
  forget_spare();
}

bool Allocator::is_used(PageId page) const noexcept {
  return (words()[page.value / kWordBits].load(kRelaxed) >> (page.value % kWordBits) & 1) != 0;
}

std::span<const std::atomic<std::uint64_t>> Allocator::bitmap_words() const noexcept {
  return {words(), (file_pages() + kWordBits - 1) / kWordBits};
}

std::uint64_t Allocator::lowest_free_page() const noexcept {
  const std::uint64_t limit = file_pages();
  std::uint64_t page = control_.lowest_free.load(kRelaxed);
  while (page < limit) {
    if (page % kAreaPages == 0 && areas()[page / kAreaPages].free_pages.load(kRelaxed) == 0) {
      page += kAreaPages;
      continue;
    }
    const std::uint64_t used =
        words()[page / kWordBits].load(kRelaxed) | mask_below(page % kWordBits);
    if (used != ~std::uint64_t{0}) {
      const std::uint64_t found =
          page / kWordBits * kWordBits + static_cast<std::uint64_t>(std::countr_one(used));
      return std::min(found, limit);
    }
    page = (page / kWordBits + 1) * kWordBits;
  }
  return limit;
}

}  // namespace quire::pages
