// Writing pages: the running transaction's copy-on-write view of the file. It never changes a page
// that a snapshot may see: pages of earlier transactions are copied to fresh ones first, and their
// old lives end in the deferred frees. While a savepoint is open the same holds for pages of the
// transaction that are older than it; where their lives end is noted in private memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/id.h"
#include "format/page.h"
#include "pages/allocator.h"
#include "pages/page_view.h"
#include "pages/savepoint_pages.h"
#include "storage/data_file.h"

namespace quire::pages {

// Threads: the writer's thread only.
class PageSpace {
 public:
  // `write_base` maps the same file as `view.base`. Pages with birth <= `sealed` carry checksums
  // (they are in the last checkpoint) and are verified before they are copied, or damage would get
  // a fresh checksum. Without `file` also `write` goes through the map.
  PageSpace(const PageView& view, std::byte* write_base, Allocator& allocator, TxnId txn,
            TxnId sealed, storage::DataFile* file = nullptr);

  const PageView& view() const noexcept { return view_; }

  // The same pages where this transaction writes them. What is read there is not handed out.
  const PageView& writer_view() const noexcept { return writer_view_; }
  TxnId txn() const noexcept { return txn_; }

  // Pages that can be allocated one by one without fail; the caller of tree operations sees to it
  // that there are enough (see Allocator), so `create` and `writable` never run dry.
  std::uint64_t free_pages() const noexcept;

  bool has_free_below(PageId page) const noexcept { return allocator_.has_free_below(page); }

  // After the file has grown: pages below `page_count` may be read.
  void set_page_count(std::uint32_t page_count) noexcept;

  // The page behind `pointer`, writable. A page of an earlier transaction is copied to a fresh one,
  // `pointer` then names the copy and the old page is freed. Throws Errc::corrupt.
  std::byte* writable(format::PagePtr& pointer, std::uint32_t level);

  // The page behind `pointer`, whose bytes `read` has returned, when this transaction has written
  // it and may go on writing; else null.
  std::byte* if_writable(format::PagePtr pointer, const std::byte* bytes) const noexcept {
    const auto* header = reinterpret_cast<const format::PageHeader*>(bytes);
    if (header->birth != txn_.value || is_kept(PageId{pointer.page})) return nullptr;
    return bytes_of(PageId{pointer.page});
  }

  // As view().read, and verifies the checksum of a sealed page: for whoever copies from it, or
  // frees what it names.
  const std::byte* verified(format::PagePtr pointer, std::uint32_t level) const;

  // A fresh page with a valid header (number, birth, kind by level, level) and everything else
  // zero.
  std::byte* create(std::uint32_t level, format::PagePtr* pointer);

  // A fresh page that is made in private memory: puts a header as that of `create` to `bytes`,
  // where nothing else is touched. Nobody may follow `pointer` before `write` has stored the page.
  void create_at(std::byte* bytes, std::uint32_t level, format::PagePtr* pointer);

  // Stores pages made in private memory, one behind the other, with their checksums. Throws
  // Errc::io, Errc::no_space.
  void write(PageId first, std::byte* bytes, std::uint32_t page_count);

  // Ends the life of a page read by `verified`, or written by this transaction.
  void free(format::PagePtr pointer, std::uint32_t level);

  // Ends the life of an extent. Its pages are validated first. Throws Errc::corrupt.
  void free_extent(const format::ExtentRef& extent);

  // Copies an extent to the lowest place that is free for it, with the checksum that it has, and
  // ends the life of the old one. Nothing when no place is lower. Throws Errc::corrupt.
  std::optional<format::ExtentRef> move_lower(const format::ExtentRef& extent);

  // Stores a value in fresh contiguous pages. Nothing when no run is long enough: the caller makes
  // room and asks again.
  std::optional<format::ExtentRef> store_extent(const std::byte* bytes, std::uint64_t size_bytes);

  // Fresh contiguous pages for a value that is made in its place; what they hold are old bytes of
  // the file, and the checksum is still missing. Nothing as by store_extent.
  std::optional<format::ExtentRef> take_extent(std::uint64_t size_bytes);

  // Where the value of a taken extent is made, up to the end of its last page.
  std::byte* bytes_of(const format::ExtentRef& extent) const noexcept {
    return bytes_of(PageId{extent.first_page});
  }

  // Stores a part of the value of a taken extent, which must lie in its pages, without mapping it.
  // Throws as `write`.
  void write_value(const format::ExtentRef& extent, std::uint64_t offset, const std::byte* bytes,
                   std::size_t size_bytes);

  // Savepoints, each within the one before. While one is open no page that is older changes, so
  // whoever has kept the roots of trees has kept the trees. After Errc::no_space from any function
  // the newest one may be returned to; after anything else that is thrown none.
  void begin_savepoint();

  // Ends the newest one. What was done since stays, and is since the one around it. Cost: pages
  // left since; where one is around it also a word for 64 pages taken.
  void release_savepoint();

  // Gives back what was taken since the newest one, which stays open. Pages and extents whose lives
  // ended since are alive again. Cost: pages taken since; none is touched.
  void return_to_savepoint();

 private:
  std::byte* bytes_of(PageId page) const noexcept {
    return write_base_ + std::uint64_t{page.value} * view_.page_bytes;
  }
  // True when a savepoint needs the page, which is the transaction's own, as it is.
  bool is_kept(PageId page) const noexcept {
    return savepoints_.is_open() && !savepoints_.is_new(page);
  }
  PageId take();
  void leave(PageId page);
  void start(std::byte* bytes, PageId page, std::uint32_t level) const noexcept;
  void require_outside_metas(std::uint32_t page) const;
  void end_life(PageRun run, TxnId birth, bool is_extent);

  PageView view_;
  PageView writer_view_;
  std::byte* write_base_;
  Allocator& allocator_;
  TxnId txn_;
  TxnId sealed_;
  storage::DataFile* file_;
  SavepointPages savepoints_;
};

}  // namespace quire::pages
