#include "txn/flush.h"

#include <quire/error.h>

#include <chrono>
#include <mutex>
#include <vector>

#include "base/test_points.h"
#include "format/record.h"
#include "txn/company.h"
#include "txn/meta_store.h"

namespace quire::txn {
namespace {

constexpr std::chrono::microseconds kFollowerPause{5000};  // a lost wake-up costs no more than this

// The extents that the records between two positions name, whoever committed them (rule 3). False
// when a checkpoint has overtaken this flush and writers reuse that part of the ring: each record
// is verified after it was read.
bool collect_extents(Store& store, const log::Ring& ring, Lsn from, Lsn to,
                     std::vector<format::ExtentRef>& extents) {
  const pages::PageView view = store.view(store.allocator().file_pages());
  Lsn position = from;
  while (position < to) {
    const std::size_t known_count = extents.size();
    const log::Glance glance = log::glance_at(ring, position);
    if ((glance.flags & format::kRecordNamesExtents) != 0) {
      format::OperationReader operations(glance.payload);
      format::Operation operation;
      while (operations.next(operation)) {
        if (sabotaged("extents_of_others_not_flushed") && glance.next != to) break;
        if (operation.kind == format::OperationKind::put_extent)
          extents.push_back(operation.extent);
      }
    }
    if (glance.next == position || !log::is_unchanged(ring, position, glance)) {
      if (Lsn{store.control().log_start.load()} > position) return false;
      throw Error(Errc::corrupt, store.name() + ": log position " + std::to_string(position.value) +
                                     ": the record is damaged in memory");
    }
    for (std::size_t index = known_count; index < extents.size(); ++index) {
      const char* reason = view.fault_of(extents[index]);
      if (reason != nullptr) view.corrupt(extents[index].first_page, reason);
    }
    position = glance.next;
  }
  return true;
}

void flush_extents(Store& store, const std::vector<format::ExtentRef>& extents) {
  for (const format::ExtentRef& extent : extents) {
    const std::uint64_t offset = std::uint64_t{extent.first_page} * store.facts().page_bytes;
    if (const auto error = store.data().flush_log(offset, extent.size_bytes)) {
      store.poison(error, "flushing a large value");
    }
  }
}

// A process that died between a failed flush and the poison word has left pages that are clean but
// not on disk. Storing what they hold makes them dirty again, so that the next flush means what it
// says (rule 6).
void redirty_covered(Store& store, const log::Ring& ring, Lsn from, Lsn to,
                     const std::vector<format::ExtentRef>& extents) {
  const std::uint64_t log_offset = static_cast<std::uint64_t>(ring.read - store.data().read_base());
  log::for_pieces(ring, from, to, [&](std::uint64_t offset, std::uint64_t piece_bytes) {
    redirty(store, log_offset + offset, piece_bytes);
  });
  for (const format::ExtentRef& extent : extents) {
    redirty(store, std::uint64_t{extent.first_page} * store.facts().page_bytes, extent.size_bytes);
  }
}

void flush_log(Store& store, const log::Ring& ring, Lsn from, Lsn to) {
  const std::uint64_t log_offset = static_cast<std::uint64_t>(ring.read - store.data().read_base());
  log::for_pieces(ring, from, to, [&](std::uint64_t offset, std::uint64_t piece_bytes) {
    if (const auto error = store.data().flush_log(log_offset + offset, piece_bytes)) {
      store.poison(error, "flushing the log");
    }
  });
}

// One flush, as its leader; the flush lock is held.
void lead(Store& store) {
  shared::Control& control = store.control();
  const auto begin = std::chrono::steady_clock::now();
  const TxnId target = store.visible();
  State state;
  if (!store.load_state(target, state)) return;  // others have published far beyond it meanwhile
  const Lsn durable = store.durable();
  if (durable >= state.log_end) return;
  store.require_window();
  const log::Ring ring = store.ring();
  std::vector<format::ExtentRef> extents;
  crash_point("flush: target chosen");
  if (!collect_extents(store, ring, durable, state.log_end, extents)) return;

  const std::uint32_t intent = control.flush_intent.exchange(store.readers().process_index() + 1);
  // Also the flush of a checkpoint covers the log.
  if (intent != 0 || control.checkpoint_intent.load() != 0 || control.overtaken.load() != 0) {
    redirty_covered(store, ring, durable, state.log_end, extents);
  }
  crash_point("flush: intent noted");
  flush_extents(store, extents);
  crash_point("flush: extents flushed");
  flush_log(store, ring, durable, state.log_end);
  crash_point("flush: log flushed");
  store.require_healthy();
  if (sabotaged("published_moved_backwards")) {
    control.published.store(target.value);
  } else {
    store.publish(target);
  }
  crash_point("flush: published");
  raise(control.durable, state.log_end.value);
  crash_point("flush: durable");
  control.flush_intent.store(0);
  note_company(store, state, std::chrono::steady_clock::now() - begin);
}

}  // namespace

FlushTurn::FlushTurn(Store& store, std::chrono::milliseconds patience)
    : store_(store), holds_(true) {
  if (!store.flush_lock().lock_for(patience)) store.control().overtaken.store(1);
  store.control().flush_turn.store(1, std::memory_order_relaxed);
}

FlushTurn::FlushTurn(Store& store, std::try_to_lock_t)
    : store_(store), holds_(store.flush_lock().try_lock()) {
  if (holds_) store.control().flush_turn.store(1, std::memory_order_relaxed);
}

FlushTurn::~FlushTurn() {
  if (!holds_) return;
  store_.control().flush_turn.store(0);
  store_.flush_lock().unlock();
  // Not sooner: a follower that this flush did not cover would find the lock still taken, sleep
  // again, and nobody would wake it.
  shared::event_signal(store_.control().flush_event);
}

void redirty_unflushed(Store& store, Lsn to) {
  const Lsn durable = store.durable();
  if (durable >= to) return;
  const log::Ring ring = store.ring();
  std::vector<format::ExtentRef> extents;
  if (collect_extents(store, ring, durable, to, extents)) {
    redirty_covered(store, ring, durable, to, extents);
  }
}

namespace {

// False when the flush is somebody else's. `asks`: also when it only looks like that, after a
// death.
bool try_to_lead(Store& store, bool asks) {
  if (!asks && store.control().flush_turn.load() != 0) return false;
  const FlushTurn turn(store, std::try_to_lock);
  if (!turn.holds()) return false;
  // With the writer lock, which a transaction may hold that needs room among the states, nobody
  // could come.
  if (!store.writer_lock().held_by_this_thread()) await_company(store);
  crash_point("flush: company awaited");
  lead(store);
  return true;
}

}  // namespace

void flush_until(Store& store, Lsn target) {
  shared::Control& control = store.control();
  const auto patience_ends = std::chrono::steady_clock::now() + kLeaderPatience;
  bool was_woken = true;
  for (;;) {
    const std::uint32_t event = shared::event_count(control.flush_event);
    if (store.durable() >= target) return;
    store.require_healthy();
    if (try_to_lead(store, !was_woken)) continue;
    if (std::chrono::steady_clock::now() < patience_ends) {
      was_woken = shared::event_wait(control.flush_event, event, kFollowerPause);
    } else {
      const FlushTurn turn(store, std::chrono::milliseconds{0});  // it was waited for already
      lead(store);
    }
  }
}

}  // namespace quire::txn
