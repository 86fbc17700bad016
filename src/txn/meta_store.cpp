#include "txn/meta_store.h"

#include <array>
#include <cstring>
#include <mutex>

#include "base/assert.h"
#include "base/test_points.h"
#include "txn/recovery.h"

namespace quire::txn {
namespace {

using shared::CheckpointStage;

static_assert(sizeof(format::Meta) == shared::kMetaWords * 8);

format::Meta announced_meta(const Store& store) {
  std::array<std::uint64_t, shared::kMetaWords> words;
  for (std::size_t index = 0; index < words.size(); ++index) {
    words[index] = store.control().checkpoint.meta[index].load(std::memory_order_acquire);
  }
  format::Meta meta;
  std::memcpy(static_cast<void*>(&meta), words.data(), sizeof meta);
  return meta;
}

void store_meta(Store& store, format::Meta meta, int slot) {
  meta.checksum = format::meta_checksum(meta);
  std::memcpy(store.data().write_base() + format::kMetaOffset[slot], &meta, sizeof meta);
  crash_point("meta: stored");
  if (const auto error = store.data().flush_pages(format::kMetaOffset[slot], sizeof meta)) {
    store.poison(error, "flushing a meta page");
  }
  store.require_healthy();
}

void store_both(Store& store, const format::Meta& meta, int first_slot) {
  store_meta(store, meta, first_slot);
  crash_point("meta: first flushed");
  if (sabotaged("only_one_meta_written")) return;
  store_second_meta(store, meta, 1 - first_slot);
  crash_point("meta: both flushed");
}

// A checkpoint that moved the log has moved its end as well. One word of the newest state changes
// in place; nobody but writers reads it.
void update_log_end(Store& store, const format::Meta& meta) {
  const auto& run = meta.log;
  if (store.control().log_run.load() == shared::pack_run({run.first_page, run.page_count})) return;
  static_assert(offsetof(State, log_end) % 8 == 0);
  store.region().state(meta.txn).words[offsetof(State, log_end) / 8].store(
      meta.log_start, std::memory_order_release);
}

void make_current(Store& store, const format::Meta& meta) {
  shared::Control& control = store.control();
  if (control.checkpoint.holds_writer_lock.load() == 1) raise(control.visible, meta.txn);
  // P and D first: a flush that is under way then finds nothing left to do and looks at no log.
  store.publish(TxnId{meta.txn});
  raise(control.durable, meta.log_start);
  crash_point("checkpoint: published");
  State covered;
  if (store.load_state(TxnId{meta.txn}, covered)) raise(control.flushed_full, covered.full_count);
  update_log_end(store, meta);
  control.log_start.store(meta.log_start, std::memory_order_release);
  control.epoch.store(meta.epoch, std::memory_order_release);
  control.log_run.store(shared::pack_run({meta.log.first_page, meta.log.page_count}),
                        std::memory_order_release);
  control.clean.store(meta.clean, std::memory_order_release);
  crash_point("checkpoint: log released");
  control.checkpoint.current.store(meta.txn, std::memory_order_release);
  crash_point("checkpoint: current");
  control.checkpoint.pending.store(0, std::memory_order_release);
  for (auto& place : control.checkpoint.acquired) place.store(0, std::memory_order_release);
  control.checkpoint.stage.store(CheckpointStage::releasing, std::memory_order_release);
  shared::event_signal(control.flush_event);
}

}  // namespace

void announce_meta(Store& store, const format::Meta& meta, int first_slot) {
  std::array<std::uint64_t, shared::kMetaWords> words;
  std::memcpy(words.data(), &meta, sizeof meta);
  shared::CheckpointWords& checkpoint = store.control().checkpoint;
  for (std::size_t index = 0; index < words.size(); ++index) {
    checkpoint.meta[index].store(words[index], std::memory_order_release);
  }
  checkpoint.first_meta_slot.store(static_cast<std::uint64_t>(first_slot),
                                   std::memory_order_release);
  checkpoint.stage.store(CheckpointStage::meta_stored, std::memory_order_release);
}

void store_second_meta(Store& store, format::Meta first, int slot) {
  first.sequence += 1;
  store_meta(store, first, slot);
}

void complete_checkpoint(Store& store) {
  const format::Meta meta = announced_meta(store);
  store_both(store, meta, static_cast<int>(store.control().checkpoint.first_meta_slot.load()));
  make_current(store, meta);
}

void mark_in_use(Store& store) {
  if (store.control().clean.load(std::memory_order_acquire) == 0) return;
  const std::lock_guard checkpoint_lock(store.checkpoint_lock());
  const format::MetaChoice newest = store.read_metas();
  format::Meta meta = newest.meta;
  begin_own_history(meta);
  meta.sequence += 1;
  meta.clean = 0;
  store_both(store, meta, 1 - newest.slot);
  store.control().clean.store(0, std::memory_order_release);
}

void redirty(Store& store, std::uint64_t offset, std::uint64_t size_bytes) {
  if (store.data().is_private()) return;  // nothing of it is ever written; storing would copy it
  crash_point("redirty: begins", offset, size_bytes);
  constexpr std::uint64_t kSystemPageBytes = 4096;
  const std::uint64_t limit = offset + size_bytes;
  for (std::uint64_t at = offset / kSystemPageBytes * kSystemPageBytes; at < limit;
       at += kSystemPageBytes) {
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(store.data().write_base() + at)).fetch_or(0);
  }
}

void redirty_file(Store& store) {
  redirty(store, 0, store.allocator().file_pages() * store.facts().page_bytes);
}

}  // namespace quire::txn
