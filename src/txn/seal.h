// Giving the pages of a checkpoint their checksums.
#pragma once

#include <vector>

#include "txn/store.h"

namespace quire::txn {

// What `seal` has come by.
struct Sealed {
  // Those pages, and those of values in extents born after `sealed`: what has to be on disk besides
  // what already was at `sealed`; ascending, without overlaps, none longer than `run_pages_max`.
  std::vector<PageRun> runs;
  bool has_multimaps = false;
};

// Stores the checksum of every page that `state` reaches and that was born after `sealed`. Pages of
// `state` do not change any more, so this runs beside writers. Throws Errc::corrupt.
Sealed seal(Store& store, const State& state, TxnId sealed, std::uint32_t run_pages_max);

}  // namespace quire::txn
