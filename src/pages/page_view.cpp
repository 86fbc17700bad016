#include "pages/page_view.h"

#include <quire/error.h>

#include <string>

#include "format/checksum.h"

namespace quire::pages {

const std::byte* PageView::extent(const format::ExtentRef& extent) const {
  if (const char* reason = fault_of(extent)) corrupt(extent.first_page, reason);
  if (verification != nullptr) verify(extent);
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

// The pointer's half of the birth is enough here: a page is written anew only under a later birth,
// and 2^32 commits later at the earliest under one with the same half.
void PageView::verify(format::PagePtr pointer, const std::byte* bytes) const {
  const auto* header = reinterpret_cast<const format::PageHeader*>(bytes);
  const TxnId birth{header->birth};
  if (birth > verification->newest) corrupt(pointer.page, "the page is younger than its commit");
  if (birth > verification->sealed) return;
  const std::uint64_t word = std::uint64_t{pointer.birth_low} << 32 | pointer.page;
  VerifiedPages* const verified = verification->verified;
  if (verified != nullptr && verified->has(pointer.page, word)) return;
  if (format::page_checksum(bytes, page_bytes, checksum_seed) != header->checksum) {
    corrupt(pointer.page, "checksum mismatch");
  }
  if (verified != nullptr) verified->add(pointer.page, word);
}

void PageView::verify(const format::ExtentRef& extent) const {
  // Values of equal content in pages that share a place in the table are not the same value.
  constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  const std::uint64_t word =
      extent.checksum ^ extent.size_bytes ^
      (extent.birth << 32 ^ (extent.first_page + std::uint64_t{1})) * kSpread;
  VerifiedPages* const verified = word == 0 ? nullptr : verification->verified;
  if (verified != nullptr && verified->has(extent.first_page, word)) return;
  if (format::checksum(at(PageId{extent.first_page}), extent.size_bytes, checksum_seed) !=
      extent.checksum) {
    corrupt(extent.first_page, "checksum mismatch of a value");
  }
  if (verified != nullptr) verified->add(extent.first_page, word);
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
