// Making commits durable: one flush of the log, led by whoever comes first, covers everybody's.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// Returns when the log is durable up to `target` and what it covers is published (rules 3, 6, 10).
// Cost: at most one flush of the log and of the extents that its records name. Throws
// Errc::poisoned.
void flush_until(Store& store, Lsn target);

}  // namespace quire::txn
