// Branches: n children and the n - 1 separators between them. Child i holds the keys that are not
// less than separator i and less than separator i + 1; child 0 has no lower, the last no upper
// separator.
//
//   0    PageHeader        count (of children), prefix_bytes, heap_begin, heap_live
//   64   u32 hint[16]      head number (i + 1) * count / 17; zero when count < 17
//   128  prefix            what all separators begin with, stored once; padded to a multiple of 4
//        u32 head[count]   the 4 separator bytes after the prefix, big-endian, padded with zeros;
//                          head[0] = 0, unused
//        u16 tail[count]   0 to 4: the separator ends so many bytes after the prefix; else the
//                          offset of its record; tail[0] = 0, unused; padded to a multiple of 8
//        PagePtr child[count]
//        free
//   heap_begin .. end      records: u16 rest bytes, then the separator's bytes after prefix and
//                          head, at least one
//
// Separators are cut to what separates. A branch with a single child, without separators, is legal.
//
// Threads and trust: as in leaf.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/endian.h"
#include "format/arrays.h"
#include "format/damage.h"
#include "format/page.h"

namespace quire::format {

// A separator as pages store it: three pieces, one behind the other. Points into the page or key it
// was made from.
class Separator {
 public:
  Separator() = default;
  explicit Separator(std::string_view key) noexcept : prefix_(key) {}
  Separator(std::string_view prefix, std::uint32_t head, std::uint32_t head_bytes,
            std::string_view rest) noexcept
      : prefix_(prefix), rest_(rest), head_bytes_(head_bytes) {
    const std::uint32_t bytes = __builtin_bswap32(head);
    std::memcpy(head_, &bytes, sizeof head_);
  }

  std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(prefix_.size() + rest_.size()) + head_bytes_;
  }

  // Copies the bytes [offset, offset + count), which must exist, to `out`.
  void copy(std::uint32_t offset, std::uint32_t count, char* out) const noexcept;

  // Leading bytes that both share.
  static std::uint32_t common_prefix_bytes(const Separator& a, const Separator& b) noexcept;

 private:
  // What is left, at `offset`, of the piece that contains it; empty at the end.
  std::string_view piece_from(std::uint32_t offset) const noexcept;

  std::string_view prefix_;
  std::string_view rest_;
  char head_[4] = {};
  std::uint32_t head_bytes_ = 0;
};

// A branch that is read. A small value; valid as long as the page's memory.
class BranchView {
 public:
  // Judges what the header says about the page. `page` is 8-byte aligned.
  BranchView(const std::byte* page, std::uint32_t page_bytes);

  std::uint32_t count() const noexcept { return count_; }  // children, never 0
  std::uint32_t prefix_bytes() const noexcept { return prefix_bytes_; }
  std::uint32_t heap_begin() const noexcept { return heap_begin_; }
  std::uint32_t heap_live() const;
  std::uint32_t head(std::uint32_t index) const noexcept { return heads_[index]; }
  std::uint32_t tail(std::uint32_t index) const noexcept { return tails_[index]; }
  const std::byte* page() const noexcept { return page_; }
  std::string_view prefix() const noexcept { return view_of(page_ + kArraysOffset, prefix_bytes_); }

  // Bytes of the page's room that are in use; the rest is free or holes.
  std::uint32_t used_bytes() const;

  PagePtr child(std::uint32_t index) const;        // index < count
  Separator separator(std::uint32_t index) const;  // 1 <= index < count
  std::uint32_t record_bytes(
      std::uint32_t index) const;  // of separator `index` in the heap; may be 0

  // Index of the child that `key` belongs to.
  std::uint32_t search(const SearchKey& key) const;
  std::uint32_t search(std::string_view key) const { return search(SearchKey(key)); }

  // Starts loading the heads and pointers that `search` will look at.
  void prefetch_search(std::string_view key) const;

 private:
  std::string_view rest(std::uint32_t index) const;
  int compare_suffix(std::uint32_t index, std::string_view suffix) const;
  void prefetch_children(HeadRange range) const noexcept;

  const std::byte* page_;
  const std::uint32_t* heads_;
  const std::uint16_t* tails_;
  const PagePtr* children_;
  std::uint32_t page_bytes_;
  std::uint32_t count_;
  std::uint32_t prefix_bytes_;
  std::uint32_t heap_begin_;
  std::uint32_t heap_live_;
};

// Children and separators in order, taken from one or two branches and one child more: what a
// changed page is built from. The branches' memory and the separator's outlive it.
class BranchSequence {
 public:
  // `branch` with `child`, whose keys begin at `separator`, as child `index` >= 1.
  static BranchSequence inserted(const BranchView& branch, std::uint32_t index,
                                 const Separator& separator, PagePtr child);
  static BranchSequence joined(const BranchView& left, const Separator& between,
                               const BranchView& right);

  std::uint32_t count() const noexcept { return count_; }
  PagePtr child(std::uint32_t index) const;
  Separator separator(std::uint32_t index) const;

 private:
  BranchSequence(const BranchView& left, std::uint32_t index, const Separator& separator,
                 PagePtr child, const BranchView& right, std::uint32_t right_skip);

  BranchView left_;  // children before index_
  std::uint32_t index_;
  Separator separator_;  // child index_ and the separator before it
  PagePtr child_;
  BranchView right_;  // children after it, from right_skip_ on
  std::uint32_t right_skip_;
  std::uint32_t count_;
};

// The functions below change the page at `page` (page_bytes long, 8-byte aligned) and keep number,
// birth, kind, level and flags of its header. Separators they are given lie outside the page. An
// index that the page has no child for means that it has changed since it was searched: Damage.

// Whether children [first, last) of `children` fit in one page.
bool branch_fits(const BranchSequence& children, std::uint32_t first, std::uint32_t last,
                 std::uint32_t page_bytes);

// Makes it a branch with one child, whatever it held.
void branch_start(std::byte* page, std::uint32_t page_bytes, PagePtr child);

// Makes it a branch with children [first, last) of `children`, which do not lie in this page.
// Throws Damage (naming this page) when they do not fit or are out of order.
void branch_build(std::byte* page, std::uint32_t page_bytes, const BranchSequence& children,
                  std::uint32_t first, std::uint32_t last);

// Puts a child, whose keys begin at `separator`, before child `index` (1 <= index <= count). False,
// and nothing changes, when there is no room.
bool branch_insert(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                   std::string_view separator, PagePtr child);

// Points child `index` at another page.
void branch_set_child(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                      PagePtr child);

// Takes child `index` out; its keys' range falls to the child before it, or after it when it was
// the first. An only child cannot be taken out: empty branches do not exist.
void branch_erase(std::byte* page, std::uint32_t page_bytes, std::uint32_t index);

// Where the arrays of a branch stand.
struct BranchArrays {
  std::uint32_t heads;
  std::uint32_t tails;
  std::uint32_t children;
  std::uint32_t end;

  BranchArrays(std::uint32_t count, std::uint32_t prefix_bytes) noexcept
      : heads(kArraysOffset + ((prefix_bytes + 3) & ~3u)),
        tails(heads + count * 4),
        children((tails + count * 2 + 7) & ~7u),
        end(children + count * 8) {}

  std::uint32_t head(std::uint32_t index) const noexcept { return heads + index * 4; }
  std::uint32_t tail(std::uint32_t index) const noexcept { return tails + index * 2; }
  std::uint32_t child(std::uint32_t index) const noexcept { return children + index * 8; }
};

inline BranchView::BranchView(const std::byte* page, std::uint32_t page_bytes)
    : page_(page), page_bytes_(page_bytes) {
  const PageHeader& header = header_of(page);
  count_ = header.entry_count;
  prefix_bytes_ = header.prefix_bytes;
  heap_begin_ = header.heap_begin;
  heap_live_ = header.heap_live;
  const BranchArrays arrays(count_, prefix_bytes_);
  if (count_ == 0) [[unlikely]]
    damaged(page, "branch without children");
  if (heap_begin_ > page_bytes || arrays.end > heap_begin_) [[unlikely]] {
    damaged(page, "branch's child count, prefix or heap exceeds the page");
  }
  heads_ = reinterpret_cast<const std::uint32_t*>(page + arrays.heads);
  tails_ = reinterpret_cast<const std::uint16_t*>(page + arrays.tails);
  children_ = reinterpret_cast<const PagePtr*>(page + arrays.children);
}

inline std::uint32_t BranchView::heap_live() const {
  if (heap_live_ > page_bytes_ - heap_begin_) [[unlikely]]
    damaged(page_, "branch's separators exceed its heap");
  return heap_live_;
}

inline PagePtr BranchView::child(std::uint32_t index) const {
  if (index >= count_) [[unlikely]] {
    damaged(page_, "branch has fewer children than its reader saw");
  }
  std::uint64_t word;  // at once: compilers that are left alone use vector registers for it
  std::memcpy(&word, children_ + index, sizeof word);
  return std::bit_cast<PagePtr>(word);
}

// The bytes of a separator that do not end within its head.
inline std::string_view BranchView::rest(std::uint32_t index) const {
  const std::uint32_t offset = tails_[index];
  if (offset < heap_begin_ || offset + 2 > page_bytes_) [[unlikely]] {
    damaged(page_, "branch's separator lies outside the heap");
  }
  const std::uint32_t rest_bytes = load_le<std::uint16_t>(page_ + offset);
  if (rest_bytes == 0 || offset + 2 + rest_bytes > page_bytes_) [[unlikely]] {
    damaged(page_, "branch's separator exceeds the page");
  }
  return view_of(page_ + offset + 2, rest_bytes);
}

// Order of separator `index` to a key, given that both share prefix and head; `suffix` is the key
// after the prefix.
inline int BranchView::compare_suffix(std::uint32_t index, std::string_view suffix) const {
  const std::uint32_t tail = tails_[index];
  if (tail <= 4) {
    // Heads are padded with zeros, so of two that end inside them the longer one has zeros there
    // and is the greater.
    return suffix.size() > tail ? -1 : suffix.size() < tail ? 1 : 0;
  }
  return suffix.size() <= 4 ? 1 : rest(index).compare(suffix.substr(4));
}

// 8 pointers a line, and 11 heads mostly in question: the pointer is loaded while they are
// searched.
inline void BranchView::prefetch_children(HeadRange range) const noexcept {
  __builtin_prefetch(children_ + range.low - 1);
  __builtin_prefetch(children_ + range.high - 1);
}

inline void BranchView::prefetch_search(std::string_view key) const {
  if (key.size() < prefix_bytes_) return;
  const std::uint32_t head = head_of(key.data() + prefix_bytes_, key.size() - prefix_bytes_);
  const HeadRange range = hinted_range(page_, 1, count_, head);
  __builtin_prefetch(heads_ + range.low);
  __builtin_prefetch(heads_ + range.high);
  prefetch_children(range);
}

[[gnu::always_inline]] inline std::uint32_t BranchView::search(const SearchKey& key) const {
  // Also without a prefix: whether a page has one cannot be guessed.
  const int order = key.compare_prefix(page_ + kArraysOffset, prefix_bytes_);
  if (order != 0) [[unlikely]]
    return order < 0 ? 0 : count_ - 1;
  const std::uint32_t head = key.head_after(prefix_bytes_);
  const HeadRange range = hinted_range(page_, 1, count_, head);
  prefetch_children(range);
  std::uint32_t low = lower_bound_head(heads_, range, count_, head);
  // Separators before `low` are less than the key. Find the first that is greater; the key belongs
  // before it.
  if (low == count_ || heads_[low] != head) [[likely]]
    return low - 1;
  std::string_view suffix = key.bytes();
  suffix.remove_prefix(prefix_bytes_);
  for (std::uint32_t high = count_; low < high;) {
    const std::uint32_t middle = heads_[low] != head ? low : low + (high - low) / 2;
    if (heads_[middle] != head || compare_suffix(middle, suffix) > 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low - 1;
}

}  // namespace quire::format
