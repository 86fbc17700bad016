// Making commits durable: one flush of the log, led by whoever comes first, covers everybody's.
#pragma once

#include <mutex>

#include "txn/store.h"

namespace quire::txn {

// The flush lock for a scope; not for ever: a leader that was stopped must stall nobody, so after
// 100 ms the scope is entered without it (two leaders are harmless: they flush the same and raise
// the same).
class FlushTurn {
 public:
  explicit FlushTurn(Store& store);

 private:
  std::unique_lock<shared::ByteMutex> lock_;
};

// Returns when the log is durable up to `target` and what it covers is published (rules 3, 6, 10).
// Cost: at most one flush of the log and of the extents that its records name. Throws
// Errc::poisoned.
void flush_until(Store& store, Lsn target);

}  // namespace quire::txn
