// The way from the root to a leaf, and what every operation on trees needs of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "btree/finger.h"
#include "format/branch.h"
#include "format/damage.h"
#include "format/leaf.h"
#include "format/page.h"
#include "pages/page_space.h"
#include "pages/page_view.h"

namespace quire::btree {

// Runs `step`. A page that contradicts itself in there becomes Errc::corrupt with the file's name.
template <typename Step>
decltype(auto) naming_file(const pages::PageView& view, Step&& step) {
  try {
    return step();
  } catch (const format::Damage& damage) {
    view.corrupt(damage.page(), damage.what());
  }
}

// Levels come from the height, so that every descent ends; and they index arrays. Requires a root.
inline void check_height(const pages::PageView& view, format::PagePtr root, std::uint32_t height) {
  if (height == 0 || height > format::kTreeHeightMax) [[unlikely]] {
    view.corrupt(root.page, "the tree's height is out of range");
  }
}

// Starts loading the lines of a page that a search reads first: header and hints of a branch,
// header and arrays of a leaf (of as many entries as most leaves have).
// Always inlined: GCC takes calls of functions that do nothing else for superfluous.
[[gnu::always_inline]] inline void prefetch(const pages::PageView& view, format::PagePtr pointer,
                                            std::uint32_t level) noexcept {
  const std::byte* page = view.at(PageId{pointer.page});
  __builtin_prefetch(page);
  if (level > 0) {
    __builtin_prefetch(page + format::kHintsOffset);
    return;
  }
  for (std::size_t line = 0; line < 3; ++line) {
    __builtin_prefetch(page + format::kArraysOffset + line * format::kCacheLineBytes);
  }
}

// Throws Errc::corrupt: an entry as only multimaps have, outside of one.
[[noreturn]] void refuse_tree(const pages::PageView& view, const format::LeafEntry& entry);

// The bytes of an entry's value, in the leaf or in its extent.
inline std::string_view value_of(const pages::PageView& view, const format::LeafEntry& entry) {
  if (!entry.in_extent && !entry.in_tree) [[likely]]
    return entry.value;
  if (entry.in_tree) refuse_tree(view, entry);
  const format::ExtentRef extent = entry.extent();
  return format::view_of(view.extent(extent), extent.size_bytes);
}

// Makes the path's pages from the root down to `lowest_level` writable, each named by the one
// above.
void make_writable(pages::PageSpace& space, format::TreeRoot& tree, Path& path,
                   std::uint32_t lowest_level);

// True when no page of the path has anything to its right.
bool is_right_edge(const Path& path, std::uint32_t height) noexcept;

// Ends the life of a page and counts it.
void free_page(pages::PageSpace& space, format::TreeRoot& tree, format::PagePtr pointer,
               std::uint32_t level);

// Ends the life of the extent that an entry names, if it does.
void free_value(pages::PageSpace& space, format::TreeRoot& tree, const format::LeafEntry& entry);

// Puts `entry` where the finger's path (writable) leads, into a leaf that has no room for it: moves
// entries to a sibling, or splits the leaf, and branches above it as far as they have no room
// either.
void make_room_in_leaf(pages::PageSpace& space, format::TreeRoot& tree, Finger& finger,
                       const format::LeafEntry& entry, bool replaces);

// Puts `child`, whose keys begin at `separator`, right of the path's page at level 0. `is_run`:
// more children will come right behind it, so pages that it overfills are cut there. Returns the
// level of the branch that took it without being split.
std::uint32_t add_child(pages::PageSpace& space, format::TreeRoot& tree, const Path& path,
                        std::string_view separator, format::PagePtr child, bool is_run);

// Stores `entry`, for which the path's leaf has no room, by moving entries to or from a neighbour
// under the same parent. False, and nothing changes, when there is none that this transaction has
// written and that has room to spare.
bool share_with_sibling(pages::PageSpace& space, const Path& path, const format::LeafEntry& entry);

// The shortest key that separates two leaves.
std::string_view separator_between(const format::LeafView& left, const format::LeafView& right);

}  // namespace quire::btree
