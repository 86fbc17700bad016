#include "btree/tree.h"

#include "base/assert.h"
#include "btree/path.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {

using format::BranchView;
using format::LeafEntry;
using format::LeafView;
using format::PagePtr;
using format::TreeRoot;
using pages::PageSpace;
using pages::PageView;

namespace {

[[gnu::always_inline]] inline std::optional<LeafEntry> find(const PageView& view,
                                                            const TreeRoot& tree, Bytes key) {
  PagePtr pointer = tree.root;
  for (std::uint32_t level = tree.height; --level > 0;) {
    const BranchView branch(view.read(pointer, level), view.page_bytes);
    pointer = branch.child(branch.search(key));
    prefetch(view, pointer, level - 1);
  }
  return LeafView(view.read(pointer, 0), view.page_bytes).find(key);
}

}  // namespace

bool contains(const PageView& view, const TreeRoot& tree, Bytes key) {
  if (!tree.root) return false;
  check_height(view, tree.root, tree.height);
  return naming_file(view, [&] { return find(view, tree, key).has_value(); });
}

std::optional<Bytes> get(const PageView& view, const TreeRoot& tree, Bytes key) {
  if (!tree.root) return std::nullopt;
  check_height(view, tree.root, tree.height);
  return naming_file(view, [&]() -> std::optional<Bytes> {
    const auto entry = find(view, tree, key);
    if (!entry) return std::nullopt;
    return value_of(view, *entry);
  });
}

bool descend(const PageView& view, const TreeRoot& tree, Bytes key, Path& path) {
  check_height(view, tree.root, tree.height);
  PagePtr pointer = tree.root;
  for (std::uint32_t level = tree.height; --level > 0;) {
    const BranchView branch(view.read(pointer, level), view.page_bytes);
    const std::uint32_t index = branch.search(key);
    path.steps[level] = {pointer, index, branch.count()};
    pointer = branch.child(index);
    prefetch(view, pointer, level - 1);
  }
  const LeafView leaf(view.read(pointer, 0), view.page_bytes);
  const LeafView::Position position = leaf.lower_bound(key);
  path.steps[0] = {pointer, position.index, leaf.count()};
  return position.found;
}

void make_writable(PageSpace& space, TreeRoot& tree, Path& path, std::uint32_t lowest_level) {
  for (std::uint32_t level = tree.height; level-- > lowest_level;) {
    Path::Step& step = path.steps[level];
    const PagePtr before = step.pointer;
    step.bytes = space.writable(step.pointer, level);
    if (step.pointer == before) continue;
    if (level + 1 == tree.height) {
      tree.root = step.pointer;
    } else {
      const Path::Step& parent = path.steps[level + 1];
      format::branch_set_child(parent.bytes, space.view().page_bytes, parent.index, step.pointer);
    }
  }
}

void free_page(PageSpace& space, TreeRoot& tree, PagePtr pointer, std::uint32_t level) {
  space.free(pointer, level);
  --(level == 0 ? tree.leaf_pages : tree.branch_pages);
}

void free_value(PageSpace& space, TreeRoot& tree, const LeafEntry& entry) {
  if (!entry.in_extent) return;
  const format::ExtentRef extent = entry.extent();
  space.free_extent(extent);
  tree.extent_pages -= extent.page_count;
}

namespace {

void start_tree(PageSpace& space, TreeRoot& tree, const LeafEntry& entry) {
  tree = TreeRoot{};
  format::leaf_start(space.create(0, &tree.root), space.view().page_bytes, entry);
  tree.leaf_pages = 1;
  tree.height = 1;
}

// False when the key was there already; with insert_only nothing has changed then.
bool store(PageSpace& space, TreeRoot& tree, const LeafEntry& entry, PutMode mode) {
  const PageView& view = space.view();
  Path path;
  const bool found = descend(view, tree, entry.key, path);
  if (found && mode == PutMode::insert_only) return false;
  const Path::Step& leaf = path.steps[0];
  if (found) {
    const LeafView old(view.read(leaf.pointer, 0), view.page_bytes);
    free_value(space, tree, old.entry(leaf.index));
  }
  make_writable(space, tree, path, 0);
  const auto change = found ? format::leaf_replace : format::leaf_insert;
  if (!change(leaf.bytes, view.page_bytes, leaf.index, entry)) {
    split_leaf(space, tree, path, entry, found);
  }
  return !found;
}

}  // namespace

bool put(PageSpace& space, TreeRoot& tree, Bytes key, const NewValue& value, PutMode mode) {
  const bool in_extent = value.extent != nullptr;
  const LeafEntry entry{key, in_extent ? format::extent_bytes(*value.extent) : value.inline_bytes,
                        in_extent};
  QUIRE_ASSERT(key.size() <= format::key_bytes_max(space.view().page_bytes));
  QUIRE_ASSERT(in_extent ||
               format::is_inline(key.size(), entry.value.size(), space.view().page_bytes));
  QUIRE_ASSERT(space.free_pages() >= pages_needed(tree));
  bool is_new = true;
  if (tree.root) {
    is_new = naming_file(space.view(), [&] { return store(space, tree, entry, mode); });
    if (!is_new && mode == PutMode::insert_only) return false;
  } else {
    start_tree(space, tree, entry);
  }
  if (is_new) ++tree.entry_count;
  if (in_extent) tree.extent_pages += value.extent->page_count;
  return is_new;
}

std::uint32_t pages_needed(const TreeRoot& tree) noexcept {
  // Each level may be copied and split, and a root may be put on top.
  return 2 * std::uint32_t{tree.height} + 4;
}

}  // namespace quire::btree
