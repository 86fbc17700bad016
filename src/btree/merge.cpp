#include "btree/merge.h"

#include <cstring>

#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchSequence;
using format::BranchView;
using format::LeafSequence;
using format::LeafView;
using format::PagePtr;
using format::TreeRoot;
using pages::PageSpace;
using pages::PageView;

// A page that uses less than one part in this of its room looks for a sibling to merge with.
constexpr std::uint32_t kUnderfullDivisor = 3;

}  // namespace

bool is_underfull(const std::byte* page, std::uint32_t page_bytes, std::uint32_t level) {
  const std::uint32_t used = level == 0 ? LeafView(page, page_bytes).used_bytes()
                                        : BranchView(page, page_bytes).used_bytes();
  return used * kUnderfullDivisor < format::page_room_bytes(page_bytes);
}

namespace {

// Puts the entries of leaves `left` and `right` into `page`. False when they do not fit.
bool join_leaves(std::byte* page, std::uint32_t page_bytes, const LeafView& left,
                 const LeafView& right) {
  if (left.used_bytes() + right.used_bytes() > format::page_room_bytes(page_bytes)) return false;
  const auto entries = LeafSequence::joined(left, right);
  format::leaf_build(page, page_bytes, entries, 0, entries.count());
  return true;
}

bool join_branches(std::byte* page, std::uint32_t page_bytes, const BranchView& left,
                   const format::Separator& between, const BranchView& right) {
  const auto children = BranchSequence::joined(left, between, right);
  if (!format::branch_fits(children, 0, children.count(), page_bytes)) return false;
  format::branch_build(page, page_bytes, children, 0, children.count());
  return true;
}

// Merges the path's page at `level` with the neighbour on one side, if both fit in one page. The
// page of the path keeps the result, so that no other has to be copied.
bool merge_with(PageSpace& space, TreeRoot& tree, const Path& path, std::uint32_t level,
                bool with_right) {
  const std::uint32_t page_bytes = space.view().page_bytes;
  const Path::Step& step = path.steps[level];
  const Path::Step& above = path.steps[level + 1];
  const BranchView parent(above.bytes, page_bytes);
  const std::uint32_t right_index = with_right ? above.index + 1 : above.index;
  const std::uint32_t sibling_index = with_right ? above.index + 1 : above.index - 1;
  const PagePtr sibling = parent.child(sibling_index);
  if (sibling.page == step.pointer.page) format::damaged(above.bytes, "branch has a child twice");

  alignas(64) std::byte copy[format::kPageBytesMax];
  std::memcpy(copy, step.bytes, page_bytes);
  const std::byte* other = space.verified(sibling, level);
  const std::byte* left = with_right ? copy : other;
  const std::byte* right = with_right ? other : copy;
  const bool merged =
      level == 0 ? join_leaves(step.bytes, page_bytes, {left, page_bytes}, {right, page_bytes})
                 : join_branches(step.bytes, page_bytes, {left, page_bytes},
                                 parent.separator(right_index), {right, page_bytes});
  if (!merged) return false;
  free_page(space, tree, sibling, level);
  if (!with_right) format::branch_set_child(above.bytes, page_bytes, sibling_index, step.pointer);
  format::branch_erase(above.bytes, page_bytes, right_index);
  return true;
}

}  // namespace

// One that this transaction has written if there is one, because that gives a page back at once;
// else the right one.
bool merge(PageSpace& space, TreeRoot& tree, const Path& path, std::uint32_t level) {
  const std::uint32_t page_bytes = space.view().page_bytes;
  if (!is_underfull(path.steps[level].bytes, page_bytes, level)) return false;
  const Path::Step& above = path.steps[level + 1];
  const BranchView parent(above.bytes, page_bytes);
  const bool has_left = above.index > 0;
  const bool has_right = above.index + 1 < parent.count();
  const auto is_new = [&](std::uint32_t index) {
    return parent.child(index).birth_low == static_cast<std::uint32_t>(space.txn().value);
  };
  const bool left_first =
      has_left && has_right && is_new(above.index - 1) && !is_new(above.index + 1);
  if (left_first && merge_with(space, tree, path, level, false)) return true;
  if (has_right && merge_with(space, tree, path, level, true)) return true;
  return has_left && !left_first && merge_with(space, tree, path, level, false);
}

void drop_single_child_roots(PageSpace& space, TreeRoot& tree) {
  const PageView& view = space.view();
  while (tree.height > 1) {
    const BranchView root(space.verified(tree.root, tree.height - 1u), view.page_bytes);
    if (root.count() > 1) return;
    const PagePtr child = root.child(0);
    free_page(space, tree, tree.root, tree.height - 1u);
    tree.root = child;
    --tree.height;
  }
}

}  // namespace quire::btree
