// How many entries a stretch of keys has, without looking at them.
#pragma once

#include <cstdint>
#include <optional>

#include "btree/tree.h"

namespace quire::btree {

// About how many entries have first <= key < limit (nothing: no limit). Counted are the entries of
// the two leaves at the ends, and the children beside the two ways down to them, each taken to hold
// the average of its level; of what lies between the ends or of what lies outside, whichever is
// less. So it is exact where both ends are in one leaf or in neighbours under one branch, and for
// the whole tree. Two descents.
std::uint64_t estimate(const pages::PageView& view, const format::TreeRoot& tree, Bytes first,
                       std::optional<Bytes> limit);

}  // namespace quire::btree
