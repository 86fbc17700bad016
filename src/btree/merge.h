// Merging pages that have lost most of what they held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "btree/path.h"

namespace quire::btree {

// True when the page uses so little of its room that it looks for a sibling to merge with.
bool is_underfull(const std::byte* page, std::uint32_t page_bytes, std::uint32_t level);

// Merges the path's page at `level` with a sibling under the same parent if it is underfull and one
// has room. The page of the path keeps the result. Requires that it and its parent are writable.
bool merge(pages::PageSpace& space, format::TreeRoot& tree, const Path& path, std::uint32_t level);

// A root with one child goes, and so on.
void drop_single_child_roots(pages::PageSpace& space, format::TreeRoot& tree);

}  // namespace quire::btree
