// Finding pages for a transaction: sweep what nobody reads any more, checkpoint when the last one
// pins too much, grow the file. In that order, so that the file grows only when it must.
#pragma once

#include <quire/options.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "txn/store.h"

namespace quire::txn {

// What a put leaves free, so that on a full disk there is still room to erase, commit and
// checkpoint.
inline constexpr std::uint64_t kPagesKept = 64;

// Options::on_slow_reader; null: nobody is told.
using OnSlowReader = const std::function<bool(const ReaderInfo&)>*;

// What the caller, holding the writer lock, is in the middle of.
struct SpaceContext {
  State base;  // the newest committed state
  bool may_sweep =
      true;  // false in recovery: the checkpoint it starts from is all there is (rule 4)
  OnSlowReader on_slow_reader = nullptr;
  // Readers that on_slow_reader was called with: slot and transaction.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told = {};
};

// Sees to it that `page_count` pages can be allocated one by one. Throws Errc::no_space, poisoned,
// io.
void make_room(Store& store, SpaceContext& context, std::uint64_t page_count);

// The same for `page_count` pages in one run; called when there is no such run.
void make_run(Store& store, SpaceContext& context, std::uint64_t page_count);

// Makes places for `count` deferred frees, as far as there is a way: a larger ring or, on a full
// disk, those that nobody needs any more. Who then frees finds out whether they are enough. Throws
// Errc::no_space, poisoned, io.
void make_deferred_room(Store& store, SpaceContext& context, std::uint64_t count);

// Makes the file longer by at least `page_count` neighbouring pages; false when the disk or the
// reserved address space has no room for them. Throws Errc::poisoned.
bool grow_file(Store& store, std::uint64_t page_count);

// What somebody may still read at this moment: the checkpoints, registered snapshots, and what
// processes that may only read have pinned. Any thread. Clears the slots of dead processes.
struct Pins {
  std::vector<pages::PinnedStates> states;  // as pages::ReusePins wants them
  TxnId published;
  TxnId checkpoint;
};
Pins collect_pins(Store& store);

// Releases what may be reused when so much was taken since the last time that looking costs each
// page taken next to nothing. Small transactions then go on with few pages that are in the caches
// and mapped for writing; a fresh one costs a page fault.
void sweep_if_due(Store& store);

// Releases what may be reused (rule 1). Returns pages released.
std::uint64_t sweep(Store& store, const State& base);

}  // namespace quire::txn
