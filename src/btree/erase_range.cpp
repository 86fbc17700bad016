#include "btree/erase_range.h"

#include "base/assert.h"
#include "btree/merge.h"
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
using format::TreeRoot;
using pages::PageSpace;

// What of the range ends below a page: nothing where all that is below lies within.
struct Ends {
  std::optional<Bytes> first;
  std::optional<Bytes> limit;
};

// What has gone.
struct Erased {
  std::uint64_t entries = 0;
  std::uint64_t pairs = 0;  // of a multimap, whose entries are keys
};

// Takes the entries of a range out, from the top down. Pages that stay keep at least one entry or
// child, but may be underfull.
class Cut {
 public:
  Cut(PageSpace& space, TreeRoot& tree, bool is_multimap)
      : space_(space), tree_(tree), is_multimap_(is_multimap) {}

  const Erased& erased() const noexcept { return erased_; }

  // Below `pointer`, which names another page afterwards if that had to be copied. False when
  // nothing is left of it: its life has ended.
  bool visit(PagePtr& pointer, std::uint32_t level, const Ends& ends) {
    if (!ends.first && !ends.limit) {
      drop(tree_, pointer, level);
      return false;
    }
    return level == 0 ? visit_leaf(pointer, ends) : visit_branch(pointer, level, ends);
  }

 private:
  std::uint32_t page_bytes() const noexcept { return space_.view().page_bytes; }

  bool visit_leaf(PagePtr& pointer, const Ends& ends) {
    const LeafView leaf(space_.verified(pointer, 0), page_bytes());
    const std::uint32_t count = leaf.count();
    const std::uint32_t first = ends.first ? leaf.lower_bound(*ends.first).index : 0;
    const std::uint32_t limit = ends.limit ? leaf.lower_bound(*ends.limit).index : count;
    if (first >= limit) return true;
    release(leaf, first, limit);
    if (limit - first == count) {
      free_page(space_, tree_, pointer, 0);
      return false;
    }
    std::byte* page = space_.writable(pointer, 0);
    for (std::uint32_t index = limit; index-- > first;) {
      format::leaf_erase(page, page_bytes(), index);
    }
    return true;
  }

  bool visit_branch(PagePtr& pointer, std::uint32_t level, const Ends& ends) {
    const BranchView branch(space_.verified(pointer, level), page_bytes());
    const std::uint32_t count = branch.count();
    const std::uint32_t left = ends.first ? branch.search(*ends.first) : 0;
    const std::uint32_t right = ends.limit ? branch.search(*ends.limit) : count - 1;
    if (left > right) return true;
    PagePtr edges[2] = {branch.child(left), branch.child(right)};
    bool stays[2] = {};
    if (left == right) {
      stays[0] = stays[1] = visit(edges[0], level - 1, ends);
      edges[1] = edges[0];
    } else {
      stays[0] = visit(edges[0], level - 1, {ends.first, {}});
      stays[1] = visit(edges[1], level - 1, {{}, ends.limit});
    }
    for (std::uint32_t index = left + 1; index < right; ++index) {
      drop(tree_, branch.child(index), level - 1);
    }
    // Children [gone_first, gone_limit) are no more.
    const std::uint32_t gone_first = stays[0] ? left + 1 : left;
    const std::uint32_t gone_limit = stays[1] ? right : right + 1;
    if (gone_first == 0 && gone_limit == count) {
      free_page(space_, tree_, pointer, level);
      return false;
    }
    const bool is_same = gone_first >= gone_limit && edges[0] == branch.child(left) &&
                         edges[1] == branch.child(right);
    if (is_same) return true;
    std::byte* page = space_.writable(pointer, level);
    if (stays[0]) format::branch_set_child(page, page_bytes(), left, edges[0]);
    if (stays[1]) format::branch_set_child(page, page_bytes(), right, edges[1]);
    for (std::uint32_t index = gone_limit; index-- > gone_first;) {
      format::branch_erase(page, page_bytes(), index);
    }
    return true;
  }

  // A page of the tree, or of one of its trees of values, and all below it. Pages are freed before
  // what is below them is read from them: nothing is allocated meanwhile, so their bytes stay.
  void drop(TreeRoot& of, PagePtr pointer, std::uint32_t level) {
    // Levels end every way down; this ends what many ways lead to in a damaged file.
    if (++dropped_ > space_.view().page_count)
      space_.view().corrupt(pointer.page, "the tree has more pages than the file");
    const std::byte* bytes = space_.verified(pointer, level);
    free_page(space_, of, pointer, level);
    if (level == 0) {
      const bool is_of_values = &of != &tree_;
      if (is_of_values) return;
      const LeafView leaf(bytes, page_bytes());
      return release(leaf, 0, leaf.count());
    }
    const BranchView branch(bytes, page_bytes());
    for (std::uint32_t index = 0; index < branch.count(); ++index) {
      if (index + 1 < branch.count()) prefetch(space_.view(), branch.child(index + 1), level - 1);
      drop(of, branch.child(index), level - 1);
    }
  }

  // What entries [first, limit) of a leaf refer to.
  void release(const LeafView& leaf, std::uint32_t first, std::uint32_t limit) {
    erased_.entries += limit - first;
    if (!is_multimap_ && tree_.extent_pages == 0) return;
    for (std::uint32_t index = first; index < limit; ++index) {
      const LeafEntry entry = leaf.entry(index);
      if (is_multimap_) {
        drop_values(Values::of(leaf.page(), entry));
      } else {
        free_value(space_, tree_, entry);
      }
    }
  }

  void drop_values(const Values& values) {
    erased_.pairs += values.count();
    if (values.set) return;
    tree_.extent_pages -= pages_of(values.tree);
    TreeRoot dropped = values.tree;
    drop(dropped, dropped.root, dropped.height - 1u);
  }

  PageSpace& space_;
  TreeRoot& tree_;
  const bool is_multimap_;
  Erased erased_;
  std::uint64_t dropped_ = 0;
};

// Goes down to where `key` belongs, up to the first pair that merges. False when none does.
bool merge_on_path(PageSpace& space, TreeRoot& tree, Bytes key) {
  // Only where separators contradict each other does a way lead to ever new pages.
  if (space.free_pages() < tree.height) return false;
  Finger finger;
  locate(space, tree, key, finger);
  Path& path = finger.path;
  for (std::uint32_t level = 0; level + 1 < tree.height; ++level) {
    const Path::Step& step = path.steps[level];
    const std::byte* bytes = space.writer_view().read(step.pointer, level);
    if (!is_underfull(bytes, space.view().page_bytes, level)) continue;
    make_writable(space, tree, path, level);
    if (merge(space, tree, path, level)) return true;
  }
  return false;
}

Erased erase_between(PageSpace& space, TreeRoot& tree, Bytes first, std::optional<Bytes> limit,
                     bool is_multimap) {
  if (!tree.root || (limit && *limit <= first)) return {};
  QUIRE_ASSERT(space.free_pages() >= pages_needed_for_range(tree));
  check_height(space.view(), tree.root, tree.height);
  return naming_file(space.view(), [&] {
    Cut cut(space, tree, is_multimap);
    const bool stays = cut.visit(tree.root, tree.height - 1u, {first, limit});
    const Erased erased = cut.erased();
    if (!stays) {
      tree = TreeRoot{};
      return erased;
    }
    if (erased.entries == 0) return erased;
    tree.entry_count -= erased.entries;
    while (merge_on_path(space, tree, first) || (limit && merge_on_path(space, tree, *limit))) {
    }
    drop_single_child_roots(space, tree);
    return erased;
  });
}

}  // namespace

std::uint64_t erase_range(PageSpace& space, TreeRoot& tree, Bytes first,
                          std::optional<Bytes> limit) {
  return erase_between(space, tree, first, limit, false).entries;
}

std::uint64_t erase_keys(PageSpace& space, TreeRoot& tree, Bytes first,
                         std::optional<Bytes> limit) {
  return erase_between(space, tree, first, limit, true).pairs;
}

std::uint32_t pages_needed_for_range(const TreeRoot& tree) noexcept {
  // Both edges are copied, and the paths on which pages merge beside them.
  return 4 * std::uint32_t{tree.height} + 4;
}

}  // namespace quire::btree
