// Moving a tree towards the beginning of the file, so that its end becomes free.
#pragma once

#include "base/id.h"
#include "format/page.h"
#include "pages/page_space.h"

namespace quire::btree {

// Copies what the tree has at page `limit` or beyond to the lowest free pages: branches, leaves,
// and extents for which there is a lower place. Stops, with the tree whole, when the file has
// hardly any free page left. True when anything was moved. Cost: reads every branch, and every leaf
// where the tree has extents. Threads and errors as for the writing functions of tree.h.
bool move_below(pages::PageSpace& space, format::TreeRoot& tree, PageId limit);

}  // namespace quire::btree
