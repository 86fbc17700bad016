// Giving the pages of a checkpoint their checksums.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// Stores the checksum of every page that `state` reaches and that was born after `sealed`. Pages of
// `state` do not change any more, so this runs beside writers. Throws Errc::corrupt.
void seal(Store& store, const State& state, TxnId sealed);

}  // namespace quire::txn
