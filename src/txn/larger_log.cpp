#include "txn/larger_log.h"

#include <quire/error.h>

#include <algorithm>
#include <mutex>

#include "base/test_points.h"
#include "txn/checkpoint.h"
#include "txn/checkpoint_runs.h"
#include "txn/log_size.h"

namespace quire::txn {
namespace {

using shared::CheckpointStage;
using shared::CheckpointWords;

// Committers wait for their own flushes, which queue behind what is written in one go.
constexpr std::uint64_t kSliceBytes = 1 << 20;

void flush(Store& store, std::uint64_t offset, std::uint64_t size_bytes) {
  auto& intent = store.control().checkpoint_intent;
  // A dead process's stays: the next checkpoint has to know of it.
  const std::uint32_t before = intent.exchange(store.readers().process_index() + 1);
  if (const auto error = store.data().flush_pages(offset, size_bytes)) {
    store.poison(error, "flushing a new log");
  }
  intent.store(before);
}

bool write_in_slices(Store& store, std::uint64_t offset, std::uint64_t size_bytes) {
  const std::uint64_t end = offset + size_bytes;
  for (; offset < end; offset += kSliceBytes) {
    if (store.checkpointer().is_stopping()) return false;
    store.require_healthy();
    const std::uint64_t slice_bytes = std::min(end - offset, kSliceBytes);
    store.data().write_zeros(offset, slice_bytes);
    flush(store, offset, slice_bytes);
    crash_point("larger log: slice flushed");
  }
  return true;
}

}  // namespace

std::optional<PageRun> begin_larger_log(Store& store, const State& state) {
  const std::uint32_t page_count = larger_log_pages(store, state);
  if (page_count == 0) return std::nullopt;
  store.require_healthy();
  const RunsMove move(store);
  CheckpointWords& words = store.control().checkpoint;
  words.holds_writer_lock.store(0, std::memory_order_release);
  words.stage.store(CheckpointStage::sealing, std::memory_order_release);
  try {
    const auto run = acquire_run(store, page_count);
    crash_point("larger log: pages taken");
    if (run && has_room_for_map(store, store.read_metas().meta)) return run;
  } catch (...) {
    abandon_checkpoint(store);
    throw;
  }
  note_log_refused(store, std::uint64_t{page_count} * store.facts().page_bytes);
  abandon_checkpoint(store);
  return std::nullopt;
}

void write_larger_log(Store& store, PageRun log) {
  const std::uint64_t page_bytes = store.facts().page_bytes;
  const std::uint64_t size_bytes = log.page_count * page_bytes;
  try {
    if (!write_in_slices(store, log.first.value * page_bytes, size_bytes)) return;
  } catch (const Error& error) {
    if (error.code() != Errc::poisoned) note_log_refused(store, size_bytes);
    throw;
  }
  store.control().checkpoint.stage.store(CheckpointStage::log_prepared, std::memory_order_release);
  crash_point("larger log: prepared");
}

// Whoever dies in the middle of it leaves what every writer settles before it allocates.
void drop_prepared_log(Store& store) {
  if (!is_log_prepared(store)) return;
  store.control().checkpoint.stage.store(CheckpointStage::sealing, std::memory_order_release);
  abandon_checkpoint(store);
}

void give_up_larger_log(Store& store) {
  { const std::lock_guard its_maker_ends(store.checkpoint_lock()); }
  settle_checkpoint(store);
  const std::lock_guard checkpoint_lock(store.checkpoint_lock());
  drop_prepared_log(store);
}

}  // namespace quire::txn
