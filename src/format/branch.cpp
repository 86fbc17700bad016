#include "format/branch.h"

#include <algorithm>

#include "base/assert.h"

namespace quire::format {
namespace {

// Heap bytes of a separator that has `suffix_bytes` after the prefix.
std::uint32_t heap_bytes(std::uint32_t suffix_bytes) noexcept {
  return suffix_bytes <= 4 ? 0 : 2 + suffix_bytes - 4;
}

std::uint32_t head_of_separator(const Separator& separator, std::uint32_t prefix_bytes) noexcept {
  char bytes[4] = {};
  const std::uint32_t size = std::min<std::uint32_t>(separator.size() - prefix_bytes, 4);
  separator.copy(prefix_bytes, size, bytes);
  return head_of(bytes, 4);
}

std::uint32_t prefix_of(const BranchSequence& children, std::uint32_t first, std::uint32_t last) {
  if (last - first < 2) return 0;
  return Separator::common_prefix_bytes(children.separator(first + 1),
                                        children.separator(last - 1));
}

// Writes what lies behind the prefix of a separator: the head, and record or length. `heap_end` is
// where its record ends; returns where it begins.
std::uint32_t store_separator(std::byte* page, const BranchArrays& arrays, std::uint32_t index,
                              const Separator& separator, std::uint32_t prefix_bytes,
                              std::uint32_t heap_end) noexcept {
  const std::uint32_t suffix_bytes = separator.size() - prefix_bytes;
  const std::uint32_t heap_begin = heap_end - heap_bytes(suffix_bytes);
  std::uint32_t tail = suffix_bytes;
  if (suffix_bytes > 4) {
    const std::uint32_t rest_bytes = suffix_bytes - 4;
    tail = heap_begin;
    store_le(page + tail, static_cast<std::uint16_t>(rest_bytes));
    separator.copy(prefix_bytes + 4, rest_bytes, reinterpret_cast<char*>(page + tail + 2));
  }
  store_le(page + arrays.head(index), head_of_separator(separator, prefix_bytes));
  store_le(page + arrays.tail(index), static_cast<std::uint16_t>(tail));
  return heap_begin;
}

void store_child(std::byte* page, const BranchArrays& arrays, std::uint32_t index,
                 PagePtr child) noexcept {
  std::memcpy(page + arrays.child(index), &child, sizeof child);
}

void store_hints(std::byte* page, const BranchArrays& arrays, std::uint32_t count) noexcept {
  format::store_hints(page, reinterpret_cast<const std::uint32_t*>(page + arrays.heads), count);
}

// Not inlined: its caller rarely needs so much stack.
[[gnu::noinline]] void rebuild_with(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                                    const Separator& separator, PagePtr child) {
  alignas(64) std::byte copy[kPageBytesMax];
  std::memcpy(copy, page, page_bytes);
  const auto children =
      BranchSequence::inserted(BranchView(copy, page_bytes), index, separator, child);
  branch_build(page, page_bytes, children, 0, children.count());
}

}  // namespace

std::string_view Separator::piece_from(std::uint32_t offset) const noexcept {
  if (offset < prefix_.size()) return prefix_.substr(offset);
  offset -= static_cast<std::uint32_t>(prefix_.size());
  if (offset < head_bytes_) return {head_ + offset, head_bytes_ - offset};
  return rest_.substr(std::min<std::size_t>(offset - head_bytes_, rest_.size()));
}

void Separator::copy(std::uint32_t offset, std::uint32_t count, char* out) const noexcept {
  while (count > 0) {
    const std::string_view piece = piece_from(offset).substr(0, count);
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
    offset += static_cast<std::uint32_t>(piece.size());
    count -= static_cast<std::uint32_t>(piece.size());
  }
}

std::uint32_t Separator::common_prefix_bytes(const Separator& a, const Separator& b) noexcept {
  std::uint32_t shared = 0;
  while (true) {
    const std::string_view left = a.piece_from(shared);
    const std::string_view right = b.piece_from(shared);
    const std::size_t compared = std::min(left.size(), right.size());
    const std::uint32_t equal = format::common_prefix_bytes(left, right);
    shared += equal;
    if (compared == 0 || equal < compared) return shared;
  }
}

std::uint32_t BranchView::used_bytes() const {
  return BranchArrays(count_, prefix_bytes_).end - kArraysOffset + heap_live();
}

Separator BranchView::separator(std::uint32_t index) const {
  if (index == 0 || index >= count_)
    damaged(page_, "branch has fewer children than its reader saw");
  const std::uint32_t tail = tails_[index];
  const std::string_view rest = tail <= 4 ? std::string_view{} : this->rest(index);
  const Separator separator(prefix(), heads_[index], std::min<std::uint32_t>(tail, 4), rest);
  if (separator.size() > key_bytes_max(page_bytes_)) {
    damaged(page_, "branch's separator is longer than a key may be");
  }
  return separator;
}

std::uint32_t BranchView::record_bytes(std::uint32_t index) const {
  return tails_[index] <= 4 ? 0 : 2 + static_cast<std::uint32_t>(rest(index).size());
}

BranchSequence::BranchSequence(const BranchView& left, std::uint32_t index,
                               const Separator& separator, PagePtr child, const BranchView& right,
                               std::uint32_t right_skip)
    : left_(left),
      index_(index),
      separator_(separator),
      child_(child),
      right_(right),
      right_skip_(right_skip),
      count_(index + 1 + right.count() - right_skip) {}

BranchSequence BranchSequence::inserted(const BranchView& branch, std::uint32_t index,
                                        const Separator& separator, PagePtr child) {
  if (index < 1 || index > branch.count()) {
    damaged(branch.page(), "branch has fewer children than its reader saw");
  }
  return {branch, index, separator, child, branch, index};
}

BranchSequence BranchSequence::joined(const BranchView& left, const Separator& between,
                                      const BranchView& right) {
  return {left, left.count(), between, right.child(0), right, 1};
}

PagePtr BranchSequence::child(std::uint32_t index) const {
  if (index < index_) return left_.child(index);
  if (index == index_) return child_;
  return right_.child(index - index_ - 1 + right_skip_);
}

Separator BranchSequence::separator(std::uint32_t index) const {
  if (index < index_) return left_.separator(index);
  if (index == index_) return separator_;
  return right_.separator(index - index_ - 1 + right_skip_);
}

bool branch_fits(const BranchSequence& children, std::uint32_t first, std::uint32_t last,
                 std::uint32_t page_bytes) {
  const std::uint32_t prefix_bytes = prefix_of(children, first, last);
  std::uint32_t end = BranchArrays(last - first, prefix_bytes).end;
  for (std::uint32_t i = first + 1; i < last && end <= page_bytes; ++i) {
    const std::uint32_t size = children.separator(i).size();
    end +=
        size < prefix_bytes ? 0 : heap_bytes(size - prefix_bytes);  // branch_build finds the damage
  }
  return end <= page_bytes;
}

void branch_start(std::byte* page, std::uint32_t page_bytes, PagePtr child) {
  const BranchArrays arrays(1, 0);
  store_le(page + arrays.heads, std::uint32_t{0});
  store_le(page + arrays.tails, std::uint16_t{0});
  store_child(page, arrays, 0, child);
  store_hints(page, arrays, 1);
  PageHeader& header = header_of(page);
  header.entry_count = 1;
  header.prefix_bytes = 0;
  header.heap_begin = page_bytes;
  header.heap_live = 0;
}

void branch_build(std::byte* page, std::uint32_t page_bytes, const BranchSequence& children,
                  std::uint32_t first, std::uint32_t last) {
  QUIRE_ASSERT(first < last && last <= children.count());
  branch_start(page, page_bytes, children.child(first));
  const std::uint32_t count = last - first;
  if (count == 1) return;
  const std::uint32_t prefix_bytes = prefix_of(children, first, last);
  const BranchArrays arrays(count, prefix_bytes);
  std::uint32_t heap_begin = page_bytes;
  if (arrays.end > page_bytes) damaged(page, "children of a branch take more than a page");
  store_le(page + arrays.heads, std::uint32_t{0});
  store_le(page + arrays.tails, std::uint16_t{0});
  store_child(page, arrays, 0, children.child(first));
  for (std::uint32_t i = 1; i < count; ++i) {
    const Separator separator = children.separator(first + i);
    // Sizes were judged by heap_live, which a damaged page may have got wrong; order decides the
    // prefix.
    if (separator.size() < prefix_bytes) damaged(page, "separators of a branch are out of order");
    if (arrays.end + heap_bytes(separator.size() - prefix_bytes) > heap_begin) {
      damaged(page, "separators of a branch take more than its heap");
    }
    heap_begin = store_separator(page, arrays, i, separator, prefix_bytes, heap_begin);
    store_child(page, arrays, i, children.child(first + i));
    if (i == 1) separator.copy(0, prefix_bytes, reinterpret_cast<char*>(page + kArraysOffset));
  }
  store_hints(page, arrays, count);
  PageHeader& header = header_of(page);
  header.entry_count = static_cast<std::uint16_t>(count);
  header.prefix_bytes = static_cast<std::uint16_t>(prefix_bytes);
  header.heap_begin = heap_begin;
  header.heap_live = page_bytes - heap_begin;
}

bool branch_insert(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                   std::string_view separator, PagePtr child) {
  const BranchView branch(page, page_bytes);
  const std::uint32_t count = branch.count();
  const std::uint32_t prefix_bytes = branch.prefix_bytes();
  const Separator added(separator);
  if (index < 1 || index > count) damaged(page, "branch has fewer children than its reader saw");
  const BranchArrays to(count + 1, prefix_bytes);
  const bool keeps_prefix = count > 1 && separator.substr(0, prefix_bytes) == branch.prefix();
  if (!keeps_prefix || to.end + heap_bytes(added.size() - prefix_bytes) > branch.heap_begin()) {
    const auto children = BranchSequence::inserted(branch, index, added, child);
    if (!branch_fits(children, 0, children.count(), page_bytes)) return false;
    rebuild_with(page, page_bytes, index, added, child);
    return true;
  }
  const BranchArrays from(count, prefix_bytes);
  open_gap(page + to.children, page + from.children, 8, count, index);
  open_gap(page + to.tails, page + from.tails, 2, count, index);
  open_gap(page + to.heads, page + from.heads, 4, count, index);
  PageHeader& header = header_of(page);
  const std::uint32_t heap_begin =
      store_separator(page, to, index, added, prefix_bytes, branch.heap_begin());
  store_child(page, to, index, child);
  store_hints(page, to, count + 1);
  header.entry_count = static_cast<std::uint16_t>(count + 1);
  header.heap_live += branch.heap_begin() - heap_begin;
  header.heap_begin = heap_begin;
  return true;
}

void branch_set_child(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                      PagePtr child) {
  const BranchView branch(page, page_bytes);
  if (index >= branch.count()) damaged(page, "branch has fewer children than its reader saw");
  store_child(page, BranchArrays(branch.count(), branch.prefix_bytes()), index, child);
}

void branch_erase(std::byte* page, std::uint32_t page_bytes, std::uint32_t index) {
  const BranchView branch(page, page_bytes);
  const std::uint32_t count = branch.count();
  if (index >= count || count == 1) {
    damaged(page, "branch has fewer children than its reader saw");
  }
  if (count == 2) {
    branch_start(page, page_bytes, branch.child(1 - index));
    return;
  }
  const std::uint32_t separator_index = std::max(index, 1u);
  const std::uint32_t record_bytes = branch.record_bytes(separator_index);
  if (record_bytes > branch.heap_live()) damaged(page, "branch's separators exceed its heap");
  PageHeader& header = header_of(page);
  if (branch.tail(separator_index) == branch.heap_begin()) header.heap_begin += record_bytes;
  header.heap_live -= record_bytes;
  header.entry_count = static_cast<std::uint16_t>(count - 1);
  const BranchArrays from(count, branch.prefix_bytes());
  const BranchArrays to(count - 1, branch.prefix_bytes());
  close_gap(page + to.heads, page + from.heads, 4, count, separator_index);
  close_gap(page + to.tails, page + from.tails, 2, count, separator_index);
  close_gap(page + to.children, page + from.children, 8, count, index);
  store_hints(page, to, count - 1);
}

}  // namespace quire::format
