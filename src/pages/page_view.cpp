#include "pages/page_view.h"

#include <quire/error.h>

#include <string>

namespace quire::pages {

const std::byte* PageView::extent(const format::ExtentRef& extent) const {
  if (const char* reason = fault_of(extent)) corrupt(extent.first_page, reason);
  return at(PageId{extent.first_page});
}

const char* PageView::fault_of(const format::ExtentRef& extent) const noexcept {
  const std::uint64_t room_bytes = std::uint64_t{extent.page_count} * page_bytes;
  if (extent.first_page >= page_count || extent.page_count > page_count - extent.first_page) {
    return "a value's pages lie outside the file";
  }
  if (extent.first_page < format::kReservedBytes / page_bytes) {
    return "a value's pages overlap the metas";
  }
  if (extent.size_bytes > room_bytes || extent.page_count == 0) {
    return "a value is longer than its pages";
  }
  return nullptr;
}

const char* PageView::fault_of(format::PagePtr pointer, std::uint32_t level) const noexcept {
  if (pointer.page >= page_count) return "a pointer leads outside the file";
  const auto* header = reinterpret_cast<const format::PageHeader*>(at(PageId{pointer.page}));
  if (header->page != pointer.page) return "the page bears another page's number";
  if (static_cast<std::uint32_t>(header->birth) != pointer.birth_low) {
    return "the page is of another transaction than the pointer to it (stale or lost write)";
  }
  if (header->level != level) return "the page is of another level than its place in the tree";
  const auto kind = level == 0 ? format::PageKind::leaf : format::PageKind::branch;
  if (header->kind != kind) return "the page is of another kind than its place in the tree";
  if ((header->flags & ~format::kPageFlagsKnown) != 0) return "the page has unknown flags";
  return nullptr;
}

void PageView::corrupt(std::uint64_t page, const char* reason) const {
  throw Error(Errc::corrupt, std::string(file) + ": page " + std::to_string(page) + ": " + reason +
                                 "; run kvtool check, restore from a copy");
}

void PageView::reject(format::PagePtr pointer, std::uint32_t level) const {
  const char* reason = fault_of(pointer, level);
  corrupt(pointer.page, reason != nullptr ? reason : "the page changed while it was read");
}

}  // namespace quire::pages
