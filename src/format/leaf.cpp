#include "format/leaf.h"

#include <algorithm>

#include "base/assert.h"

namespace quire::format {
namespace {

std::uint32_t* heads_of(std::byte* page) noexcept {
  return reinterpret_cast<std::uint32_t*>(page + kArraysOffset);
}

std::uint32_t head_after(std::string_view key, std::uint32_t prefix_bytes) noexcept {
  return head_of(key.data() + prefix_bytes, key.size() - prefix_bytes);
}

void store_offset(std::byte* page, std::uint32_t count, std::uint32_t index,
                  std::uint32_t offset) noexcept {
  store_le(page + leaf_offset_at(count, index), static_cast<std::uint16_t>(offset));
}

void store_heads(std::byte* page, std::uint32_t page_bytes, std::uint32_t prefix_bytes) {
  header_of(page).prefix_bytes = static_cast<std::uint16_t>(prefix_bytes);
  const LeafView leaf(page, page_bytes);
  for (std::uint32_t i = 0; i < leaf.count(); ++i) {
    heads_of(page)[i] = head_after(leaf.key(i), prefix_bytes);
  }
}

// Builds the page anew from `change`, which reads a copy of it. Not inlined: its callers rarely
// need so much stack.
[[gnu::noinline]] void rebuild(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                               const LeafEntry& entry,
                               LeafSequence (*change)(const LeafView&, std::uint32_t,
                                                      const LeafEntry&)) {
  alignas(64) std::byte copy[kPageBytesMax];
  std::memcpy(copy, page, page_bytes);
  const LeafSequence entries = change(LeafView(copy, page_bytes), index, entry);
  leaf_build(page, page_bytes, entries, 0, entries.count());
}

}  // namespace

LeafView::Position LeafView::lower_bound(std::string_view key) const {
  Position position{0, false};
  if (key.size() >= prefix_bytes_) position = search(key);
  if (position.found || prefix_bytes_ == 0) return position;
  // Heads only order keys that share the prefix. Any entry shows it; the one found is the likeliest
  // to be used next.
  const std::string_view prefix =
      this->key(std::min(position.index, count_ - 1)).substr(0, prefix_bytes_);
  const int order = key.substr(0, prefix_bytes_).compare(prefix);
  if (order < 0) return {0, false};
  if (order > 0) return {count_, false};
  return position;
}

// Takes no LeafView, so that the one of a lookup stays in registers.
bool LeafView::find_among_equals(const std::byte* page, std::uint32_t page_bytes,
                                 std::string_view key, LeafEntry& entry) {
  const LeafView leaf(page, page_bytes);
  const Position position = leaf.search(key);
  if (position.found) entry = leaf.entry(position.index);
  return position.found;
}

LeafSequence::LeafSequence(const LeafView& left, std::uint32_t index, const LeafEntry& middle,
                           const LeafView& right, std::uint32_t right_skip)
    : left_(left),
      index_(index),
      middle_(middle),
      right_(right),
      right_skip_(right_skip),
      count_(index + 1 + right.count() - right_skip) {}

LeafSequence LeafSequence::inserted(const LeafView& leaf, std::uint32_t index,
                                    const LeafEntry& entry) {
  return {leaf, index, entry, leaf, index};
}

LeafSequence LeafSequence::replaced(const LeafView& leaf, std::uint32_t index,
                                    const LeafEntry& entry) {
  return {leaf, index, entry, leaf, index + 1};
}

LeafSequence LeafSequence::joined(const LeafView& left, const LeafView& right) {
  return {left, left.count(), right.entry(0), right, 1};
}

LeafEntry LeafSequence::entry(std::uint32_t index) const {
  if (index < index_) return left_.entry(index);
  if (index == index_) return middle_;
  return right_.entry(index - index_ - 1 + right_skip_);
}

void leaf_start(std::byte* page, std::uint32_t page_bytes, const LeafEntry& entry) {
  const std::uint32_t offset = page_bytes - entry.record_bytes();
  store_leaf_record(page + offset, entry);
  store_offset(page, 1, 0, offset);
  heads_of(page)[0] = 0;
  store_hints(page, heads_of(page), 1);
  PageHeader& header = header_of(page);
  header.entry_count = 1;
  header.prefix_bytes = static_cast<std::uint16_t>(entry.key.size());
  header.heap_begin = offset;
  header.heap_live = entry.record_bytes();
}

void leaf_build(std::byte* page, std::uint32_t page_bytes, const LeafSequence& entries,
                std::uint32_t first, std::uint32_t last) {
  QUIRE_ASSERT(first < last && last <= entries.count());
  const std::uint32_t count = last - first;
  const std::string_view first_key = entries.entry(first).key;
  const std::uint32_t prefix_bytes =
      count == 1 ? static_cast<std::uint32_t>(first_key.size())
                 : common_prefix_bytes(first_key, entries.entry(last - 1).key);
  const std::uint32_t arrays_end = kArraysOffset + count * kLeafSlotBytes;
  std::uint32_t heap_begin = page_bytes;
  for (std::uint32_t i = 0; i < count; ++i) {
    const LeafEntry entry = entries.entry(first + i);
    // Sizes were judged by heap_live, which a damaged page may have got wrong; order decides the
    // prefix.
    if (heap_begin < arrays_end + entry.record_bytes()) {
      damaged(page, "records of a leaf take more than its heap");
    }
    if (entry.key.size() < prefix_bytes) damaged(page, "keys of a leaf are out of order");
    heap_begin -= entry.record_bytes();
    store_leaf_record(page + heap_begin, entry);
    store_offset(page, count, i, heap_begin);
    heads_of(page)[i] = head_after(entry.key, prefix_bytes);
  }
  store_hints(page, heads_of(page), count);
  PageHeader& header = header_of(page);
  header.entry_count = static_cast<std::uint16_t>(count);
  header.prefix_bytes = static_cast<std::uint16_t>(prefix_bytes);
  header.heap_begin = heap_begin;
  header.heap_live = page_bytes - heap_begin;
}

bool leaf_insert(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                 const LeafEntry& entry) {
  const LeafView leaf(page, page_bytes);
  const std::uint32_t count = leaf.count();
  if (index > count) damaged(page, "leaf has fewer entries than its reader saw");
  const std::uint32_t record_bytes = entry.record_bytes();
  const std::uint32_t arrays_end = kArraysOffset + (count + 1) * kLeafSlotBytes;
  if (arrays_end + record_bytes > leaf.heap_begin()) {
    if (arrays_end + record_bytes + leaf.heap_live() > page_bytes) return false;
    rebuild(page, page_bytes, index, entry, LeafSequence::inserted);
    return true;
  }
  const std::uint32_t shared_bytes =
      common_prefix_bytes(entry.key, leaf.key(0).substr(0, leaf.prefix_bytes()));

  // From what was judged above, never from the page again: it may be changing.
  const std::uint32_t offset = leaf.heap_begin() - record_bytes;
  PageHeader& header = header_of(page);
  header.heap_begin = offset;
  header.heap_live = leaf.heap_live() + record_bytes;
  store_leaf_record(page + offset, entry);
  open_gap(page + leaf_offset_at(count + 1, 0), page + leaf_offset_at(count, 0), 2, count, index);
  std::byte* heads = page + kArraysOffset;
  open_gap(heads, heads, 4, count, index);
  header.entry_count = static_cast<std::uint16_t>(count + 1);
  store_offset(page, count + 1, index, offset);
  if (shared_bytes < leaf.prefix_bytes()) {
    store_heads(page, page_bytes, shared_bytes);
  } else {
    heads_of(page)[index] = head_after(entry.key, shared_bytes);
  }
  store_hints(page, heads_of(page), count + 1);
  return true;
}

bool leaf_replace(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                  const LeafEntry& entry) {
  const LeafView leaf(page, page_bytes);
  const LeafEntry old = leaf.entry(index);
  if (entry.key.size() != old.key.size()) damaged(page, "leaf has changed since it was searched");
  if (old.record_bytes() > leaf.heap_live()) damaged(page, "leaf's records exceed its heap");
  const std::uint32_t live_without = leaf.heap_live() - old.record_bytes();
  const std::uint32_t record_bytes = entry.record_bytes();
  const std::uint32_t arrays_end = kArraysOffset + leaf.count() * kLeafSlotBytes;

  PageHeader& header = header_of(page);
  if (record_bytes <= old.record_bytes()) {
    const auto* key = reinterpret_cast<const std::byte*>(old.key.data());
    store_leaf_record(page + (key - page) - kLeafRecordBytes, entry);
  } else if (arrays_end + record_bytes <= leaf.heap_begin()) {
    const std::uint32_t offset = leaf.heap_begin() - record_bytes;
    header.heap_begin = offset;
    store_leaf_record(page + offset, entry);
    store_offset(page, leaf.count(), index, offset);
  } else if (arrays_end + record_bytes + live_without <= page_bytes) {
    rebuild(page, page_bytes, index, entry, LeafSequence::replaced);
    return true;
  } else {
    return false;
  }
  header.heap_live = live_without + record_bytes;
  return true;
}

void leaf_erase(std::byte* page, std::uint32_t page_bytes, std::uint32_t index) {
  const LeafView leaf(page, page_bytes);
  const std::uint32_t count = leaf.count();
  const std::uint32_t record_bytes = leaf.entry(index).record_bytes();
  if (count == 1) damaged(page, "leaf has fewer entries than its reader saw");
  if (record_bytes > leaf.heap_live()) damaged(page, "leaf's records exceed its heap");

  PageHeader& header = header_of(page);
  if (leaf.record_offset(index) == leaf.heap_begin()) header.heap_begin += record_bytes;
  header.heap_live -= record_bytes;
  header.entry_count = static_cast<std::uint16_t>(count - 1);
  std::byte* heads = page + kArraysOffset;
  close_gap(heads, heads, 4, count, index);
  close_gap(page + leaf_offset_at(count - 1, 0), page + leaf_offset_at(count, 0), 2, count, index);
  store_hints(page, heads_of(page), count - 1);
}

}  // namespace quire::format
