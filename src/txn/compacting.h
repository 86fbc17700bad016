// What of the file is wasted, and moving the end of the trees towards its beginning: by the last
// process as it leaves, or in small steps while others go on.
#pragma once

#include <cstdint>
#include <optional>

#include "txn/store.h"

namespace quire::txn {

// What the newest state has in the file when nothing else counts any more.
struct Census {
  std::uint64_t used_pages = 0;  // without the log
  std::uint64_t end = 0;         // of the last page in use, the log included
  std::uint64_t low_end = 0;     // from here on no more is in use than may be moved at once
};

// The caller holds the writer lock or is alone.
Census take_census(Store& store, std::uint64_t moved_pages_max);

// From which page on trees should move, in a file that could end at about `wanted_pages`; nothing
// when it is hardly longer.
std::optional<PageId> limit_of_move(const Census& census, std::uint64_t wanted_pages) noexcept;

// Makes what nobody reads any more free to be used again.
void release_what_is_free(Store& store);

// One step: waits for the writer lock, moves about `pages_max` pages down (64 at least),
// and commits that.
struct CompactStep {
  bool has_moved = false;
  std::uint64_t end_pages = 0;     // before: where the last page in use ends
  std::uint64_t wanted_pages = 0;  // where it could end
};
CompactStep compact_step(Store& store, std::uint64_t pages_max);

}  // namespace quire::txn
