#include "base/assert.h"
#include "btree/merge.h"
#include "btree/path.h"
#include "btree/tree.h"
#include "btree/walk.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::LeafView;
using format::PagePtr;
using format::TreeRoot;
using pages::PageSpace;

void remove(PageSpace& space, TreeRoot& tree, Finger& finger) {
  Path& path = finger.path;
  const LeafView leaf(space.writer_view().read(path.steps[0].pointer, 0), space.view().page_bytes);
  free_value(space, tree, leaf.entry(path.steps[0].index));
  --tree.entry_count;

  std::uint32_t level = 0;
  for (; level < tree.height && path.steps[level].count == 1; ++level) {
    space.verified(path.steps[level].pointer, level);  // those that stay are when they are copied
    free_page(space, tree, path.steps[level].pointer, level);
  }
  if (level == tree.height) {
    tree = TreeRoot{};
    return;
  }
  make_writable(space, tree, path, level);
  const Path::Step& step = path.steps[level];
  const auto take_out = level == 0 ? format::leaf_erase : format::branch_erase;
  take_out(step.bytes, space.view().page_bytes, step.index);
  const bool is_whole = level == 0 && (tree.height == 1 || !merge(space, tree, path, 0));
  if (is_whole) {
    --path.steps[0].count;
    return;
  }
  finger.forget();
  if (level == 0) ++level;
  while (level + 1 < tree.height && merge(space, tree, path, level)) ++level;
  if (level + 1 == tree.height) drop_single_child_roots(space, tree);
}

// Frees what it sees. Pages are freed before what is below them is read from them: nothing is
// allocated meanwhile, so their bytes stay.
class Clearing final : public Visitor {
 public:
  Clearing(PageSpace& space, TreeRoot& tree) : space_(space), tree_(tree) {}

  bool enter(PagePtr, std::uint32_t) override { return true; }

  bool page(PageId page, const std::byte* bytes, std::uint32_t level) override {
    const PagePtr pointer = format::pointer_to(page, TxnId{format::header_of(bytes).birth});
    space_.verified(pointer, level);
    free_page(space_, tree_, pointer, level);
    return true;
  }

  void extent(const format::ExtentRef& extent, std::string_view) override {
    space_.free_extent(extent);
  }

 private:
  PageSpace& space_;
  TreeRoot& tree_;
};

}  // namespace

void erase_at(PageSpace& space, TreeRoot& tree, Finger& finger) {
  QUIRE_ASSERT(space.free_pages() >= pages_needed(tree));
  naming_file(space.view(), [&] { remove(space, tree, finger); });
}

bool erase(PageSpace& space, TreeRoot& tree, Bytes key) {
  Finger finger;
  if (!locate(space, tree, key, finger)) return false;
  erase_at(space, tree, finger);
  return true;
}

void clear(PageSpace& space, TreeRoot& tree) {
  const TreeRoot whole = tree;
  Clearing clearing(space, tree);
  walk(space.view(), whole, clearing);
  tree = TreeRoot{};
}

}  // namespace quire::btree
