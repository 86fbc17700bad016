// How long the leader of a flush waits for others: a flush costs the same for one commit as for
// many. A leader that starts at once takes only those who came during the flush before, and the
// rest wait for a flush and a half; waiting a little takes everybody each time.
//
// Threads: the leader of a flush, who holds the flush lock.
#pragma once

#include <chrono>

#include "txn/store.h"

namespace quire::txn {

// Waits until as many full commits are pending as the larger of the last two flushes has covered,
// but not longer than half of what a flush takes. Returns at once when those covered one.
void await_company(const Store& store);

// Notes what a flush up to `state` has covered and how long it took.
void note_company(Store& store, const State& state, std::chrono::nanoseconds took) noexcept;

}  // namespace quire::txn
