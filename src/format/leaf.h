// Leaves: sorted entries, keys and values whole and contiguous, so that both are handed out as
// pointers into the map.
//
//   0    PageHeader        count, prefix_bytes, heap_begin, heap_live
//   64   u32 hint[16]      head number (i + 1) * count / 17; zero when count < 17
//   128  u32 head[count]   the 4 key bytes after the prefix, big-endian, padded with zeros
//        u16 offset[count] of the entry's record
//        free
//   heap_begin .. end      records: u16 key bytes, u16 value word, key, value
//
// Bit 15 of the value word: the value stands in pages of its own, and the record holds a reference
// to it; which kind of reference, its length says: an ExtentRef, or in multimaps the tree of a
// key's values (value_set.h). The other bits: bytes that the value takes in the record.
//
// Threads: as for any memory. Nothing here trusts the bytes of a page: what contradicts itself
// throws Damage before it is used, and no function touches memory outside the page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/endian.h"
#include "format/arrays.h"
#include "format/damage.h"
#include "format/page.h"
#include "format/value_set.h"

namespace quire::format {

inline constexpr std::uint32_t kLeafSlotBytes = 6;    // head and offset
inline constexpr std::uint32_t kLeafRecordBytes = 4;  // before key and value
inline constexpr std::uint32_t kValueInPages = 0x8000;

// Where the offset of entry `index` stands in a leaf with `count` entries.
inline constexpr std::uint32_t leaf_offset_at(std::uint32_t count, std::uint32_t index) noexcept {
  return kArraysOffset + count * 4 + index * 2;
}

// One entry. When read from a page, both views point into it.
struct LeafEntry {
  std::string_view key;
  std::string_view value;  // the value, or the bytes of the reference to it
  bool in_extent = false;  // the reference is an ExtentRef
  bool in_tree = false;    // it is one to a tree of values

  std::uint32_t record_bytes() const noexcept {
    return kLeafRecordBytes + static_cast<std::uint32_t>(key.size() + value.size());
  }

  // Requires in_extent.
  ExtentRef extent() const noexcept {
    ExtentRef reference;
    std::memcpy(&reference, value.data(), sizeof reference);
    return reference;
  }
};

// The stored bytes of a reference; valid as long as `extent`.
inline std::string_view extent_bytes(const ExtentRef& extent) noexcept {
  return {reinterpret_cast<const char*>(&extent), sizeof extent};
}

// Puts the bytes of an entry's record to `at`.
inline void store_leaf_record(std::byte* at, const LeafEntry& entry) noexcept {
  const bool in_pages = entry.in_extent || entry.in_tree;
  const auto value_word =
      static_cast<std::uint32_t>(entry.value.size()) | (in_pages ? kValueInPages : 0);
  store_le(at, static_cast<std::uint16_t>(entry.key.size()));
  store_le(at + 2, static_cast<std::uint16_t>(value_word));
  copy_bytes(at + kLeafRecordBytes, entry.key);
  copy_bytes(at + kLeafRecordBytes + entry.key.size(), entry.value);
}

// A leaf that is read. A small value; valid as long as the page's memory.
class LeafView {
 public:
  LeafView() = default;  // of no page: nothing but assigning is allowed

  // Judges what the header says about the page. `page` is 8-byte aligned.
  LeafView(const std::byte* page, std::uint32_t page_bytes);

  std::uint32_t count() const noexcept { return count_; }  // never 0
  std::uint32_t prefix_bytes() const noexcept { return prefix_bytes_; }
  std::uint32_t heap_begin() const noexcept { return heap_begin_; }
  std::uint32_t heap_live() const;
  std::uint32_t head(std::uint32_t index) const noexcept { return heads_[index]; }
  const std::byte* page() const noexcept { return page_; }

  // Bytes of the page's room that entries take; the rest is free or holes.
  std::uint32_t used_bytes() const { return count_ * kLeafSlotBytes + heap_live(); }

  LeafEntry entry(std::uint32_t index) const;
  std::string_view key(std::uint32_t index) const { return entry(index).key; }
  std::uint32_t record_offset(std::uint32_t index) const;

  // The entry with this key; nothing when absent.
  std::optional<LeafEntry> find(std::string_view key) const;

  // The two halves of a lookup: the first entry that may have this key, judged without looking at
  // records, or count() when none can; and the entry that has it, if any (else `entry` is
  // anything).
  std::uint32_t candidate(const SearchKey& key) const noexcept;
  bool find_from(std::uint32_t candidate, std::string_view key, LeafEntry& entry) const;

  // Starts loading the record of an entry.
  void prefetch_record(std::uint32_t index) const;

  // The first entry whose key is not less than `key`, or count(), and whether it has that very key.
  struct Position {
    std::uint32_t index;
    bool found;
  };
  Position lower_bound(std::string_view key) const;

 private:
  Position search(std::string_view key) const;
  std::uint32_t lower_bound(std::uint32_t head) const noexcept;
  static bool find_among_equals(const std::byte* page, std::uint32_t page_bytes,
                                std::string_view key, LeafEntry& entry);

  const std::byte* page_ = nullptr;
  const std::uint32_t* heads_ = nullptr;
  std::uint32_t page_bytes_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t prefix_bytes_ = 0;
  std::uint32_t heap_begin_ = 0;
  std::uint32_t heap_live_ = 0;
};

// Entries in order, taken from one or two leaves and one entry more: what a changed page is built
// from. The leaves' memory and the entry's outlive it.
class LeafSequence {
 public:
  static LeafSequence inserted(const LeafView& leaf, std::uint32_t index, const LeafEntry& entry);
  static LeafSequence replaced(const LeafView& leaf, std::uint32_t index, const LeafEntry& entry);
  static LeafSequence joined(const LeafView& left, const LeafView& right);

  std::uint32_t count() const noexcept { return count_; }
  LeafEntry entry(std::uint32_t index) const;

 private:
  LeafSequence(const LeafView& left, std::uint32_t index, const LeafEntry& middle,
               const LeafView& right, std::uint32_t right_skip);

  LeafView left_;  // entries before index_
  std::uint32_t index_;
  LeafEntry middle_;  // the entry at index_
  LeafView right_;    // entries after it, from right_skip_ on
  std::uint32_t right_skip_;
  std::uint32_t count_;
};

// The functions below change the page at `page` (page_bytes long, 8-byte aligned) and keep number,
// birth, kind, level and flags of its header. Keys and values they are given lie outside the page.
// An index that the page has no entry for means that it has changed since it was searched: Damage.

// Makes it a leaf with one entry, whatever it held.
void leaf_start(std::byte* page, std::uint32_t page_bytes, const LeafEntry& entry);

// Makes it a leaf with entries [first, last) of `entries`, which do not lie in this page. Throws
// Damage (naming this page) when they do not fit or are out of order.
void leaf_build(std::byte* page, std::uint32_t page_bytes, const LeafSequence& entries,
                std::uint32_t first, std::uint32_t last);

// Puts `entry` before entry `index` <= count. False, and nothing changes, when there is no room.
bool leaf_insert(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                 const LeafEntry& entry);

// Gives entry `index`, which has the key of `entry`, a new value. False, and nothing changes, when
// there is no room.
bool leaf_replace(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                  const LeafEntry& entry);

// Takes entry `index` out. An only entry cannot be taken out: empty leaves do not exist.
void leaf_erase(std::byte* page, std::uint32_t page_bytes, std::uint32_t index);

inline LeafView::LeafView(const std::byte* page, std::uint32_t page_bytes)
    : page_(page),
      heads_(reinterpret_cast<const std::uint32_t*>(page + kArraysOffset)),
      page_bytes_(page_bytes) {
  const PageHeader& header = header_of(page);
  count_ = header.entry_count;
  prefix_bytes_ = header.prefix_bytes;
  heap_begin_ = header.heap_begin;
  heap_live_ = header.heap_live;
  if (count_ == 0) [[unlikely]]
    damaged(page, "leaf without entries");
  if (heap_begin_ > page_bytes || kArraysOffset + count_ * kLeafSlotBytes > heap_begin_)
      [[unlikely]] {
    damaged(page, "leaf's entry count or heap exceeds the page");
  }
}

inline std::uint32_t LeafView::heap_live() const {
  if (heap_live_ > page_bytes_ - heap_begin_) [[unlikely]]
    damaged(page_, "leaf's records exceed its heap");
  return heap_live_;
}

inline std::uint32_t LeafView::record_offset(std::uint32_t index) const {
  if (index >= count_) [[unlikely]]
    damaged(page_, "leaf has fewer entries than its reader saw");
  return load_le<std::uint16_t>(page_ + leaf_offset_at(count_, index));
}

inline void LeafView::prefetch_record(std::uint32_t index) const {
  const std::byte* record = page_ + record_offset(index);
  __builtin_prefetch(record);
  __builtin_prefetch(record + kCacheLineBytes);
}

inline LeafEntry LeafView::entry(std::uint32_t index) const {
  const std::uint32_t offset = record_offset(index);
  if (offset < heap_begin_ || offset + kLeafRecordBytes > page_bytes_) [[unlikely]] {
    damaged(page_, "leaf's record lies outside the heap");
  }
  const std::uint32_t key_bytes = load_le<std::uint16_t>(page_ + offset);
  const std::uint32_t value_word = load_le<std::uint16_t>(page_ + offset + 2);
  const std::uint32_t value_bytes = value_word & ~kValueInPages;
  const bool in_extent = value_word == (kValueInPages | sizeof(ExtentRef));
  const bool in_tree = value_word == (kValueInPages | kSubTreeBytes);
  if (offset + kLeafRecordBytes + key_bytes + value_bytes > page_bytes_) [[unlikely]] {
    damaged(page_, "leaf's record exceeds the page");
  }
  if (key_bytes < prefix_bytes_) [[unlikely]] {
    damaged(page_, "leaf's key is shorter than the prefix");
  }
  if (value_word >= kValueInPages && !in_extent && !in_tree) [[unlikely]] {
    damaged(page_, "reference to a value of a wrong size");
  }
  const std::byte* key = page_ + offset + kLeafRecordBytes;
  return {view_of(key, key_bytes), view_of(key + key_bytes, value_bytes), in_extent, in_tree};
}

// The first head that is not less.
inline std::uint32_t LeafView::lower_bound(std::uint32_t head) const noexcept {
  // Where the heads are in the cache as soon as the hints would be. What is counted too many stands
  // in the page as well.
  if (count_ <= 2 * kHeadsAtOnce) [[likely]] {
    return std::min(count_less_twice(heads_, head), count_);
  }
  constexpr std::uint32_t kUnhintedCountMax = 48;
  const HeadRange range =
      count_ > kUnhintedCountMax ? hinted_range(page_, 0, count_, head) : HeadRange{0, count_};
  return lower_bound_head(heads_, range, count_, head);
}

// For keys that share the page's prefix; anything in range for others.
inline LeafView::Position LeafView::search(std::string_view key) const {
  const std::uint32_t head = head_of(key.data() + prefix_bytes_, key.size() - prefix_bytes_);
  std::uint32_t low = lower_bound(head);
  if (low == count_ || heads_[low] != head) return {low, false};
  const int first_order = this->key(low).compare(key);
  if (first_order >= 0) return {low, first_order == 0};
  ++low;
  for (std::uint32_t high = count_; low < high;) {
    // Neighbours with the same head are few unless keys differ only far behind the prefix.
    const std::uint32_t middle = heads_[low] != head ? low : low + (high - low) / 2;
    const int order = heads_[middle] != head ? 1 : this->key(middle).compare(key);
    if (order == 0) return {middle, true};
    if (order > 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return {low, false};
}

inline std::uint32_t LeafView::candidate(const SearchKey& key) const noexcept {
  if (key.bytes().size() < prefix_bytes_) [[unlikely]]
    return count_;
  const std::uint32_t head = key.head_after(prefix_bytes_);
  const std::uint32_t index = lower_bound(head);
  return index < count_ && heads_[index] == head ? index : count_;
}

inline bool LeafView::find_from(std::uint32_t candidate, std::string_view key,
                                LeafEntry& entry) const {
  if (candidate == count_) return false;
  entry = this->entry(candidate);
  if (is_equal(entry.key, key)) [[likely]]
    return true;
  if (candidate + 1 == count_ || heads_[candidate + 1] != heads_[candidate]) return false;
  return find_among_equals(page_, page_bytes_, key, entry);
}

inline std::optional<LeafEntry> LeafView::find(std::string_view key) const {
  LeafEntry entry;
  if (!find_from(candidate(SearchKey(key)), key, entry)) return std::nullopt;
  return entry;
}

}  // namespace quire::format
