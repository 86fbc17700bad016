#include "fuzz/layout.h"

namespace quire::fuzz {

Layout::Layout(FileBytes& file) : file_(file) {
  for (int slot = 0; slot < 2; ++slot) {
    if (!has_meta_at(slot)) continue;
    const auto found = load<format::Meta>(file.data() + format::kMetaOffset[slot]);
    if (found.magic != format::kMagic || !format::is_page_size(found.page_bytes)) continue;
    if (meta_.page_bytes == 0 || found.sequence > meta_.sequence) meta_ = found;
  }
  page_bytes_ = meta_.page_bytes == 0 ? format::kPageBytesMin : meta_.page_bytes;
  page_count_ = static_cast<std::uint32_t>(file.size() / page_bytes_);
  for (std::uint32_t number = 0; number < page_count_; ++number) {
    const format::PageKind kind = header(number).kind;
    if (kind == format::PageKind::branch) branches_.push_back(number);
    if (kind == format::PageKind::leaf) leaves_.push_back(number);
  }
}

std::byte* Layout::page(std::uint32_t number) const noexcept {
  return file_.data() + std::size_t{number} * page_bytes_;
}

format::PageHeader Layout::header(std::uint32_t number) const noexcept {
  return load<format::PageHeader>(page(number));
}

bool Layout::has_meta_at(int slot) const noexcept {
  return file_.size() >= format::kMetaOffset[slot] + sizeof(format::Meta);
}

std::byte* Layout::ring() const noexcept {
  const bool is_inside = meta_.log.page_count > 0 && meta_.log.first_page < page_count_ &&
                         meta_.log.page_count <= page_count_ - meta_.log.first_page;
  return is_inside ? page(meta_.log.first_page) : nullptr;
}

std::size_t Layout::ring_bytes() const noexcept {
  return std::size_t{meta_.log.page_count} * page_bytes_;
}

Children children_of(std::byte* page, std::uint32_t page_bytes) {
  try {
    const format::BranchView branch(page, page_bytes);
    const format::BranchArrays arrays(branch.count(), branch.prefix_bytes());
    return {reinterpret_cast<format::PagePtr*>(page + arrays.children), branch.count()};
  } catch (const format::Damage&) {
    return {};
  }
}

}  // namespace quire::fuzz
