// Giving the pages of a checkpoint their checksums.
#pragma once

#include <vector>

#include "txn/store.h"

namespace quire::txn {

// Stores the checksum of every page that `state` reaches and that was born after `sealed`. Pages of
// `state` do not change any more, so this runs beside writers. Returns those pages, and those of
// values in extents born after `sealed`: what has to be on disk besides what already was at
// `sealed`; ascending, without overlaps, no run longer than `run_pages_max`. Throws Errc::corrupt.
std::vector<PageRun> seal(Store& store, const State& state, TxnId sealed,
                          std::uint32_t run_pages_max);

}  // namespace quire::txn
