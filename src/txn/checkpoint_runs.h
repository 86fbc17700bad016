// The runs of pages that a checkpoint takes for its metas to name, and those that only the metas
// before it name, as the region remembers them: whoever finds them after a death gives them back.
//
// The caller of each holds the checkpoint lock; of those that take or give back, the writer lock
// as well.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "format/meta.h"
#include "txn/store.h"

namespace quire::txn {

// Stands, also when its owner dies, while runs are taken or given back: until then their places in
// the lists and their bits need not agree. Only with the writer lock.
class RunsMove {
 public:
  explicit RunsMove(Store& store) noexcept : word_(store.control().checkpoint.runs_move) {
    word_.store(1, std::memory_order_release);
  }
  RunsMove(const RunsMove&) = delete;
  RunsMove& operator=(const RunsMove&) = delete;
  ~RunsMove() { word_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t>& word_;
};

// A run for the new metas to name; the file grows for it when it has to. Nothing when the disk is
// full. It is announced before it is marked in use.
std::optional<PageRun> acquire_run(Store& store, std::uint32_t page_count);

// Runs acquired since the last checkpoint ended, in that order.
std::vector<PageRun> acquired_runs(Store& store);
void give_back_acquired(Store& store);

// The checkpoint that is being written will not name this run any more.
void note_replaced(Store& store, PageRun run) noexcept;
std::vector<PageRun> replaced_runs(Store& store);

// Ends the stage `releasing`: gives back what was replaced.
void release_replaced(Store& store);

// Ends a checkpoint that has stored no meta, and a preparation of a larger log: gives back what was
// acquired.
void abandon_checkpoint(Store& store);

// Whether an acquired run is a log that lacks nothing but its name (txn/larger_log.h). Needs no
// lock.
bool is_log_prepared(const Store& store) noexcept;

std::uint32_t map_pages_needed(Store& store) noexcept;

// Whether the next checkpoint after `newest` will find room for its space map; the file grows for
// it when it has to.
bool has_room_for_map(Store& store, const format::Meta& newest);

}  // namespace quire::txn
