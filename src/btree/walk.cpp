#include "btree/walk.h"

#include "base/test_points.h"
#include "btree/path.h"
#include "btree/values.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::LeafEntry;
using format::LeafView;
using format::PagePtr;
using pages::PageView;

class Walk {
 public:
  Walk(const PageView& view, Visitor& visitor, std::uint64_t& visited, bool is_of_values)
      : view_(view), visitor_(visitor), visited_(visited), is_of_values_(is_of_values) {}

  void run(PagePtr root, std::uint32_t height) {
    std::uint32_t level = height - 1;
    if (!visit(root, level)) return;
    while (level < height) {
      const BranchView branch(open_[level].bytes, view_.page_bytes);
      if (open_[level].next_child == branch.count()) {
        ++level;
        continue;
      }
      if (visit(branch.child(open_[level].next_child++), level - 1)) --level;
    }
  }

 private:
  struct Open {
    const std::byte* bytes;
    std::uint32_t next_child;
  };

  // True when the page is a branch and now open at its level.
  bool visit(PagePtr pointer, std::uint32_t level) {
    if (!visitor_.enter(pointer, level)) return false;
    // Levels end every way down; this ends the walk where many ways lead to the same page.
    if (++visited_ > view_.page_count)
      view_.corrupt(pointer.page, "the tree has more pages than the file");
    const std::byte* bytes = view_.read(pointer, level);
    if (!visitor_.page(PageId{pointer.page}, bytes, level)) return false;
    if (level > 0) {
      open_[level] = {bytes, 0};
      return true;
    }
    visit_leaf(LeafView(bytes, view_.page_bytes));
    return false;
  }

  void visit_leaf(const LeafView& leaf) {
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      const LeafEntry entry = leaf.entry(i);
      if (!entry.in_extent && !entry.in_tree) continue;
      if (is_of_values_) format::damaged(leaf.page(), "a tree of values refers to other pages");
      if (entry.in_extent) {
        visitor_.extent(entry.extent(), entry.key);
      } else if (!sabotaged("values_of_keys_not_walked")) {
        const format::TreeRoot values = Values::of(leaf.page(), entry).tree;
        Walk(view_, visitor_, visited_, true).run(values.root, values.height);
      }
    }
  }

  const PageView& view_;
  Visitor& visitor_;
  std::uint64_t& visited_;
  const bool is_of_values_;            // of one key of a multimap
  Open open_[format::kTreeHeightMax];  // branches whose children are being visited, by level
};

}  // namespace

void walk(const PageView& view, const format::TreeRoot& tree, Visitor& visitor) {
  if (!tree.root) return;
  check_height(view, tree.root, tree.height);
  std::uint64_t visited = 0;
  naming_file(view, [&] { Walk(view, visitor, visited, false).run(tree.root, tree.height); });
}

}  // namespace quire::btree
