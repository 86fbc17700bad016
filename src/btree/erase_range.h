// Erasing all entries of a stretch of keys at once: what lies between its ends goes as whole
// subtrees, and only the pages at its two edges are changed.
#pragma once

#include <cstdint>
#include <optional>

#include "btree/tree.h"

namespace quire::btree {

// Removes the entries with first <= key < limit (nothing: no limit), and their extents. Returns
// their number. Requires pages_needed_for_range(tree) free pages. Pages at the edges merge as after
// erase_at. Fingers into the tree are void when anything was removed. Cost: reads every page in the
// range once, and changes at most two pages of each level, besides those that merge.
std::uint64_t erase_range(pages::PageSpace& space, format::TreeRoot& tree, Bytes first,
                          std::optional<Bytes> limit);

// The same of a multimap: the keys go with all their values, whose trees are read once as well.
// Returns the number of pairs.
std::uint64_t erase_keys(pages::PageSpace& space, format::TreeRoot& tree, Bytes first,
                         std::optional<Bytes> limit);

// Pages that one of them may take at most.
std::uint32_t pages_needed_for_range(const format::TreeRoot& tree) noexcept;

}  // namespace quire::btree
