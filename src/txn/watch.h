// Waiting for the next commit, whichever process makes it.
#pragma once

#include <chrono>
#include <optional>

#include "txn/store.h"
#include "txn/viewer.h"

namespace quire::txn {

// Waits until readers can begin at a commit newer than `after`, and returns the newest; nothing
// when there is none within `timeout`. Throws when none can come any more: Errc::poisoned, busy
// (see Store::require_in_place). Threads: any.
std::optional<TxnId> wait_for_commit(const Store& store, TxnId after,
                                     std::chrono::nanoseconds timeout);

// The same for a process that may only read: it cannot be woken, so it looks every few
// milliseconds.
std::optional<TxnId> wait_for_commit(Viewer& viewer, TxnId after, std::chrono::nanoseconds timeout);

}  // namespace quire::txn
