#include "pages/page_view.h"

#include <quire/error.h>

#include <string>

namespace quire::pages {

const std::byte* PageView::extent(const format::ExtentRef& extent) const {
  const std::uint64_t room_bytes = std::uint64_t{extent.page_count} * page_bytes;
  if (extent.first_page >= page_count || extent.page_count > page_count - extent.first_page) {
    corrupt(extent.first_page, "a value's pages lie outside the file");
  }
  if (extent.first_page < format::kReservedBytes / page_bytes) {
    corrupt(extent.first_page, "a value's pages overlap the metas");
  }
  if (extent.size_bytes > room_bytes || extent.page_count == 0) {
    corrupt(extent.first_page, "a value is longer than its pages");
  }
  return at(PageId{extent.first_page});
}

void PageView::corrupt(std::uint64_t page, const char* reason) const {
  throw Error(Errc::corrupt, std::string(file) + ": page " + std::to_string(page) + ": " + reason +
                                 "; run kvtool check, restore from a copy");
}

void PageView::reject(format::PagePtr pointer, std::uint32_t level) const {
  if (pointer.page >= page_count) corrupt(pointer.page, "a pointer leads outside the file");
  const auto* header = reinterpret_cast<const format::PageHeader*>(at(PageId{pointer.page}));
  if (header->page != pointer.page) corrupt(pointer.page, "the page bears another page's number");
  if (static_cast<std::uint32_t>(header->birth) != pointer.birth_low) {
    corrupt(pointer.page, "the page is of another transaction than the pointer to it (stale or lost write)");
  }
  if (header->level != level) corrupt(pointer.page, "the page is of another level than its place in the tree");
  corrupt(pointer.page, "the page is of another kind than its place in the tree, or has unknown flags");
}

}  // namespace quire::pages
