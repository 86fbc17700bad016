#include "btree/tree.h"

#include <bit>

#include "base/assert.h"
#include "btree/path.h"
#include "format/branch.h"
#include "format/leaf.h"
#include "format/quick.h"

namespace quire::btree {

using format::BranchView;
using format::LeafEntry;
using format::LeafView;
using format::PagePtr;
using format::QuickFind;
using format::SearchKey;
using format::TreeRoot;
using pages::PageSpace;
using pages::PageView;

namespace {

PagePtr child_for(const PageView& view, const std::byte* page, Bytes key) {
  const BranchView branch(page, view.page_bytes);
  return branch.child(branch.search(key));
}

// What is asked of a leaf: the value of a key, or whether it is there (as any bytes).
using Ask = std::optional<Bytes>(const PageView& view, const std::byte* page, Bytes key);

std::optional<Bytes> value_in(const PageView& view, const std::byte* page, Bytes key) {
  const auto entry = LeafView(page, view.page_bytes).find(key);
  if (!entry) return std::nullopt;
  return value_of(view, *entry);
}

std::optional<Bytes> presence_in(const PageView& view, const std::byte* page, Bytes key) {
  if (!LeafView(page, view.page_bytes).find(key)) return std::nullopt;
  return Bytes();
}

[[gnu::noinline]] std::optional<Bytes> find_verified(const PageView& view, const TreeRoot& tree,
                                                     Bytes key, Ask ask) {
  PagePtr pointer = tree.root;
  for (std::uint32_t level = tree.height; --level > 0;) {
    pointer = child_for(view, view.read(pointer, level), key);
    prefetch(view, pointer, level - 1);
  }
  return ask(view, view.read(pointer, 0), key);
}

// Apart, so that they cost those pages nothing that are as most are.
[[gnu::noinline]] PagePtr other_child(const PageView& view, const std::byte* page, Bytes key) {
  return child_for(view, page, key);
}
[[gnu::noinline]] std::optional<Bytes> ask_other_leaf(const PageView& view, const std::byte* page,
                                                      Bytes key, Ask ask) {
  return ask(view, page, key);
}

// Every instruction counts here, also those that ask for memory a little earlier (README.md, What
// was tried).
[[gnu::always_inline]] inline std::optional<Bytes> find(const PageView& view, const TreeRoot& tree,
                                                        Bytes key, Ask ask) {
  if (view.verification != nullptr) [[unlikely]]
    return find_verified(view, tree, key, ask);
  const SearchKey wanted(key);
  PagePtr pointer = tree.root;
  for (std::uint32_t level = tree.height; --level > 0;) {
    const std::byte* page = view.read_unverified(pointer, level);
    const std::uint64_t child = format::quick_child(page, view.page_bytes, wanted);
    pointer = child != 0 ? std::bit_cast<PagePtr>(child) : other_child(view, page, key);
    prefetch(view, pointer, level - 1);
  }
  const std::byte* page = view.read_unverified(pointer, 0);
  Bytes value;
  const QuickFind found = format::quick_find(page, view.page_bytes, wanted, value);
  if (found == QuickFind::unknown) [[unlikely]]
    return ask_other_leaf(view, page, key, ask);
  if (found == QuickFind::absent) return std::nullopt;
  return value;
}

std::optional<Bytes> find_named(const PageView& view, const TreeRoot& tree, Bytes key, Ask ask) {
  if (!tree.root) return std::nullopt;
  check_height(view, tree.root, tree.height);
  return naming_file(view, [&] { return find(view, tree, key, ask); });
}

}  // namespace

bool contains(const PageView& view, const TreeRoot& tree, Bytes key) {
  return find_named(view, tree, key, presence_in).has_value();
}

std::optional<Bytes> get(const PageView& view, const TreeRoot& tree, Bytes key) {
  return find_named(view, tree, key, value_in);
}

std::optional<StoredValue> get_stored(const PageView& view, const TreeRoot& tree, Bytes key) {
  if (!tree.root) return std::nullopt;
  check_height(view, tree.root, tree.height);
  return naming_file(view, [&]() -> std::optional<StoredValue> {
    PagePtr pointer = tree.root;
    for (std::uint32_t level = tree.height; --level > 0;) {
      pointer = child_for(view, view.read(pointer, level), key);
    }
    const auto entry = LeafView(view.read(pointer, 0), view.page_bytes).find(key);
    if (!entry) return std::nullopt;
    if (!entry->in_extent) return StoredValue{value_of(view, *entry), std::nullopt};
    const format::ExtentRef extent = entry->extent();
    if (const char* reason = view.fault_of(extent)) view.corrupt(extent.first_page, reason);
    return StoredValue{{}, extent};
  });
}

namespace {

// Leaves are read where they are written, so that no page is mapped twice; branches by the mapping
// that everybody reads, because the system sees only those accesses when it chooses what to evict.
bool read_leaf(const PageSpace& space, PagePtr pointer, Bytes key, Path& path) {
  const std::byte* bytes = space.writer_view().read(pointer, 0);
  const LeafView leaf(bytes, space.view().page_bytes);
  const LeafView::Position position = leaf.lower_bound(key);
  path.steps[0] = {pointer, position.index, leaf.count(), space.if_writable(pointer, bytes)};
  return position.found;
}

bool descend(const PageSpace& space, const TreeRoot& tree, Bytes key, Path& path) {
  const PageView& view = space.view();
  check_height(view, tree.root, tree.height);
  PagePtr pointer = tree.root;
  for (std::uint32_t level = tree.height; --level > 0;) {
    const std::byte* bytes = view.read(pointer, level);
    const BranchView branch(bytes, view.page_bytes);
    const std::uint32_t index = branch.search(key);
    path.steps[level] = {pointer, index, branch.count(), space.if_writable(pointer, bytes)};
    pointer = branch.child(index);
    prefetch(level == 1 ? space.writer_view() : view, pointer, level - 1);
  }
  return read_leaf(space, pointer, key, path);
}

// True when nothing of the tree lies to the left (right) of the path's branches above level 1.
bool is_edge(const Path& path, std::uint32_t height, bool left) noexcept {
  for (std::uint32_t level = 2; level < height; ++level) {
    const Path::Step& step = path.steps[level];
    if (left ? step.index != 0 : step.index + 1 != step.count) return false;
  }
  return true;
}

// Index of the path's lowest branch's child that `key` belongs to; nothing when another branch may
// have it. A child that has a separator on both sides can be nobody else's.
std::optional<std::uint32_t> child_at_hand(const PageSpace& space, const Finger& finger,
                                           Bytes key) {
  const Path::Step& step = finger.path.steps[1];
  const BranchView branch(space.view().at(PageId{step.pointer.page}), space.view().page_bytes);
  const std::uint32_t index = branch.search(key);
  if (index == 0 && !is_edge(finger.path, finger.height, true)) return std::nullopt;
  if (index + 1 == branch.count() && !is_edge(finger.path, finger.height, false)) {
    return std::nullopt;
  }
  return index;
}

// In the leaf of the operation before.
bool search_leaf_at_hand(const PageSpace& space, Bytes key, Finger& finger) {
  Path::Step& step = finger.path.steps[0];
  const LeafView leaf(space.writer_view().at(PageId{step.pointer.page}), space.view().page_bytes);
  const LeafView::Position position = leaf.lower_bound(key);
  const bool follows = !position.found && position.index == step.index + 1;
  finger.run_count = follows ? finger.run_count + 1 : 0;
  step.index = position.index;
  step.count = leaf.count();
  return position.found;
}

bool go_to(const PageSpace& space, const TreeRoot& tree, Bytes key, Finger& finger) {
  if (finger.height == tree.height) {
    if (tree.height == 1) return search_leaf_at_hand(space, key, finger);
    Path::Step& above = finger.path.steps[1];
    if (const auto index = child_at_hand(space, finger, key)) {
      if (*index == above.index) return search_leaf_at_hand(space, key, finger);
      finger.forget();  // should reading fail
      const BranchView branch(space.view().at(PageId{above.pointer.page}), space.view().page_bytes);
      const bool found = read_leaf(space, branch.child(*index), key, finger.path);
      above.index = *index;
      finger.height = tree.height;
      finger.run_count = 0;
      return found;
    }
  }
  finger.forget();
  const bool found = descend(space, tree, key, finger.path);
  finger.height = tree.height;
  finger.run_count = 0;
  return found;
}

}  // namespace

bool locate(const PageSpace& space, const TreeRoot& tree, Bytes key, Finger& finger) {
  if (!tree.root) {
    finger.forget();
    return false;
  }
  return naming_file(space.view(), [&] { return go_to(space, tree, key, finger); });
}

void prefetch_leaf(const PageSpace& space, const Finger& finger, Bytes key) {
  if (finger.height < 2) return;
  const PageView& view = space.view();
  const BranchView branch(view.at(PageId{finger.path.steps[1].pointer.page}), view.page_bytes);
  naming_file(view, [&] { prefetch(space.writer_view(), branch.child(branch.search(key)), 0); });
}

Bytes value_at(const PageSpace& space, const Finger& finger) {
  const Path::Step& step = finger.path.steps[0];
  return naming_file(space.view(), [&] {
    const LeafView leaf(space.view().at(PageId{step.pointer.page}), space.view().page_bytes);
    return value_of(space.view(), leaf.entry(step.index));
  });
}

void refuse_tree(const PageView& view, const LeafEntry& entry) {
  const auto offset = reinterpret_cast<const std::byte*>(entry.key.data()) - view.base;
  view.corrupt(static_cast<std::uint64_t>(offset) / view.page_bytes,
               "a tree of values in a table that is no multimap");
}

void make_writable(PageSpace& space, TreeRoot& tree, Path& path, std::uint32_t lowest_level) {
  for (std::uint32_t level = tree.height; level-- > lowest_level;) {
    Path::Step& step = path.steps[level];
    if (step.bytes != nullptr) continue;
    step.bytes = space.writable(step.pointer, level);
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

void store(PageSpace& space, TreeRoot& tree, Finger& finger, const LeafEntry& entry, bool found) {
  const std::uint32_t page_bytes = space.view().page_bytes;
  Path::Step& leaf = finger.path.steps[0];
  if (found) {
    const LeafView old(space.writer_view().read(leaf.pointer, 0), page_bytes);
    free_value(space, tree, old.entry(leaf.index));
  }
  make_writable(space, tree, finger.path, 0);
  const auto change = found ? format::leaf_replace : format::leaf_insert;
  if (!change(leaf.bytes, page_bytes, leaf.index, entry)) {
    make_room_in_leaf(space, tree, finger, entry, found);
  }
}

}  // namespace

void put_at(PageSpace& space, TreeRoot& tree, Finger& finger, Bytes key, const NewValue& value,
            bool found) {
  const bool in_extent = value.extent != nullptr;
  const LeafEntry entry{key, in_extent ? format::extent_bytes(*value.extent) : value.inline_bytes,
                        in_extent, value.is_sub_tree};
  QUIRE_ASSERT(key.size() <= format::key_bytes_max(space.view().page_bytes));
  QUIRE_ASSERT(in_extent ||
               format::is_inline(key.size(), entry.value.size(), space.view().page_bytes));
  QUIRE_ASSERT(space.free_pages() >= pages_needed(tree));
  if (tree.root) {
    naming_file(space.view(), [&] { store(space, tree, finger, entry, found); });
  } else {
    start_tree(space, tree, entry);
  }
  if (!found) ++tree.entry_count;
  if (in_extent) tree.extent_pages += value.extent->page_count;
}

bool put(PageSpace& space, TreeRoot& tree, Bytes key, const NewValue& value, PutMode mode) {
  Finger finger;
  const bool found = locate(space, tree, key, finger);
  if (!found || mode == PutMode::upsert) put_at(space, tree, finger, key, value, found);
  return !found;
}

std::uint32_t pages_needed(const TreeRoot& tree) noexcept {
  // Each level may be copied and split, and a root may be put on top.
  return 2 * std::uint32_t{tree.height} + 4;
}

}  // namespace quire::btree
