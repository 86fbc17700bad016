// How a transaction becomes everybody's. In the order of the rules:
//
//   1  the changed tables' roots go into the catalogue, by copy-on-write like everything else
//   2  the record goes to the end of the log, the state record into its slot: void until named
//   3  visible = txn: the commit point (rule 11); the writer lock is released
//   4  full: the log is flushed, by us or by somebody else for us; P and D pass this commit
//
// A transaction too large for a record is committed by a checkpoint instead.
#include <quire/error.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <string>

#include "base/assert.h"
#include "base/test_points.h"
#include "txn/checkpoint.h"
#include "txn/flush.h"
#include "txn/log_size.h"
#include "txn/meta_store.h"
#include "txn/transaction.h"

namespace quire::txn {
namespace {

constexpr std::uint32_t kOversizedCommitsFew = 2;  // no reason for a larger log

}  // namespace

void Transaction::commit(Durability durability) {
  require_usable();
  if (!has_changes()) {
    undo();
    return;
  }
  // What others can see is as safe as it will ever be.
  if (!store_.data().has_disk()) durability = Durability::relaxed;
  try {
    store_.require_durable_name();
    settle();
    discard_open_values();
    keep_all_savepoints();
    if (names_new_feature()) log_is_dropped_ = true;
    write_catalogue();
    store_.allocator().retire_spare();
    base_ = store_.visible_state();  // a checkpoint in the middle may have moved the log
    state_.log_end = base_.log_end;
    if (!fits_log()) {
      const std::lock_guard running_checkpoint_ends(store_.checkpoint_lock());
    }
    state_.page_count = store_.allocator().file_pages();
    state_.deferred_tail = store_.allocator().deferred_tail();
    if (fits_log()) {
      commit_by_record(durability);
    } else {
      const bool outgrows_log =
          is_oversized() && store_.control().oversized_commits.fetch_add(1) >= kOversizedCommitsFew;
      count_as_full();
      commit_by_checkpoint(store_, txn_, state_,
                           {.outgrows_log = outgrows_log, .packing = packing_});
      durability = Durability::full;
    }
  } catch (...) {
    undo();
    throw;
  }
  store_.allocator().end();
  crash_point("commit: transaction ended");
  hold_.release();
  crash_point("commit: writer lock released");
  publish(durability);
  if (!is_checkpoint_due(store_, state_.log_end)) return;
  if (background_checkpoints_ && store_.checkpointer().ask()) return;
  try {
    checkpoint_if_due(store_);
  } catch (const std::exception&) {
    // The commit stands. Whatever stops the checkpoint meets the next transaction, which can report
    // it as its own.
  }
}

// What is visible will be published by the next flush, whoever makes it: no error of ours may say
// that it has not happened.
void Transaction::publish(Durability durability) {
  try {
    if (sabotaged("acknowledged_before_the_flush")) {
      store_.publish(txn_);
    } else if (durability == Durability::full) {
      flush_until(store_, state_.log_end);
    } else if (store_.require_healthy(); store_.published() >= base_.newest_full) {
      store_.publish(txn_);
    } else {
      flush_until(store_, state_.log_end);
    }
  } catch (const Error& error) {
    if (error.code() == Errc::io || error.code() == Errc::poisoned) throw;
    throw Error(Errc::io, std::string("committed, but not known to be durable: ") + error.what());
  } catch (const std::bad_alloc&) {
    throw Error(Errc::io, store_.name() + ": committed, but not known to be durable: no memory");
  }
}

bool Transaction::has_changes() const noexcept {
  if (default_table_.is_changed) return true;
  for (const auto& [name, table] : tables_) {
    if (table.is_changed) return true;
  }
  return false;
}

void Transaction::write_catalogue() {
  if (default_table_.is_changed) state_.default_table = default_table_.tree;
  for (auto& [name, table] : tables_) {
    if (!table.is_changed) continue;
    room_for_one(state_.catalogue);
    if (table.exists) {
      const format::TableRecord record{.tree = table.tree,
                                       .table_id = table.table_id,
                                       .flags = table.is_multimap ? format::kTableIsMultimap : 0,
                                       .pair_count = table.pair_count};
      const std::string_view bytes(reinterpret_cast<const char*>(&record), sizeof record);
      btree::put(space_, state_.catalogue, name, {bytes, nullptr}, btree::PutMode::upsert);
    } else if (table.existed) {
      btree::erase(space_, state_.catalogue, name);
    }
  }
}

// A version that does not know multimaps must find the bit in the metas before it finds one in the
// log: the commit that makes the file's first one is a checkpoint. The bit stays.
bool Transaction::names_new_feature() const {
  return has_made_multimap_ &&
         (store_.read_metas().meta.incompat & format::kIncompatMultimaps) == 0;
}

bool Transaction::fits_log() const {
  if (log_is_dropped_) return false;
  const log::Ring ring = store_.ring();
  const std::uint64_t used =
      base_.log_end.value - store_.control().log_start.load(std::memory_order_acquire);
  const std::uint64_t needed =
      log::bytes_to_append(ring, base_.log_end, record_.size() - sizeof(format::RecordHeader));
  return needed <= ring.size_bytes && used <= ring.size_bytes - needed;
}

// Whatever else is in the log.
bool Transaction::is_oversized() const {
  if (log_is_dropped_) return true;
  const log::Ring ring = store_.ring();
  return log::bytes_to_append(ring, base_.log_end, record_.size() - sizeof(format::RecordHeader)) >
         ring.size_bytes;
}

void Transaction::count_as_full() noexcept {
  state_.newest_full = txn_;
  state_.full_count += 1;
}

void Transaction::commit_by_record(Durability durability) {
  if (!sabotaged("clean_mark_believed")) mark_in_use(store_);
  crash_point("commit: file marked in use");
  format::RecordHeader header;
  header.epoch = store_.control().epoch.load(std::memory_order_relaxed);
  header.flags = names_extents_ ? format::kRecordNamesExtents : 0;
  header.txn = txn_.value;
  header.previous_txn = txn_.value - 1;
  header.durable = store_.durable().value;
  // A flush makes the log's pages read-only again, so that a store into them faults; between
  // commits that nobody flushes, a store is cheaper than a call.
  const log::Ring ring =
      durability == Durability::full ? store_.writable_ring() : store_.mapped_ring();
  const log::Tail tail = log::append(ring, {base_.log_end, base_.log_chain}, header, record_);
  crash_point("commit: record appended");
  state_.log_end = tail.end;
  state_.log_chain = tail.chain;
  if (durability == Durability::full) count_as_full();
  store_.store_state(txn_, state_);
  crash_point("commit: state stored");
  store_.require_readable();  // what was stored for it went into the file
  store_.control().visible.store(txn_.value, std::memory_order_release);
  crash_point("commit: visible");
}

void Transaction::rollback() noexcept {
  if (is_active()) undo();
}

// Never fails: what cannot be taken back now is left to the next owner of the writer lock.
void Transaction::undo() noexcept {
  // A forked child leaves everything to its parent; a failed recovery to the next one, which starts
  // from the file: the record at the log's end is one that it will replay.
  if (store_.is_abandoned() || is_replay_) {
    hold_.release();
    return;
  }
  QUIRE_ASSERT(store_.writer_lock().held_by_this_thread());
  try {
    roll_back(store_, false);
  } catch (...) {
    store_.control().repair_pending.store(1, std::memory_order_release);
  }
  hold_.release();
}

}  // namespace quire::txn
