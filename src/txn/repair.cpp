#include "txn/repair.h"

#include <quire/error.h>

#include <algorithm>
#include <string>

#include "base/test_points.h"
#include "format/record.h"
#include "shared/process.h"
#include "txn/checkpoint.h"
#include "txn/flush.h"
#include "txn/meta_store.h"

namespace quire::txn {

using shared::CheckpointStage;
using shared::WriterLock;

WriterHold::WriterHold(Store& store) : store_(store) { settle(store.writer_lock().lock()); }

namespace {

// Writers wait for a checkpoint that holds the writer lock or the log.
std::string who_makes_a_checkpoint(Store& store) {
  const std::uint32_t intent = store.control().checkpoint_intent.load();
  if (intent == 0) return {};
  return ", a checkpoint is made by " +
         text_of(shared::thread_at(store.region(), shared::pack_thread(intent - 1, 0)));
}

}  // namespace

WriterHold::WriterHold(Store& store, std::chrono::nanoseconds patience) : store_(store) {
  settle(store.writer_lock().lock_for(patience));
  if (holds_) return;
  const auto waited = std::max(std::chrono::milliseconds{0},
                               std::chrono::ceil<std::chrono::milliseconds>(patience));
  throw Error(Errc::busy, store.name() + ": no turn to write within " +
                              std::to_string(waited.count()) + " ms: the writer is " +
                              store.writer_lock().holder() + who_makes_a_checkpoint(store) +
                              "; wait longer, or end it");
}

WriterHold::WriterHold(Store& store, std::try_to_lock_t) : store_(store) {
  settle(store.writer_lock().try_lock());
}

WriterHold::~WriterHold() { release(); }

void WriterHold::release() noexcept {
  if (holds_ && !store_.is_abandoned()) store_.writer_lock().unlock();
  holds_ = false;
}

void WriterHold::settle(WriterLock::Taken taken) {
  if (taken == WriterLock::Taken::no) return;
  holds_ = true;
  auto& repair_pending = store_.control().repair_pending;
  if (taken == WriterLock::Taken::after_death) repair_pending.store(1, std::memory_order_release);
  try {
    store_.require_window();
    if (repair_pending.load(std::memory_order_acquire) == 0) return;
    crash_point("rollback: death found");
    roll_back(store_, true);
    store_.allocator().recount();
    crash_point("rollback: pages counted");
    repair_pending.store(0, std::memory_order_release);
    crash_point("rollback: death settled");
  } catch (...) {
    release();
    throw;
  }
}

namespace {

void erase_uncommitted_record(Store& store, bool writer_died) {
  const log::Ring ring = store.writable_ring();
  const Lsn end = store.visible_state().log_end;
  if (!writer_died && !log::is_header_at(ring, end)) return;
  const FlushTurn turn(store);
  auto& flush_intent = store.control().flush_intent;
  const bool may_have_failed = flush_intent.exchange(store.readers().process_index() + 1) != 0 ||
                               store.control().checkpoint_intent.load() != 0 ||
                               store.control().overtaken.load() != 0;
  if (may_have_failed) redirty_unflushed(store, end);
  Lsn changed = log::erase_record(ring, end);
  crash_point("rollback: record zeroed");
  // A predecessor may have died between erasing and flushing.
  if (writer_died) changed = std::max(changed, Lsn{end.value + sizeof(format::RecordHeader)});
  const std::uint64_t log_offset = static_cast<std::uint64_t>(ring.read - store.data().read_base());
  log::for_pieces(ring, end, changed, [&](std::uint64_t offset, std::uint64_t piece_bytes) {
    if (may_have_failed) redirty(store, log_offset + offset, piece_bytes);
    if (const auto error = store.data().flush_log(log_offset + offset, piece_bytes)) {
      store.poison(error, "flushing the log");
    }
  });
  flush_intent.store(0);
}

// A commit by checkpoint counts from the moment its meta was announced (rule 11), so its pages
// stay. Visible it becomes with durable metas, not here: a flush that somebody makes meanwhile
// would show it to readers, and a power cut take it back.
TxnId newest_that_counts(const Store& store) noexcept {
  const shared::CheckpointWords& checkpoint = store.control().checkpoint;
  const bool is_commit =
      checkpoint.stage.load(std::memory_order_acquire) == CheckpointStage::meta_stored &&
      checkpoint.holds_writer_lock.load() == 1;
  return is_commit ? std::max(store.visible(), TxnId{checkpoint.pending.load()}) : store.visible();
}

}  // namespace

void roll_back(Store& store, bool writer_died) {
  crash_point("rollback: begins");
  store.allocator().repair(newest_that_counts(store));
  crash_point("rollback: pages given back");
  store.require_healthy();
  settle_checkpoint(store);

  crash_point("rollback: checkpoint settled");
  if (sabotaged("record_of_a_killed_writer_left")) return;
  erase_uncommitted_record(store, writer_died);
  crash_point("rollback: record erased");
}

}  // namespace quire::txn
