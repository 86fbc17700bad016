#include "txn/flush.h"

#include <quire/error.h>

#include <mutex>

#include "format/record.h"
#include "shared/futex.h"
#include "txn/meta_store.h"

namespace quire::txn {
namespace {

constexpr std::chrono::microseconds kFollowerPause{5000};  // a lost wake-up costs no more than this

// Writes out the extents that the records between two positions name, whoever committed them (rule
// 3).
void flush_extents(Store& store, const log::Ring& ring, Lsn from, Lsn to) {
  std::uint64_t position = from.value;
  while (position < to.value) {
    const auto* record =
        reinterpret_cast<const format::RecordHeader*>(ring.read + position % ring.size_bytes);
    if (record->lsn != position || record->total_bytes == 0) {
      throw Error(Errc::corrupt, store.name() + ": log position " + std::to_string(position) +
                                     ": the record is damaged in memory");
    }
    position += record->total_bytes;
    if ((record->flags & format::kRecordNamesExtents) == 0) continue;
    format::OperationReader operations(log::payload_of(record));
    format::Operation operation;
    while (operations.next(operation)) {
      if (operation.kind != format::OperationKind::put_extent) continue;
      const std::uint64_t offset =
          std::uint64_t{operation.extent.first_page} * store.facts().page_bytes;
      if (const auto error = store.data().flush_log(offset, operation.extent.size_bytes)) {
        store.poison(error, "flushing a large value");
      }
    }
  }
}

// A process that died between a failed flush and the poison word has left pages that are clean but
// not on disk. Storing what they hold makes them dirty again, so that the next flush means what it
// says (rule 6).
void redirty_log(Store& store, const log::Ring& ring, Lsn from, Lsn to) {
  const std::uint64_t log_offset = static_cast<std::uint64_t>(ring.read - store.data().read_base());
  log::for_pieces(ring, from, to, [&](std::uint64_t offset, std::uint64_t piece_bytes) {
    redirty(store, log_offset + offset, piece_bytes);
  });
  std::uint64_t position = from.value;
  while (position < to.value) {
    const auto* record =
        reinterpret_cast<const format::RecordHeader*>(ring.read + position % ring.size_bytes);
    if (record->lsn != position || record->total_bytes == 0) return;  // flush_extents reports it
    position += record->total_bytes;
    format::OperationReader operations(log::payload_of(record));
    format::Operation operation;
    while (operations.next(operation)) {
      if (operation.kind != format::OperationKind::put_extent) continue;
      redirty(store, std::uint64_t{operation.extent.first_page} * store.facts().page_bytes,
              operation.extent.size_bytes);
    }
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
  const TxnId target = store.visible();
  State state;
  if (!store.load_state(target, state)) return;  // others have published far beyond it meanwhile
  const Lsn durable = store.durable();
  if (durable >= state.log_end) return;
  const log::Ring ring = store.ring();

  const std::uint32_t intent = control.flush_intent.exchange(store.readers().process_index() + 1);
  if (intent != 0) redirty_log(store, ring, durable, state.log_end);
  flush_extents(store, ring, durable, state.log_end);
  flush_log(store, ring, durable, state.log_end);
  store.require_healthy();
  raise(control.published, target.value);
  raise(control.durable, state.log_end.value);
  control.flush_intent.store(0);
  control.flush_event.fetch_add(1);
  shared::futex_wake_all(control.flush_event);
}

}  // namespace

void flush_until(Store& store, Lsn target) {
  shared::Control& control = store.control();
  for (;;) {
    const std::uint32_t event = control.flush_event.load();
    if (store.durable() >= target) return;
    store.require_healthy();
    if (std::unique_lock leader(store.flush_lock(), std::try_to_lock); leader.owns_lock()) {
      lead(store);
    } else {
      shared::futex_wait(control.flush_event, event, kFollowerPause);
    }
  }
}

}  // namespace quire::txn
