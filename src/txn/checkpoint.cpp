#include "txn/checkpoint.h"

#include <quire/error.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/test_points.h"
#include "format/space_map.h"
#include "shared/process.h"
#include "txn/checkpoint_runs.h"
#include "txn/flush.h"
#include "txn/larger_log.h"
#include "txn/log_size.h"
#include "txn/meta_store.h"
#include "txn/recovery.h"
#include "txn/repair.h"
#include "txn/seal.h"
#include "txn/space.h"

namespace quire::txn {
namespace {

using shared::CheckpointStage;
using shared::CheckpointWords;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSlackBytesMax = 512 << 10;  // stay free at the end of a file that is cut

// What is written in one go while committers wait for their own flushes.
constexpr std::uint32_t kSliceBytes = 256 << 10;
constexpr std::uint64_t kSliceSpanBytes = 8 * kMiB;  // from its first page to its last, at most
static_assert(kSliceBytes >= format::kPageBytesMax);

format::StoredRun stored(PageRun run) noexcept { return {run.first.value, run.page_count}; }

// What a checkpoint is about to name.
struct Plan {
  TxnId txn;
  State state;
  bool commits = false;       // it is the commit of `txn` (rule 11)
  bool is_exclusive = false;  // the writer lock is held to the end: the log may move
  bool new_epoch = false;
  bool outgrows_log = false;
  bool clean = false;
  Packing packing;
};

// One checkpoint from capture to finish. The caller holds the checkpoint lock, and the writer lock
// for `capture`.
class Checkpoint {
 public:
  Checkpoint(Store& store, const Plan& plan)
      : store_(store), words_(store.control().checkpoint), plan_(plan) {}

  void capture() {
    const RunsMove move(store_);
    QUIRE_ASSERT(words_.stage.load() == CheckpointStage::none ||
                 (plan_.is_exclusive && is_log_prepared(store_)));
    has_prepared_log_ = is_log_prepared(store_);
    words_.holds_writer_lock.store(plan_.is_exclusive ? 1 : 0, std::memory_order_release);
    words_.pending.store(plan_.txn.value, std::memory_order_release);
    words_.stage.store(CheckpointStage::sealing, std::memory_order_release);
    crash_point("checkpoint: pinned");
    try {
      const format::MetaChoice newest = store_.read_metas();
      first_slot_ = 1 - newest.slot;
      meta_ = newest.meta;
      fill_meta();
      note_data(store_, plan_.state);
      if (plan_.is_exclusive) move_log();
      crash_point("checkpoint: log placed");
      place_map();
      crash_point("checkpoint: map placed");
      fill_map();
      if (plan_.packing.ends_file) end_file();
      store_.control().checkpointed_nanos.store(shared::coarse_nanos(), std::memory_order_relaxed);
      crash_point("checkpoint: captured");
    } catch (...) {
      abandon_checkpoint(store_);
      throw;
    }
  }

  void write_out() {
    const std::uint32_t intent =
        store_.control().checkpoint_intent.exchange(store_.readers().process_index() + 1);
    const bool is_redirtied = intent != 0;
    if (is_redirtied) redirty_file(store_);
    // A leader that died in a flush leaves values that K names clean, but not on disk.
    if (store_.control().flush_intent.load() != 0 || store_.control().overtaken.load() != 0) {
      redirty_unflushed(store_, plan_.state.log_end);
    }
    const Sealed sealed = seal(store_, plan_.state, store_.checkpointed(), slice_pages());
    if (sealed.has_multimaps) meta_.incompat |= format::kIncompatMultimaps;
    seal_map();
    crash_point("checkpoint: sealed");
    if (plan_.packing.ends_file && sabotaged("file_cut_before_its_metas")) {
      store_.data().shrink(meta_.page_count * store_.facts().page_bytes);
    }
    if (!sabotaged("meta_stored_before_the_flush")) {
      if (is_redirtied || plan_.is_exclusive || plan_.clean) {
        require_flushed(store_.data().flush_all());
      } else {
        flush_in_slices(sealed.runs);
      }
    }
    crash_point("checkpoint: flushed");
    store_.require_healthy();
    announce_meta(store_, meta_, first_slot_);
    crash_point("checkpoint: meta announced");
    complete_checkpoint(store_);
    store_.control().checkpoint_intent.store(0);
  }

 private:
  void fill_meta() {
    begin_own_history(meta_);
    meta_.sequence += 1;
    meta_.checkpoint += 1;
    meta_.txn = plan_.txn.value;
    meta_.id_base = plan_.txn.value;
    meta_.catalogue = plan_.state.catalogue;
    meta_.default_table = plan_.state.default_table;
    meta_.next_table_id = static_cast<std::uint32_t>(plan_.state.next_table_id);
    meta_.log_start = plan_.state.log_end.value;
    meta_.log_chain = plan_.state.log_chain;
    meta_.clean = plan_.clean ? 1 : 0;
    if (plan_.new_epoch) meta_.epoch += 1;
  }

  void move_log() {
    if (has_prepared_log_) {
      const PageRun prepared = acquired_runs(store_).at(0);
      if (sabotaged("prepared_log_given_back")) give_back_acquired(store_);
      replace_log(prepared, prepared.page_count);
    } else if (const auto lower = acquire_lower(meta_.log, plan_.packing.log_pages_max)) {
      replace_log(lower, lower->page_count);
    } else if (const std::uint32_t wanted_pages =
                   larger_log_pages(store_, plan_.state, plan_.outgrows_log);
               wanted_pages != 0 && wanted_pages <= plan_.packing.log_pages_max) {
      replace_log(acquire_run(store_, wanted_pages), wanted_pages);
    }
  }

  // Where it cannot be, the log we have does as well, with more checkpoints; without a map there is
  // none.
  void replace_log(const std::optional<PageRun>& run, std::uint32_t page_count) {
    if (run && has_room_for_map(store_, meta_) && (has_prepared_log_ || write_zeros(*run))) {
      place_log(*run);
    } else {
      if (page_count > meta_.log.page_count)
        note_log_refused(store_, std::uint64_t{page_count} * store_.facts().page_bytes);
      give_back_acquired(store_);
    }
  }

  // A better place for what has one, without growing the file: smaller, or down from beyond the
  // limit.
  std::optional<PageRun> acquire_lower(const format::StoredRun& now, std::uint32_t page_count_max) {
    const std::uint32_t page_count = std::min(now.page_count, page_count_max);
    const bool is_smaller = page_count < now.page_count;
    if (!is_smaller && now.first_page + now.page_count <= plan_.packing.limit) return std::nullopt;
    const auto lowest = store_.allocator().lowest_run(page_count);
    if (!lowest || (!is_smaller && lowest->value >= now.first_page)) return std::nullopt;
    return acquire_run(store_, page_count);
  }

  // False where a file system is full that copies what is overwritten.
  bool write_zeros(PageRun run) {
    const std::uint64_t page_bytes = store_.facts().page_bytes;
    try {
      store_.data().write_zeros(run.first.value * page_bytes, run.page_count * page_bytes);
      return true;
    } catch (const Error& error) {
      if (error.code() == Errc::no_space) return false;
      throw;
    }
  }

  void place_log(PageRun run) {
    const std::uint64_t page_bytes = store_.facts().page_bytes;
    note_replaced(store_, {PageId{meta_.log.first_page}, meta_.log.page_count});
    meta_.log = stored(run);
    meta_.log_start = (meta_.log_start + page_bytes - 1) / page_bytes * page_bytes;
  }

  void place_map() {
    meta_.current_map = 1 - meta_.current_map;
    format::StoredRun& map = meta_.map[meta_.current_map];
    if (map.page_count < map_pages_needed(store_)) {
      // Twice what is needed, so that it is not outgrown at once, also not by the growth that
      // making it may take.
      note_replaced(store_, {PageId{map.first_page}, map.page_count});
      const auto run = acquire_run(store_, map_pages_needed(store_) * 2);
      if (!run) throw Error(Errc::no_space, store_.name() + ": no room for a larger space map");
      map = stored(*run);
    } else if (const auto lower = acquire_lower(map, map.page_count)) {
      note_replaced(store_, {PageId{map.first_page}, map.page_count});
      map = stored(*lower);
    }
    QUIRE_ASSERT(map.page_count >= map_pages_needed(store_));
    meta_.page_count = store_.allocator().file_pages();
  }

  // The map of K: what is in use, less what only older snapshots need, less what the running
  // transaction has taken.
  void fill_map() {
    const auto words = store_.allocator().bitmap_words();
    const std::uint64_t words_per_page = format::map_page_bits(store_.facts().page_bytes) / 64;
    const format::StoredRun& map = meta_.map[meta_.current_map];
    for (std::uint32_t index = 0; index < map.page_count; ++index) {
      std::uint64_t* target = format::map_words(map_page(index));
      for (std::uint64_t word = 0; word < words_per_page; ++word) {
        const std::uint64_t source = index * words_per_page + word;
        target[word] = source < words.size() ? words[source].load(std::memory_order_relaxed) : 0;
      }
    }
    store_.allocator().for_each_deferred(
        plan_.state.deferred_tail, [&](const pages::DeferredFree& entry) {
          clear_in_map({PageId{entry.first_page}, entry.page_count});
        });
    if (!plan_.commits) store_.allocator().for_each_taken([&](PageRun run) { clear_in_map(run); });
    for (const PageRun run : replaced_runs(store_)) clear_in_map(run);
  }

  // The file is cut there when both metas are durable (rule 7).
  void end_file() noexcept {
    const std::uint64_t end = end_of_pages_in_use();
    // Where the log is small, so is what comes next.
    const std::uint64_t slack_pages = std::min(kSlackBytesMax / store_.facts().page_bytes,
                                               meta_.log.page_count / std::uint64_t{2});
    if (meta_.page_count - end >= 2 * slack_pages) meta_.page_count = end + slack_pages;
  }

  std::uint64_t end_of_pages_in_use() const noexcept {
    const std::uint64_t bits_per_page = format::map_page_bits(store_.facts().page_bytes);
    for (std::uint64_t page = meta_.page_count; page > 0;) {
      page = (page - 1) / 64 * 64;
      const auto index = static_cast<std::uint32_t>(page / bits_per_page);
      const std::uint64_t word = format::map_words(map_page(index))[page % bits_per_page / 64];
      if (word != 0) return page + 64 - static_cast<std::uint64_t>(std::countl_zero(word));
    }
    return 0;
  }

  void clear_in_map(PageRun run) noexcept {
    const std::uint64_t bits_per_page = format::map_page_bits(store_.facts().page_bytes);
    for (std::uint64_t page = run.first.value;
         page < std::uint64_t{run.first.value} + run.page_count; ++page) {
      std::uint64_t* words =
          format::map_words(map_page(static_cast<std::uint32_t>(page / bits_per_page)));
      const std::uint64_t bit = page % bits_per_page;
      words[bit / 64] &= ~(std::uint64_t{1} << bit % 64);
    }
  }

  // Nobody waits for the writer lock here, but committers wait for their flushes, which queue
  // behind what is written in one go, and for pages of the file that are being written.
  void flush_in_slices(const std::vector<PageRun>& runs) {
    const std::uint64_t page_bytes = store_.facts().page_bytes;
    const std::uint64_t span_pages_max = kSliceSpanBytes / page_bytes;
    for (auto run = runs.begin(); run != runs.end();) {
      const std::uint64_t first = run->first.value;
      std::uint64_t end = first;
      std::uint64_t page_count = 0;
      for (; run != runs.end() && run->first.value + run->page_count <= first + span_pages_max &&
             page_count + run->page_count <= slice_pages();
           ++run) {
        end = run->first.value + run->page_count;
        page_count += run->page_count;
      }
      require_flushed(store_.data().flush_pages(first * page_bytes, (end - first) * page_bytes));
      crash_point("checkpoint: slice flushed");
    }
    const format::StoredRun& map = meta_.map[meta_.current_map];
    require_flushed(store_.data().flush_pages(std::uint64_t{map.first_page} * page_bytes,
                                              std::uint64_t{map.page_count} * page_bytes));
  }

  std::uint32_t slice_pages() const noexcept { return kSliceBytes / store_.facts().page_bytes; }

  void require_flushed(const std::error_code& error) {
    if (error) store_.poison(error, "flushing a checkpoint");
  }

  void seal_map() {
    const format::StoredRun& map = meta_.map[meta_.current_map];
    for (std::uint32_t index = 0; index < map.page_count; ++index) {
      format::seal_map_page(map_page(index), PageId{map.first_page + index}, index,
                            meta_.checkpoint, store_.facts().page_bytes,
                            store_.facts().checksum_seed);
    }
  }

  std::byte* map_page(std::uint32_t index) const noexcept {
    const std::uint64_t page = std::uint64_t{meta_.map[meta_.current_map].first_page} + index;
    return store_.data().write_base() + page * store_.facts().page_bytes;
  }

  Store& store_;
  CheckpointWords& words_;
  Plan plan_;
  format::Meta meta_;
  int first_slot_ = 0;
  bool has_prepared_log_ = false;
};

// What is left to do once nobody else holds the checkpoint lock. A prepared log stays.
void settle_locked(Store& store) {
  const CheckpointStage stage = store.control().checkpoint.stage.load(std::memory_order_acquire);
  if (stage == CheckpointStage::sealing) abandon_checkpoint(store);
  if (stage == CheckpointStage::meta_stored && sabotaged("stored_meta_abandoned")) {
    abandon_checkpoint(store);
  } else if (stage == CheckpointStage::meta_stored) {
    store.require_healthy();
    complete_checkpoint(store);
  }
  if (store.control().checkpoint.stage.load() == CheckpointStage::releasing)
    release_replaced(store);
}

Plan plan_for_visible(Store& store) {
  Plan plan;
  plan.txn = store.visible();
  plan.state = store.visible_state();
  return plan;
}

// A checkpoint under the writer lock from beginning to end. Failing before its meta was stored, it
// leaves no trace.
void run_exclusively(Store& store, Plan plan) {
  const FlushTurn turn(store);
  plan.is_exclusive = true;
  Checkpoint run(store, plan);
  run.capture();
  if (plan.commits) store.store_state(plan.txn, plan.state);
  try {
    run.write_out();
  } catch (...) {
    if (store.control().checkpoint.stage.load() == CheckpointStage::sealing)
      abandon_checkpoint(store);
    throw;
  }
  settle_locked(store);
}

}  // namespace

void checkpoint(Store& store, bool mark_clean) {
  WriterHold writer(store);
  const std::lock_guard checkpoint_lock(store.checkpoint_lock());
  settle_locked(store);
  Plan plan = plan_for_visible(store);
  plan.clean = mark_clean;
  const bool is_marked = !mark_clean || store.control().clean.load() == 1;
  if (plan.txn == store.checkpointed() && is_marked) return;
  if (is_log_prepared(store)) {
    run_exclusively(store, plan);
    return;
  }
  Checkpoint run(store, plan);
  run.capture();
  writer.release();
  run.write_out();
}

void checkpoint_packed(Store& store, const Packing& packing, bool mark_clean) {
  const WriterHold writer(store);
  const std::lock_guard checkpoint_lock(store.checkpoint_lock());
  settle_locked(store);
  drop_prepared_log(store);
  Plan plan = plan_for_visible(store);
  plan.clean = mark_clean;
  plan.packing = packing;
  run_exclusively(store, plan);
}

void checkpoint_by_writer(Store& store) {
  const std::lock_guard checkpoint_lock(store.checkpoint_lock());
  settle_locked(store);
  if (store.visible() > store.checkpointed()) run_exclusively(store, plan_for_visible(store));
}

void checkpoint_for_room(Store& store) {
  const std::lock_guard checkpoint_lock(store.checkpoint_lock());
  settle_locked(store);
  drop_prepared_log(store);
  if (store.visible() <= store.checkpointed()) return;
  Plan plan = plan_for_visible(store);
  plan.packing.log_pages_max = shared::unpack_run(store.control().log_run.load()).page_count;
  run_exclusively(store, plan);
}

bool checkpoint_if_due(Store& store) {
  if (!is_checkpoint_due(store)) return true;
  WriterHold writer(store, std::try_to_lock);
  if (!writer.holds()) return false;
  const std::unique_lock checkpoint_lock(store.checkpoint_lock(), std::try_to_lock);
  if (!checkpoint_lock.owns_lock()) return true;
  settle_locked(store);
  if (!is_checkpoint_due(store)) return true;
  const Plan plan = plan_for_visible(store);
  if (is_log_prepared(store)) {
    run_exclusively(store, plan);
    return true;
  }
  if (const auto larger = begin_larger_log(store, plan.state)) {
    writer.release();
    write_larger_log(store, *larger);
    return false;  // it is moved to when nobody has the writer lock
  }
  Checkpoint run(store, plan);
  run.capture();
  writer.release();
  run.write_out();
  note_commits_meanwhile(store, plan.state.log_end);
  return true;
}

void commit_by_checkpoint(Store& store, TxnId txn, const State& state, const CommitTerms& terms) {
  const std::lock_guard checkpoint_lock(store.checkpoint_lock());
  settle_locked(store);
  if (terms.packing.log_pages_max != UINT32_MAX) drop_prepared_log(store);
  run_exclusively(store, {.txn = txn,
                          .state = state,
                          .commits = true,
                          .new_epoch = terms.new_epoch,
                          .outgrows_log = terms.outgrows_log,
                          .packing = terms.packing});
}

void settle_checkpoint(Store& store) {
  CheckpointWords& words = store.control().checkpoint;
  const CheckpointStage stage = words.stage.load(std::memory_order_acquire);
  const bool is_under_way =
      stage == CheckpointStage::sealing || stage == CheckpointStage::meta_stored;
  // Then its owner had the writer lock, which we have now: it is dead or has failed. The system may
  // take a while to let go of the other lock, until the last thread of it is gone.
  const bool is_left_alone =
      words.runs_move.load() != 0 || (is_under_way && words.holds_writer_lock.load() == 1);
  if (is_left_alone) {
    const std::lock_guard checkpoint_lock(store.checkpoint_lock());
    settle_locked(store);
    words.runs_move.store(0);
  } else if (stage == CheckpointStage::releasing) {
    release_replaced(store);
  } else if (is_under_way) {
    // Its owner holds the checkpoint lock for as long as it lives and has not failed.
    const std::unique_lock checkpoint_lock(store.checkpoint_lock(), std::try_to_lock);
    if (checkpoint_lock.owns_lock()) settle_locked(store);
  }
}

}  // namespace quire::txn
