#include "txn/checkpoint_runs.h"

#include "base/assert.h"
#include "base/test_points.h"
#include "format/space_map.h"
#include "txn/space.h"

namespace quire::txn {
namespace {

using shared::CheckpointStage;
using shared::CheckpointWords;
using List = std::array<std::atomic<std::uint64_t>, shared::kCheckpointRuns>;

// Puts a run into the first empty place.
void note(List& list, PageRun run) noexcept {
  for (auto& place : list) {
    if (place.load() != 0) continue;
    place.store(shared::pack_run({run.first.value, run.page_count}), std::memory_order_release);
    return;
  }
  QUIRE_ASSERT(false);
}

std::vector<PageRun> runs_of(const List& list) {
  std::vector<PageRun> runs;
  for (const auto& place : list) {
    const shared::Run run = shared::unpack_run(place.load());
    if (run.page_count != 0) runs.push_back({PageId{run.first_page}, run.page_count});
  }
  return runs;
}

void clear_list(List& list) noexcept {
  for (auto& place : list) place.store(0, std::memory_order_release);
}

void give_back_list(Store& store, List& list) {
  for (const PageRun run : runs_of(list)) store.allocator().give_back(run);
  crash_point("checkpoint: runs free, still listed");
  clear_list(list);
}

CheckpointWords& words_of(Store& store) noexcept { return store.control().checkpoint; }

}  // namespace

std::optional<PageRun> acquire_run(Store& store, std::uint32_t page_count) {
  const auto announce = [&](PageRun run) { note(words_of(store).acquired, run); };
  auto first = store.allocator().take_run(page_count, announce);
  if (!first && grow_file(store, page_count))
    first = store.allocator().take_run(page_count, announce);
  if (!first) return std::nullopt;
  return PageRun{*first, page_count};
}

std::vector<PageRun> acquired_runs(Store& store) { return runs_of(words_of(store).acquired); }
void give_back_acquired(Store& store) { give_back_list(store, words_of(store).acquired); }

void note_replaced(Store& store, PageRun run) noexcept { note(words_of(store).replaced, run); }
std::vector<PageRun> replaced_runs(Store& store) { return runs_of(words_of(store).replaced); }

void release_replaced(Store& store) {
  give_back_list(store, words_of(store).replaced);
  crash_point("checkpoint: replaced runs given back");
  words_of(store).stage.store(CheckpointStage::none, std::memory_order_release);
}

void abandon_checkpoint(Store& store) {
  const RunsMove move(store);
  CheckpointWords& words = words_of(store);
  give_back_acquired(store);
  crash_point("checkpoint: acquired runs given back");
  clear_list(words.replaced);
  words.pending.store(0, std::memory_order_release);
  words.stage.store(CheckpointStage::none, std::memory_order_release);
}

bool is_log_prepared(const Store& store) noexcept {
  return store.control().checkpoint.stage.load(std::memory_order_acquire) ==
         CheckpointStage::log_prepared;
}

std::uint32_t map_pages_needed(Store& store) noexcept {
  return static_cast<std::uint32_t>(
      format::map_pages_needed(store.allocator().file_pages(), store.facts().page_bytes));
}

bool has_room_for_map(Store& store, const format::Meta& newest) {
  const std::uint64_t needed = map_pages_needed(store);
  return newest.map[1 - newest.current_map].page_count >= needed ||
         store.allocator().has_run(needed * 2) || grow_file(store, needed * 2);
}

}  // namespace quire::txn
