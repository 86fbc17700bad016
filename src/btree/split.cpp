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

// True when no page of the path has anything to its right.
bool is_right_edge(const Path& path, std::uint32_t height) noexcept {
  for (std::uint32_t level = 1; level < height; ++level) {
    if (path.steps[level].index + 1 != path.steps[level].count) return false;
  }
  return true;
}

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

// Not inlined: frees its stack before branches are split.
[[gnu::noinline]] void halve_leaf(std::byte* left, std::byte* right, std::uint32_t page_bytes,
                                  std::uint32_t index, const LeafEntry& entry, bool replaces) {
  alignas(64) std::byte copy[format::kPageBytesMax];
  std::memcpy(copy, left, page_bytes);
  const LeafView old(copy, page_bytes);
  const auto entries = replaces ? LeafSequence::replaced(old, index, entry)
                                : LeafSequence::inserted(old, index, entry);
  if (entries.count() < 2) format::damaged(left, "leaf's heap is said to be full and is not");
  const std::uint32_t middle = leaf_middle(entries);
  format::leaf_build(left, page_bytes, entries, 0, middle);
  format::leaf_build(right, page_bytes, entries, middle, entries.count());
}

// First child of the right half, given that the separator before it moves up; as near to the middle
// as both halves fit. A separator that breaks the common prefix, which only the first or last can,
// may make all others longer; then it is the one to move up, and leaves the others as they were. 0
// when nothing fits: the page has lied.
std::uint32_t branch_middle(const BranchSequence& children, std::uint32_t page_bytes) {
  const std::uint32_t count = children.count();
  const auto bytes_of = [&](std::uint32_t index) { return children.separator(index).size() + 14; };
  std::uint64_t total = 0;
  for (std::uint32_t i = 1; i < count; ++i) total += bytes_of(i);
  std::uint32_t wanted = 1;
  for (std::uint64_t left = 0; wanted + 1 < count; ++wanted) {
    left += bytes_of(wanted);
    if (left * 2 >= total) break;
  }
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
                                                char* buffer) {
  alignas(64) std::byte copy[format::kPageBytesMax];
  std::memcpy(copy, left, page_bytes);
  const auto children = BranchSequence::inserted(format::BranchView(copy, page_bytes), index,
                                                 Separator(separator), child);
  const std::uint32_t middle = branch_middle(children, page_bytes);
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

// Puts `child`, whose keys begin at `separator`, right of the path's page at level 0. `appends`: it
// is the last of all, and pages that it overfills are left as they are, because the next entries
// will come behind it as well.
void add_child(PageSpace& space, TreeRoot& tree, Path& path, std::string_view separator,
               PagePtr child, bool appends) {
  char buffer[kSeparatorBytesMax];
  const std::uint32_t page_bytes = space.view().page_bytes;
  for (std::uint32_t level = 1; level < tree.height; ++level) {
    const Path::Step& step = path.steps[level];
    const std::uint32_t index = step.index + 1;
    if (format::branch_insert(step.bytes, page_bytes, index, separator, child)) return;
    PagePtr right;
    std::byte* right_bytes = space.create(level, &right);
    ++tree.branch_pages;
    if (appends) {
      format::branch_start(right_bytes, page_bytes, child);
    } else {
      separator =
          halve_branch(step.bytes, right_bytes, page_bytes, index, separator, child, buffer);
    }
    child = right;
  }
  grow_root(space, tree, separator, child);
}

}  // namespace

void split_leaf(PageSpace& space, TreeRoot& tree, Path& path, const LeafEntry& entry,
                bool replaces) {
  const Path::Step& step = path.steps[0];
  const std::uint32_t page_bytes = space.view().page_bytes;
  PagePtr right;
  std::byte* right_bytes = space.create(0, &right);
  ++tree.leaf_pages;
  const bool appends = step.index == step.count && is_right_edge(path, tree.height);
  if (appends) {
    format::leaf_start(right_bytes, page_bytes, entry);
  } else {
    halve_leaf(step.bytes, right_bytes, page_bytes, step.index, entry, replaces);
  }
  const LeafView left_leaf(step.bytes, page_bytes);
  const std::string_view left_last = left_leaf.key(left_leaf.count() - 1);
  const std::string_view right_first = LeafView(right_bytes, page_bytes).key(0);
  const std::string_view separator =
      right_first.substr(0, format::common_prefix_bytes(left_last, right_first) + 1);
  add_child(space, tree, path, separator, right, appends);
}

}  // namespace quire::btree
