#include "pages/page_space.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/test_points.h"
#include "format/checksum.h"

namespace quire::pages {

using format::PageHeader;
using format::PageKind;
using format::PagePtr;

PageSpace::PageSpace(const PageView& view, std::byte* write_base, Allocator& allocator, TxnId txn,
                     TxnId sealed, storage::DataFile* file)
    : view_(view),
      writer_view_(view),
      write_base_(write_base),
      allocator_(allocator),
      txn_(txn),
      sealed_(sealed),
      file_(file) {
  writer_view_.base = write_base;
}

std::uint64_t PageSpace::free_pages() const noexcept { return allocator_.available_pages(); }

void PageSpace::set_page_count(std::uint32_t page_count) noexcept {
  view_.page_count = writer_view_.page_count = page_count;
}

// Else a page that is freed there would be given out some day, and a meta be overwritten.
void PageSpace::require_outside_metas(std::uint32_t page) const {
  if (page < format::kReservedBytes / view_.page_bytes) {
    view_.corrupt(page, "a page of a tree where the metas are");
  }
}

std::byte* PageSpace::writable(PagePtr& pointer, std::uint32_t level) {
  const std::byte* source = verified(pointer, level);
  const TxnId birth{reinterpret_cast<const PageHeader*>(source)->birth};
  const PageId old{pointer.page};
  if (birth == txn_ && !is_kept(old)) return bytes_of(old);
  if (birth > txn_) view_.corrupt(pointer.page, "the page was born after the newest transaction");
  require_outside_metas(pointer.page);

  const PageId copy = take();
  std::byte* target = bytes_of(copy);
  // The checksum word stays out of the copy: a checkpoint may be storing it into the source at this
  // moment.
  constexpr std::size_t kAfterChecksum = offsetof(PageHeader, birth);
  std::memcpy(target + kAfterChecksum, source + kAfterChecksum, view_.page_bytes - kAfterChecksum);
  auto* header = reinterpret_cast<PageHeader*>(target);
  header->checksum = 0;
  header->birth = txn_.value;
  header->page = copy.value;
  crash_point("page: copied");
  if (birth == txn_) {
    leave(old);
  } else {
    allocator_.free_later({old, 1}, birth, false);
  }
  pointer = format::pointer_to(copy, txn_);
  return target;
}

PageId PageSpace::take() {
  const PageId page = allocator_.allocate();
  if (savepoints_.is_open()) savepoints_.take(page);
  return page;
}

const std::byte* PageSpace::verified(PagePtr pointer, std::uint32_t level) const {
  const std::byte* bytes = writer_view_.read(pointer, level);
  const auto* header = reinterpret_cast<const PageHeader*>(bytes);
  if (TxnId{header->birth} > sealed_) return bytes;
  if (format::page_checksum(bytes, view_.page_bytes, view_.checksum_seed) != header->checksum) {
    view_.corrupt(pointer.page, "checksum mismatch");
  }
  return bytes;
}

std::byte* PageSpace::create(std::uint32_t level, PagePtr* pointer) {
  const PageId page = take();
  std::byte* bytes = bytes_of(page);
  std::memset(bytes, 0, view_.page_bytes);
  start(bytes, page, level);
  *pointer = format::pointer_to(page, txn_);
  return bytes;
}

void PageSpace::create_at(std::byte* bytes, std::uint32_t level, PagePtr* pointer) {
  const PageId page = take();
  std::memset(bytes, 0, sizeof(PageHeader));
  start(bytes, page, level);
  *pointer = format::pointer_to(page, txn_);
}

// A header in zeros.
void PageSpace::start(std::byte* bytes, PageId page, std::uint32_t level) const noexcept {
  auto* header = reinterpret_cast<PageHeader*>(bytes);
  header->birth = txn_.value;
  header->page = page.value;
  header->kind = level == 0 ? PageKind::leaf : PageKind::branch;
  header->level = static_cast<std::uint8_t>(level);
  header->heap_begin = view_.page_bytes;
}

void PageSpace::write(PageId first, std::byte* bytes, std::uint32_t page_count) {
  const std::uint32_t page_bytes = view_.page_bytes;
  // The checkpoint stores into a page only where it finds another checksum.
  for (std::uint32_t i = 0; i < page_count; ++i) {
    std::byte* page = bytes + std::size_t{i} * page_bytes;
    reinterpret_cast<PageHeader*>(page)->checksum =
        format::page_checksum(page, page_bytes, view_.checksum_seed);
  }
  const std::size_t size_bytes = std::size_t{page_count} * page_bytes;
  if (file_ != nullptr) {
    file_->write_pages(std::uint64_t{first.value} * page_bytes, bytes, size_bytes);
  } else {
    std::memcpy(bytes_of(first), bytes, size_bytes);
  }
}

void PageSpace::free(PagePtr pointer, std::uint32_t level) {
  const TxnId birth{reinterpret_cast<const PageHeader*>(writer_view_.read(pointer, level))->birth};
  end_life({PageId{pointer.page}, 1}, birth, false);
}

void PageSpace::free_extent(const format::ExtentRef& extent) {
  if (const char* reason = view_.fault_of(extent)) view_.corrupt(extent.first_page, reason);
  end_life({PageId{extent.first_page}, extent.page_count}, TxnId{extent.birth}, true);
}

void PageSpace::end_life(PageRun run, TxnId birth, bool is_extent) {
  require_outside_metas(run.first.value);
  if (birth > txn_)
    view_.corrupt(run.first.value, "the page was born after the newest transaction");
  if (!allocator_.is_used(run.first)) {
    view_.corrupt(run.first.value, "the page is in a tree and marked free (used twice)");
  }
  // An extent's bytes are named by the log record of its transaction, so even one that was stored
  // and dropped within the same transaction must stay as it is until a checkpoint has made that
  // record superfluous (rule 5).
  if (birth == txn_ && !is_extent) {
    leave(run.first);
  } else {
    allocator_.free_later(run, birth, is_extent);
  }
}

// Ends the life of a page of this transaction.
void PageSpace::leave(PageId page) {
  using Leaving = SavepointPages::Leaving;
  const Leaving leaving = savepoints_.is_open() ? savepoints_.leave(page) : Leaving::now;
  if (leaving == Leaving::later) return;
  if (leaving == Leaving::twice) view_.corrupt(page.value, "the page is in a tree twice");
  // Should a second pointer lead here, it finds no page: given back twice, it would be given out
  // twice.
  reinterpret_cast<PageHeader*>(bytes_of(page))->kind = PageKind::none;
  allocator_.free_now(page);
}

void PageSpace::begin_savepoint() { savepoints_.begin(allocator_.deferred_tail()); }

void PageSpace::release_savepoint() {
  SavepointPages::Since since = savepoints_.end();
  const PageSet left = std::exchange(since.left, {});
  savepoints_.join(std::move(since));
  left.for_each([&](PageId page) { leave(page); });
}

void PageSpace::return_to_savepoint() {
  const std::uint64_t deferred_tail = savepoints_.newest().deferred_tail;
  const SavepointPages::Since since = std::exchange(savepoints_.newest(), {});
  savepoints_.newest().deferred_tail = deferred_tail;
  allocator_.cut_deferred(deferred_tail);
  for (const PageRun run : since.taken.runs()) allocator_.free_run_now(run);
  for (const PageRun run : since.taken_runs) allocator_.free_run_now(run);
}

std::optional<format::ExtentRef> PageSpace::move_lower(const format::ExtentRef& extent) {
  if (const char* reason = view_.fault_of(extent)) view_.corrupt(extent.first_page, reason);
  const auto lowest = allocator_.lowest_run(extent.page_count);
  if (!lowest || lowest->value >= extent.first_page) return std::nullopt;
  const auto first = allocator_.allocate_run(extent.page_count);
  QUIRE_ASSERT(first.has_value());
  std::memcpy(bytes_of(*first), bytes_of(PageId{extent.first_page}),
              std::uint64_t{extent.page_count} * view_.page_bytes);
  free_extent(extent);
  format::ExtentRef moved = extent;
  moved.first_page = first->value;
  moved.birth = txn_.value;
  return moved;
}

std::optional<format::ExtentRef> PageSpace::store_extent(const std::byte* bytes,
                                                         std::uint64_t size_bytes) {
  auto extent = take_extent(size_bytes);
  if (!extent) return std::nullopt;
  std::byte* target = bytes_of(*extent);
  std::memcpy(target, bytes, size_bytes);
  std::memset(target + size_bytes, 0,
              std::uint64_t{extent->page_count} * view_.page_bytes - size_bytes);
  crash_point("page: extent stored");
  extent->checksum = format::checksum(target, size_bytes, view_.checksum_seed);
  return extent;
}

std::optional<format::ExtentRef> PageSpace::take_extent(std::uint64_t size_bytes) {
  QUIRE_ASSERT(size_bytes > 0);
  const std::uint64_t page_count = (size_bytes + view_.page_bytes - 1) / view_.page_bytes;
  QUIRE_ASSERT(page_count <= UINT32_MAX);
  const auto first = allocator_.allocate_run(static_cast<std::uint32_t>(page_count));
  if (!first) return std::nullopt;
  if (savepoints_.is_open()) {
    savepoints_.take_run({*first, static_cast<std::uint32_t>(page_count)});
  }
  return format::ExtentRef{.size_bytes = size_bytes,
                           .first_page = first->value,
                           .page_count = static_cast<std::uint32_t>(page_count),
                           .birth = txn_.value};
}

void PageSpace::write_value(const format::ExtentRef& extent, std::uint64_t offset,
                            const std::byte* bytes, std::size_t size_bytes) {
  const std::uint64_t room_bytes = std::uint64_t{extent.page_count} * view_.page_bytes;
  QUIRE_ASSERT(offset <= room_bytes && size_bytes <= room_bytes - offset);
  if (file_ != nullptr) {
    file_->write_pages(std::uint64_t{extent.first_page} * view_.page_bytes + offset, bytes,
                       size_bytes);
  } else {
    std::memcpy(bytes_of(extent) + offset, bytes, size_bytes);
  }
}

}  // namespace quire::pages
