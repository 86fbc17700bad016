// When the log is so full that a checkpoint should begin, and how large it is to be.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// True when three quarters of the log are full, with its end there, or less where the last
// checkpoint took so long that commits would have to wait for the end of the next.
bool is_checkpoint_due(const Store& store, Lsn log_end) noexcept;
bool is_checkpoint_due(const Store& store);  // with the newest commit's end

// Records how much log commits took while a checkpoint ran whose state ended at `begin`.
void note_commits_meanwhile(Store& store, Lsn begin) noexcept;

// Pages that the log is to have, when that is more than it has; 0: it stays. The caller holds the
// writer lock.
std::uint32_t larger_log_pages(Store& store, const State& state);

}  // namespace quire::txn
