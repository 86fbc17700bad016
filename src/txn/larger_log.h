// A larger log, made while commits go on: its zeros take a tenth of a second and more.
//
//   begin_larger_log   writer and checkpoint lock   none ──► sealing: its pages are taken
//   write_larger_log   checkpoint lock              sealing ──► log_prepared: zeros, flushed
//   a checkpoint under the writer lock names it     log_prepared ──► sealing ──► meta_stored ...
//
// Dying or failing in `sealing`, it is abandoned like a checkpoint. A prepared log waits for the
// next checkpoint, whoever makes it, which moves the log there; only one that is made for want of
// room, or packs the file, gives it back.
#pragma once

#include <optional>

#include "txn/store.h"

namespace quire::txn {

// Takes the pages for a larger log when there should be one and is room: else nothing. `state` is
// the newest commit's. Throws Errc::no_space, io.
std::optional<PageRun> begin_larger_log(Store& store, const State& state);

// Ends early, to be abandoned, when this process closes the database. Throws Errc::poisoned, io; or
// Errc::no_space, where a file system copies what is overwritten: nobody asks for so much again.
void write_larger_log(Store& store, PageRun log);

// The caller holds both locks.
void drop_prepared_log(Store& store);

// The same for a caller that holds the writer lock alone: waits for whoever writes one.
void give_up_larger_log(Store& store);

}  // namespace quire::txn
