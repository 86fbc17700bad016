// When the log is so full that a checkpoint should begin, and how large it is to be.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// True when three quarters of the log are full, with its end there; or less where the last
// checkpoint took so long that commits would have to wait for the end of the next; or when the log
// should grow or a larger one waits.
bool is_checkpoint_due(Store& store, Lsn log_end) noexcept;
bool is_checkpoint_due(Store& store);  // with the newest commit's end

// Records how much log commits took while a checkpoint ran whose state ended at `begin`, which was
// due because the log was full.
void note_commits_meanwhile(Store& store, Lsn begin) noexcept;

// Records how much data a captured state has. The caller holds the writer lock.
void note_data(Store& store, const State& state);

// Records that there was no room for a log of that size: nobody asks for more than half of it as
// long as the file is in use.
void note_log_refused(Store& store, std::uint64_t size_bytes) noexcept;

// Pages that the log is to have, when that is more than it has; 0: it stays. `is_too_small`: also
// when it is not full, because commits do not fit into it. The caller holds the writer lock.
std::uint32_t larger_log_pages(Store& store, const State& state, bool is_too_small = false);

}  // namespace quire::txn
