#include <quire/error.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "btree/path.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchSequence;
using format::LeafEntry;
using format::LeafSequence;
using format::LeafView;
using format::PagePtr;
using format::Separator;
using format::TreeRoot;
using pages::PageSpace;

constexpr std::uint32_t kSeparatorBytesMax = format::key_bytes_max(format::kPageBytesMax);

// So many new entries, each right behind the one before it, make it likely that more will follow.
constexpr std::uint32_t kRunCountMin = 3;

// Entries for the left half. The one nearest to equal halves: no entry takes more than half of the
// room and together they overfill a page by one entry at most, so both halves fit.
std::uint32_t leaf_middle(const LeafSequence& entries) {
  const std::uint32_t count = entries.count();
  const auto bytes_of = [&](std::uint32_t index) {
    return format::kLeafSlotBytes + entries.entry(index).record_bytes();
  };
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) total += bytes_of(i);
  std::uint32_t left = bytes_of(0);
  std::uint32_t middle = 1;
  for (; middle + 1 < count; ++middle) {
    const std::uint32_t next = left + bytes_of(middle);
    if (next > total / 2 && next - total / 2 >= total / 2 - std::min(left, total / 2)) break;
    left = next;
  }
  return middle;
}

bool fits_in_leaf(const LeafSequence& entries, std::uint32_t count, std::uint32_t page_bytes) {
  std::uint32_t bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    bytes += format::kLeafSlotBytes + entries.entry(i).record_bytes();
  }
  return bytes <= format::page_room_bytes(page_bytes);
}

// Cuts behind `wanted` entries if they fit, else (and for 0) in the middle. Not inlined: frees its
// stack before branches are split.
[[gnu::noinline]] void halve_leaf(std::byte* left, std::byte* right, std::uint32_t page_bytes,
                                  std::uint32_t index, const LeafEntry& entry, bool replaces,
                                  std::uint32_t wanted) {
  alignas(64) std::byte copy[format::kPageBytesMax];
  std::memcpy(copy, left, page_bytes);
  const LeafView old(copy, page_bytes);
  const auto entries = replaces ? LeafSequence::replaced(old, index, entry)
                                : LeafSequence::inserted(old, index, entry);
  if (entries.count() < 2) format::damaged(left, "leaf's heap is said to be full and is not");
  const bool is_wanted = wanted != 0 && fits_in_leaf(entries, wanted, page_bytes);
  const std::uint32_t middle = is_wanted ? wanted : leaf_middle(entries);
  format::leaf_build(left, page_bytes, entries, 0, middle);
  format::leaf_build(right, page_bytes, entries, middle, entries.count());
}

// First child of the right half when both are to take as many bytes.
std::uint32_t branch_half(const BranchSequence& children) {
  const std::uint32_t count = children.count();
  const auto bytes_of = [&](std::uint32_t index) { return children.separator(index).size() + 14; };
  std::uint64_t total = 0;
  for (std::uint32_t i = 1; i < count; ++i) total += bytes_of(i);
  std::uint32_t half = 1;
  for (std::uint64_t left = 0; half + 1 < count; ++half) {
    left += bytes_of(half);
    if (left * 2 >= total) break;
  }
  return half;
}

// First child of the right half, given that the separator before it moves up; as near to `wanted`
// (0: the middle) as both halves fit. A separator that breaks the common prefix, which only the
// first or last can, may make all others longer; then it is the one to move up, and leaves the
// others as they were. 0 when nothing fits: the page has lied.
std::uint32_t branch_middle(const BranchSequence& children, std::uint32_t page_bytes,
                            std::uint32_t wanted) {
  const std::uint32_t count = children.count();
  if (wanted == 0) wanted = branch_half(children);
  const auto fits = [&](std::uint32_t middle) {
    return middle >= 1 && middle < count && format::branch_fits(children, 0, middle, page_bytes) &&
           format::branch_fits(children, middle, count, page_bytes);
  };
  for (std::uint32_t distance = 0; distance < count; ++distance) {
    if (fits(wanted + distance)) return wanted + distance;
    if (fits(wanted - distance)) return wanted - distance;
  }
  return 0;
}

// Splits a branch that `child` comes into; returns the separator to move up, which is `separator`
// or lies in `buffer`. `separator` may lie in `buffer` too. Not inlined: its caller rarely needs so
// much stack.
[[gnu::noinline]] std::string_view halve_branch(std::byte* left, std::byte* right,
                                                std::uint32_t page_bytes, std::uint32_t index,
                                                std::string_view separator, PagePtr child,
                                                std::uint32_t wanted, char* buffer) {
  alignas(64) std::byte copy[format::kPageBytesMax];
  std::memcpy(copy, left, page_bytes);
  const auto children = BranchSequence::inserted(format::BranchView(copy, page_bytes), index,
                                                 Separator(separator), child);
  const std::uint32_t middle = branch_middle(children, page_bytes, wanted);
  if (middle == 0) format::damaged(left, "branch's separators cannot be split");
  format::branch_build(left, page_bytes, children, 0, middle);
  format::branch_build(right, page_bytes, children, middle, children.count());
  if (middle == index) return separator;
  const Separator up = children.separator(middle);
  up.copy(0, up.size(), buffer);
  return {buffer, up.size()};
}

void grow_root(PageSpace& space, TreeRoot& tree, std::string_view separator, PagePtr child) {
  if (tree.height == format::kTreeHeightMax) {
    throw Error(Errc::no_space, std::string(space.view().file) +
                                    ": a table has reached the greatest height of a tree");
  }
  PagePtr root;
  std::byte* bytes = space.create(tree.height, &root);
  const std::uint32_t page_bytes = space.view().page_bytes;
  format::branch_start(bytes, page_bytes, tree.root);
  const bool fits = format::branch_insert(bytes, page_bytes, 1, separator, child);
  QUIRE_ASSERT(fits);
  tree.root = root;
  ++tree.height;
  ++tree.branch_pages;
}

// Where an overfull leaf is cut, as entries for the left half.
enum class Cut { middle, before_entry, behind_entry };

Cut choose_cut(const Finger& finger, std::uint32_t height, bool replaces) {
  const Path::Step& step = finger.path.steps[0];
  if (replaces) return Cut::middle;
  const bool is_run = finger.run_count >= kRunCountMin;
  if (step.index < step.count) return is_run ? Cut::behind_entry : Cut::middle;
  return is_run || is_right_edge(finger.path, height) ? Cut::before_entry : Cut::middle;
}

// Splits the path's leaf, and goes on from where its entry is now.
void split_leaf(PageSpace& space, TreeRoot& tree, Finger& finger, const LeafEntry& entry,
                bool replaces) {
  Path& path = finger.path;
  const Path::Step step = path.steps[0];
  const std::uint32_t page_bytes = space.view().page_bytes;
  const Cut cut = choose_cut(finger, tree.height, replaces);
  PagePtr right;
  std::byte* right_bytes = space.create(0, &right);
  ++tree.leaf_pages;
  if (cut == Cut::before_entry) {
    format::leaf_start(right_bytes, page_bytes, entry);
  } else {
    halve_leaf(step.bytes, right_bytes, page_bytes, step.index, entry, replaces,
               cut == Cut::behind_entry ? step.index + 1 : 0);
  }
  const std::string_view separator =
      separator_between({step.bytes, page_bytes}, {right_bytes, page_bytes});
  const bool is_run = cut != Cut::middle;
  const std::uint32_t level = add_child(space, tree, path, separator, right, is_run);
  if (level != 1 || tree.height == 1 || cut != Cut::before_entry) {
    finger.forget();
    return;
  }
  ++path.steps[1].index;
  ++path.steps[1].count;
  path.steps[0] = {right, 0, 1, right_bytes};
}

}  // namespace

bool is_right_edge(const Path& path, std::uint32_t height) noexcept {
  for (std::uint32_t level = 1; level < height; ++level) {
    if (path.steps[level].index + 1 != path.steps[level].count) return false;
  }
  return true;
}

std::uint32_t add_child(PageSpace& space, TreeRoot& tree, const Path& path,
                        std::string_view separator, PagePtr child, bool is_run) {
  char buffer[kSeparatorBytesMax];
  const std::uint32_t page_bytes = space.view().page_bytes;
  std::uint32_t level = 1;
  for (; level < tree.height; ++level) {
    const Path::Step& step = path.steps[level];
    const std::uint32_t index = step.index + 1;
    if (format::branch_insert(step.bytes, page_bytes, index, separator, child)) return level;
    PagePtr right;
    std::byte* right_bytes = space.create(level, &right);
    ++tree.branch_pages;
    if (is_run && index == step.count) {
      format::branch_start(right_bytes, page_bytes, child);
    } else {
      separator = halve_branch(step.bytes, right_bytes, page_bytes, index, separator, child,
                               is_run ? index + 1 : 0, buffer);
    }
    child = right;
  }
  grow_root(space, tree, separator, child);
  return level;
}

std::string_view separator_between(const LeafView& left, const LeafView& right) {
  const std::string_view left_last = left.key(left.count() - 1);
  const std::string_view right_first = right.key(0);
  return right_first.substr(0, format::common_prefix_bytes(left_last, right_first) + 1);
}

void make_room_in_leaf(PageSpace& space, TreeRoot& tree, Finger& finger, const LeafEntry& entry,
                       bool replaces) {
  const bool may_share =
      tree.height > 1 && choose_cut(finger, tree.height, replaces) == Cut::middle && !replaces;
  if (may_share && share_with_sibling(space, finger.path, entry)) {
    finger.forget();
  } else {
    split_leaf(space, tree, finger, entry, replaces);
  }
}

}  // namespace quire::btree
