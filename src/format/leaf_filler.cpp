#include "format/leaf_filler.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace quire::format {

void LeafFiller::start(std::byte* page, std::uint32_t page_bytes) {
  page_ = page;
  page_bytes_ = page_bytes;
  arrays_end_ = kArraysOffset + kLeafSlotBytes;
  heap_begin_ = page_bytes;
  heap_live_ = 0;
  last_key_ = {};
  offsets_.clear();
}

void LeafFiller::resume(std::byte* page, std::uint32_t page_bytes) {
  start(page, page_bytes);
  const LeafView leaf(page, page_bytes);
  for (std::uint32_t i = 0; i < leaf.count(); ++i) {
    last_key_ = leaf.key(i);
    offsets_.push_back(static_cast<std::uint16_t>(leaf.record_offset(i)));
  }
  arrays_end_ += leaf.count() * kLeafSlotBytes;
  heap_begin_ = leaf.heap_begin();
  heap_live_ = leaf.heap_live();
}

std::string_view LeafFiller::store(const LeafEntry& entry) noexcept {
  std::byte* record = page_ + heap_begin_;
  store_leaf_record(record, entry);
  return view_of(record + kLeafRecordBytes, entry.key.size());
}

void LeafFiller::finish() {
  const std::uint32_t count = this->count();
  QUIRE_ASSERT(count > 0);
  const auto key_of = [&](std::uint32_t index) {
    const std::byte* record = page_ + offsets_[index];
    return view_of(record + kLeafRecordBytes, load_le<std::uint16_t>(record));
  };
  const std::string_view first_key = key_of(0);
  const std::uint32_t prefix_bytes = count == 1 ? static_cast<std::uint32_t>(first_key.size())
                                                : common_prefix_bytes(first_key, last_key_);
  auto* heads = reinterpret_cast<std::uint32_t*>(page_ + kArraysOffset);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string_view key = key_of(i);
    // Keys of a damaged leaf that was gone on in need not rise.
    if (key.size() < prefix_bytes) damaged(page_, "keys of a leaf are out of order");
    heads[i] = head_of(key.data() + prefix_bytes, key.size() - prefix_bytes);
    store_le(page_ + leaf_offset_at(count, i), offsets_[i]);
  }
  store_hints(page_, heads, count);
  const std::uint32_t arrays_end = arrays_end_ - kLeafSlotBytes;
  std::memset(page_ + arrays_end, 0, heap_begin_ - arrays_end);
  PageHeader& header = header_of(page_);
  header.entry_count = static_cast<std::uint16_t>(count);
  header.prefix_bytes = static_cast<std::uint16_t>(prefix_bytes);
  header.heap_begin = heap_begin_;
  header.heap_live = heap_live_;
}

}  // namespace quire::format
