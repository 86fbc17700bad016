#include "btree/move.h"

#include "btree/path.h"
#include "btree/values.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::ExtentRef;
using format::LeafEntry;
using format::LeafView;
using format::PagePtr;

// Stays free: a page moved takes one for each branch above it that was not copied yet.
constexpr std::uint64_t kPagesKept = 2 * format::kTreeHeightMax;

class Move {
 public:
  // `visited` counts pages.
  Move(pages::PageSpace& space, bool has_extents, PageId limit, std::uint64_t& visited)
      : space_(space), has_extents_(has_extents), limit_(limit), visited_(visited) {}

  // Of a page and all below it. True when `pointer` names another page now.
  bool visit(PagePtr& pointer, std::uint32_t level) {
    const PagePtr before = pointer;
    if (++visited_ > space_.view().page_count)
      space_.view().corrupt(pointer.page, "the tree has more pages than the file");
    if (pointer.page >= limit_.value && has_room() && space_.has_free_below(PageId{pointer.page}))
      space_.writable(pointer, level);
    if (level > 0) {
      visit_children(pointer, level);
    } else if (has_extents_) {
      visit_extents(pointer);
    }
    return pointer != before;
  }

 private:
  bool has_room(std::uint32_t page_count = 0) const noexcept {
    return space_.free_pages() > kPagesKept + page_count;
  }

  void visit_children(PagePtr& pointer, std::uint32_t level) {
    const std::byte* bytes = space_.verified(pointer, level);
    const std::uint32_t count = BranchView(bytes, page_bytes()).count();
    for (std::uint32_t index = 0; index < count; ++index) {
      PagePtr child = BranchView(bytes, page_bytes()).child(index);
      if (level == 1 && !has_extents_ && child.page < limit_.value) continue;
      if (!visit(child, level - 1)) continue;
      std::byte* page = space_.writable(pointer, level);
      format::branch_set_child(page, page_bytes(), index, child);
      bytes = page;
    }
  }

  void visit_extents(PagePtr& pointer) {
    const std::byte* bytes = space_.verified(pointer, 0);
    const std::uint32_t count = LeafView(bytes, page_bytes()).count();
    for (std::uint32_t index = 0; index < count && has_room(); ++index) {
      LeafEntry entry = LeafView(bytes, page_bytes()).entry(index);
      if (entry.in_tree) {
        bytes = visit_values(pointer, bytes, index);
        continue;
      }
      if (!entry.in_extent || !reaches_limit(entry.extent())) continue;
      if (!has_room(entry.extent().page_count)) continue;
      const auto moved = space_.move_lower(entry.extent());
      if (!moved) continue;
      std::byte* page = space_.writable(pointer, 0);
      entry = LeafView(page, page_bytes()).entry(index);
      const std::string key(entry.key);
      format::leaf_replace(page, page_bytes(), index, {key, format::extent_bytes(*moved), true});
      bytes = page;
    }
  }

  // The tree of values of a leaf's entry. Returns the leaf's bytes, where they are now.
  const std::byte* visit_values(PagePtr& pointer, const std::byte* bytes, std::uint32_t index) {
    format::TreeRoot values = Values::of(bytes, LeafView(bytes, page_bytes()).entry(index)).tree;
    if (!Move(space_, false, limit_, visited_).visit(values.root, values.height - 1u)) return bytes;
    std::byte* page = space_.writable(pointer, 0);
    std::byte reference[format::kSubTreeBytes];
    encode_sub_tree(values, reference);
    const std::string key(LeafView(page, page_bytes()).key(index));
    format::leaf_replace(page, page_bytes(), index,
                         {key, format::view_of(reference, sizeof reference), false, true});
    return page;
  }

  bool reaches_limit(const ExtentRef& extent) const noexcept {
    return std::uint64_t{extent.first_page} + extent.page_count > limit_.value;
  }

  std::uint32_t page_bytes() const noexcept { return space_.view().page_bytes; }

  pages::PageSpace& space_;
  const bool has_extents_;
  const PageId limit_;
  std::uint64_t& visited_;
};

}  // namespace

bool move_below(pages::PageSpace& space, format::TreeRoot& tree, PageId limit) {
  if (!tree.root) return false;
  check_height(space.view(), tree.root, tree.height);
  return naming_file(space.view(), [&] {
    std::uint64_t visited = 0;
    return Move(space, tree.extent_pages > 0, limit, visited).visit(tree.root, tree.height - 1u);
  });
}

}  // namespace quire::btree
