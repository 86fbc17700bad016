// Going back in the middle of a transaction. While a savepoint is open no page that is older
// changes (pages/page_space.h), so a table is back when it has its root back: nothing is undone
// step by step, and it does not matter how far a change that failed has come.
#include <quire/error.h>

#include <algorithm>
#include <utility>

#include "base/test_points.h"
#include "txn/checkpoint.h"
#include "txn/transaction.h"

namespace quire::txn {
namespace {

// Values begun before the savepoint around the one that has ended as well.
void hand_on_values(const OpenSavepoint& ended, OpenSavepoint& around) {
  for (const OpenSavepoint::FinishedValue& value : ended.finished_values) {
    if (value.number < around.next_value_number) around.finished_values.push_back(value);
  }
}

}  // namespace

std::uint64_t Transaction::begin_savepoint() {
  require_usable();
  settle();
  savepoints_.reserve(savepoints_.size() + 1);
  space_.begin_savepoint();
  savepoints_.push_back({.number = ++era_,
                         .record_bytes = record_.size(),
                         .table_count = table_count_,
                         .next_table_id = state_.next_table_id,
                         .tables = {},
                         .next_value_number = next_value_number_,
                         .finished_values = {}});
  return era_;
}

bool Transaction::is_open(std::uint64_t savepoint) const noexcept {
  return is_active() &&
         std::any_of(savepoints_.begin(), savepoints_.end(),
                     [&](const OpenSavepoint& open) { return open.number == savepoint; });
}

void Transaction::require_open(std::uint64_t savepoint) const {
  if (is_open(savepoint)) return;
  throw Error(Errc::misuse, store_.name() +
                                ": the savepoint has ended: it, or one around it, was released, "
                                "or one around it was rolled back");
}

// The first time since the newest savepoint.
void Transaction::save_before_change(OpenTable& table) {
  OpenSavepoint& newest = savepoints_.back();
  if (table.saved_by == newest.number) return;
  newest.tables.push_back({&table, table});
  table.saved_by = newest.number;
}

// The newest savepoint stays open.
void Transaction::return_to_newest() {
  OpenSavepoint& newest = savepoints_.back();
  for (const OpenSavepoint::SavedTable& saved : newest.tables) {
    static_cast<TableState&>(*saved.table) = saved.state;
    ++saved.table->changes;
  }
  newest.tables.clear();
  table_count_ = newest.table_count;
  state_.next_table_id = newest.next_table_id;
  if (!log_is_dropped_) record_.resize(newest.record_bytes);
  ++era_;
  space_.return_to_savepoint();
}

// Of values that are written in pieces, none goes on: how far each had come at the savepoint nobody
// knows. Those begun since are gone already; for the others the pages are freed as if before it.
void Transaction::give_up_values(OpenSavepoint& newest) {
  auto lost = std::exchange(newest.finished_values, {});
  for (const auto& [number, value] : open_values_) {
    const bool is_older = number < newest.next_value_number;
    if (is_older && !value.is_inline()) lost.push_back({number, value.extent});
  }
  open_values_.clear();
  if (lost.empty()) return;
  space_.release_savepoint();
  for (const OpenSavepoint::FinishedValue& value : lost) space_.free_extent(value.extent);
  space_.begin_savepoint();
  // Should the savepoint around this one be rolled back as well, these frees are taken back.
  if (savepoints_.size() < 2) return;
  OpenSavepoint& around = savepoints_[savepoints_.size() - 2];
  for (const OpenSavepoint::FinishedValue& value : lost) {
    if (value.number < around.next_value_number) around.finished_values.push_back(value);
  }
}

void Transaction::roll_back_to(std::uint64_t savepoint) {
  require_running();
  if (is_broken_ && !is_out_of_space_) require_usable();
  require_open(savepoint);
  const bool has_failed = std::exchange(is_broken_, true);  // until all is back
  is_out_of_space_ = false;
  // What a checkpoint that failed has announced must not be allocated before it was given back.
  if (has_failed) {
    settle_checkpoint(store_);
    // The file may have grown before there was no more room.
    space_.set_page_count(static_cast<std::uint32_t>(store_.allocator().file_pages()));
  }
  drop_unsettled();
  while (savepoints_.back().number != savepoint) {
    return_to_newest();
    space_.release_savepoint();
    const OpenSavepoint ended = std::move(savepoints_.back());
    savepoints_.pop_back();
    hand_on_values(ended, savepoints_.back());
  }
  return_to_newest();
  give_up_values(savepoints_.back());
  is_broken_ = false;
  crash_point("savepoint: rolled back");
}

// What was done since the newest savepoint was done since the one around it.
void Transaction::keep_newest() {
  space_.release_savepoint();
  const OpenSavepoint ended = std::move(savepoints_.back());
  savepoints_.pop_back();
  if (savepoints_.empty()) return;
  OpenSavepoint& around = savepoints_.back();
  for (const OpenSavepoint::SavedTable& saved : ended.tables) {
    if (saved.state.saved_by != around.number) around.tables.push_back(saved);
    saved.table->saved_by = around.number;
  }
  hand_on_values(ended, around);
}

void Transaction::keep_all_savepoints() {
  while (!savepoints_.empty()) keep_newest();
}

void Transaction::release(std::uint64_t savepoint) {
  require_usable();
  require_open(savepoint);
  settle();           // what fails, fails while it can be rolled back
  is_broken_ = true;  // until all is kept
  while (savepoints_.back().number != savepoint) keep_newest();
  keep_newest();
  is_broken_ = false;
  crash_point("savepoint: released");
}

}  // namespace quire::txn
