#include "txn/recovery.h"

#include <quire/error.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "base/test_points.h"
#include "format/checksum.h"
#include "format/space_map.h"
#include "txn/checkpoint.h"
#include "txn/meta_store.h"
#include "txn/transaction.h"

namespace quire::txn {
namespace {

[[noreturn]] void refuse(const storage::DataFile& data, format::MetaFault fault) {
  const std::string name = data.path().string();
  switch (fault) {
    case format::MetaFault::wrong_version:
      throw Error(Errc::wrong_version,
                  name + ": made by another format version of quire; use that version");
    case format::MetaFault::unknown_feature:
      throw Error(Errc::wrong_version,
                  name + ": uses a feature that this version does not know; use a newer one");
    case format::MetaFault::damaged:
      throw Error(Errc::corrupt, name + ": both meta pages are damaged; restore from a copy");
    case format::MetaFault::not_a_meta:
    case format::MetaFault::none:
      break;
  }
  throw Error(Errc::not_a_database, name + ": not a quire database");
}

format::Meta read_meta(const storage::DataFile& data, int slot) {
  format::Meta meta;
  meta.magic = 0;
  std::byte bytes[sizeof meta] = {};
  if (data.read(format::kMetaOffset[slot], bytes, sizeof bytes) == sizeof bytes) {
    std::memcpy(static_cast<void*>(&meta), bytes, sizeof meta);
  }
  return meta;
}

// Whether both metas say that the file was closed.
bool are_both_clean(const storage::DataFile& data, const format::MetaChoice& choice) {
  const format::Meta other = read_meta(data, 1 - choice.slot);
  return choice.meta.clean == 1 && format::judge(other) == format::MetaFault::none &&
         other.clean == 1 && other.checkpoint == choice.meta.checkpoint;
}

// Whether the last close came to its end, and nobody did anything afterwards. A clean mark in one
// meta alone may be no further than the page cache, and so may the length of a file that somebody
// has grown before he died: neither is to be built upon before a flush.
bool was_closed_cleanly(const storage::DataFile& data, const format::MetaChoice& choice) {
  return are_both_clean(data, choice) &&
         data.size_bytes() / choice.meta.page_bytes == choice.meta.page_count;
}

void require_may_be_written(const Store& store) {
  if (store.facts().may_be_written) return;
  throw Error(Errc::wrong_version,
              store.name() + ": needs recovery by the newer version that wrote it");
}

class Recovery {
 public:
  Recovery(Store& store, const format::Meta& meta) : store_(store), meta_(meta) {}

  Recovered run() {
    fill_control();
    rebuild_allocator();
    crash_point("recovery: allocator rebuilt");
    const log::Tail tail = scan_log();
    const Recovered recovered{TxnId{meta_.txn}, last_logged_};
    if (meta_.clean == 1 && sabotaged("clean_mark_believed")) return recovered;
    if (meta_.clean == 1 && record_count_ == 0) {
      keep_for_other_states();
      return recovered;
    }
    require_may_be_written(store_);
    crash_point("recovery: log scanned");
    replay(tail);
    crash_point("recovery: replayed");
    return recovered;
  }

 private:
  void fill_control() {
    shared::Control& control = store_.control();
    control.visible.store(meta_.txn);
    control.published.store(meta_.txn);
    control.durable.store(meta_.log_start);
    control.log_start.store(meta_.log_start);
    control.log_run.store(shared::pack_run({meta_.log.first_page, meta_.log.page_count}));
    control.epoch.store(meta_.epoch);
    control.clean.store(meta_.clean);
    control.checkpoint.current.store(meta_.txn);
    State state;
    state.catalogue = meta_.catalogue;
    state.default_table = meta_.default_table;
    state.page_count = meta_.page_count;
    state.log_end = Lsn{meta_.log_start};
    state.log_chain = meta_.log_chain;
    state.newest_full = TxnId{meta_.txn};
    state.next_table_id = meta_.next_table_id;
    store_.store_state(TxnId{meta_.txn}, state);
  }

  // Rule 1: what the map calls free may belong to states that only processes without a slot know.
  bool is_another_state_pinned() const {
    const TxnId checkpoint{meta_.txn};
    const auto pins = store_.region().pins_in_file();
    return std::any_of(pins.begin(), pins.end(), [&](const shared::PinnedRange& pin) {
      return pin.first != checkpoint || pin.last != checkpoint;
    });
  }

  // Nothing is to be replayed, so that is the last checkpoint's own doing.
  void keep_for_other_states() {
    if (!is_another_state_pinned()) return;
    const TxnId checkpoint{meta_.txn};
    State state = store_.visible_state();
    store_.allocator().begin(checkpoint, state.deferred_tail);
    store_.allocator().defer_free_pages();
    state.deferred_tail = store_.allocator().deferred_tail();
    store_.allocator().end();
    store_.store_state(checkpoint, state);
  }

  // The file may be longer than the meta says: it was grown after that checkpoint, and log records
  // may name extents there.
  void rebuild_allocator() {
    const std::uint64_t file_pages = std::min<std::uint64_t>(
        store_.data().size_bytes() / meta_.page_bytes, shared::kPageCapacity);
    if (file_pages < meta_.page_count) {
      throw Error(Errc::corrupt, store_.name() + ": meta page: it counts " +
                                     std::to_string(meta_.page_count) + " pages, the file has " +
                                     std::to_string(file_pages) +
                                     " (truncated); restore from a copy");
    }
    pages::Allocator& allocator = store_.allocator();
    allocator.reset(file_pages);
    for_each_map_run(meta_, [&](PageRun run) { allocator.mark_used(run); });
    allocator.mark_used(
        {PageId{0}, static_cast<std::uint32_t>(format::kReservedBytes / meta_.page_bytes)});
    for (const auto& run : {meta_.map[0], meta_.map[1], meta_.log}) {
      allocator.mark_used({PageId{run.first_page}, run.page_count});
    }
    allocator.recount();
  }

  // Calls `visit` for the runs of pages that a meta's space map says are in use.
  template <typename Visit>
  void for_each_map_run(const format::Meta& meta, Visit visit) {
    const pages::PageView view = store_.view(store_.allocator().file_pages());
    const std::uint64_t bits_per_page = format::map_page_bits(meta.page_bytes);
    const format::StoredRun& map = meta.map[meta.current_map];
    if (map.page_count < format::map_pages_needed(meta.page_count, meta.page_bytes)) {
      view.corrupt(map.first_page, "the space map is smaller than the file");
    }
    PageRun run;
    for (std::uint64_t page = 0; page < meta.page_count;) {
      const auto index = static_cast<std::uint32_t>(page / bits_per_page);
      const std::byte* map_page = view.at(PageId{map.first_page + index});
      const std::uint64_t bit = page % bits_per_page;
      if (bit == 0) {
        const char* reason =
            format::judge_map_page(map_page, PageId{map.first_page + index}, index, meta.checkpoint,
                                   meta.page_bytes, meta.checksum_seed);
        if (reason != nullptr) view.corrupt(map.first_page + index, reason);
      }
      // Equal bits of one word at a time; a map page ends with a word.
      const std::uint64_t word = format::map_words(map_page)[bit / 64] >> bit % 64;
      const bool is_used = (word & 1) != 0;
      const int equal = is_used ? std::countr_one(word) : std::countr_zero(word);
      const auto count = static_cast<std::uint32_t>(
          std::min({static_cast<std::uint64_t>(equal), 64 - bit % 64, meta.page_count - page}));
      const bool continues = run.page_count > 0 && run.first.value + run.page_count == page;
      if (is_used && continues) {
        run.page_count += count;
      } else if (is_used) {
        if (run.page_count > 0) visit(run);
        run = {PageId{static_cast<std::uint32_t>(page)}, count};
      }
      page += count;
    }
    if (run.page_count > 0) visit(run);
  }

  // Finds the end of the log and reserves the extents that its records name.
  log::Tail scan_log() {
    log::Scanner scanner = scanner_from_start();
    while (const format::RecordHeader* record = scanner.next()) {
      if (!accept_extents(record)) {
        scanner.reject_last();
        break;
      }
      ++record_count_;
    }
    store_.allocator().recount();
    if (!sabotaged("damage_taken_for_the_end") &&
        log::has_durable_record_behind(store_.ring(), scanner.tail().end, meta_.epoch)) {
      throw Error(Errc::corrupt,
                  store_.name() + ": log position " + std::to_string(scanner.tail().end.value) +
                      ": a record that was acknowledged is damaged; restore from a copy");
    }
    last_logged_ = scanner.txn();
    return scanner.tail();
  }

  log::Scanner scanner_from_start() const {
    return {store_.ring(), {Lsn{meta_.log_start}, meta_.log_chain}, meta_.epoch, TxnId{meta_.txn}};
  }

  [[noreturn]] void refuse(const format::RecordHeader* record, const char* reason) const {
    throw Error(Errc::corrupt, store_.name() + ": log position " + std::to_string(record->lsn) +
                                   ": " + reason + "; restore from a copy");
  }

  // A record counts only when every value that it names is on disk too.
  bool accept_extents(const format::RecordHeader* record) {
    const pages::PageView view = store_.view(store_.allocator().file_pages());
    format::OperationReader operations(log::payload_of(record));
    format::Operation operation;
    std::vector<format::ExtentRef> extents;
    while (operations.next(operation)) {
      if (operation.kind != format::OperationKind::put_extent) continue;
      const format::ExtentRef& extent = operation.extent;
      if (extent.first_page >= view.page_count ||
          extent.page_count > view.page_count - extent.first_page)
        return false;
      logged_pages_ += extent.page_count;
      if (logged_pages_ > view.page_count) {
        refuse(record, "it and the records before it name more pages than the file has");
      }
      const std::byte* bytes = view.extent(extent);
      if (format::checksum(bytes, extent.size_bytes, meta_.checksum_seed) != extent.checksum &&
          !sabotaged("extent_hash_not_checked"))
        return false;
      extents.push_back(extent);
    }
    if (operations.is_damaged()) {
      refuse(record, "the record is whole but its operations make no sense");
    }
    for (const format::ExtentRef& extent : extents) adopt(extent);
    return true;
  }

  void adopt(const format::ExtentRef& extent) {
    store_.allocator().mark_used({PageId{extent.first_page}, extent.page_count});
    redirty(store_, std::uint64_t{extent.first_page} * meta_.page_bytes, extent.size_bytes);
  }

  void replay(const log::Tail& tail) {
    // Ids that may have been used since that checkpoint: one per record that the log could hold
    // (rule 5).
    const std::uint64_t used_ids = store_.ring().size_bytes / sizeof(format::RecordHeader) + 2;
    const TxnId txn{std::max(meta_.txn, meta_.id_base) +
                    (sabotaged("txn_id_reused") ? record_count_ + 1 : used_ids)};
    Transaction transaction(store_, WriterHold(store_), txn, tail);
    if (is_another_state_pinned()) store_.allocator().defer_free_pages();
    log::Scanner scanner = scanner_from_start();
    for (std::uint64_t index = 0; index < record_count_; ++index) {
      const format::RecordHeader* record = scanner.next();
      format::OperationReader operations(log::payload_of(record));
      format::Operation operation;
      while (operations.next(operation)) transaction.replay(operation, Lsn{record->lsn});
    }
    transaction.commit_replay();
  }

  Store& store_;
  format::Meta meta_;
  std::uint64_t record_count_ = 0;
  TxnId last_logged_;
  std::uint64_t logged_pages_ = 0;  // of the extents that the log names
};

}  // namespace

format::MetaChoice read_metas_unmapped(const storage::DataFile& data) {
  format::MetaChoice choice = format::choose(read_meta(data, 0), read_meta(data, 1));
  if (choice.fault == format::MetaFault::damaged) {
    // While a checkpoint stores one meta after the other, two reads may meet both of them half
    // stored.
    choice = format::choose(read_meta(data, 0), read_meta(data, 1));
  }
  if (choice.fault != format::MetaFault::none) refuse(data, choice.fault);
  return choice;
}

std::optional<std::uint64_t> closed_bytes(const storage::DataFile& data) {
  const format::MetaChoice choice = read_metas_unmapped(data);
  if (!are_both_clean(data, choice)) return std::nullopt;
  return choice.meta.page_count * choice.meta.page_bytes;
}

bool drop_untrusted_cache(storage::DataFile& data, const shared::Region& region) {
  if (sabotaged("poison_forgotten_by_the_last_closer") ||
      sabotaged("recovery_stores_before_it_flushes"))
    return true;
  const bool is_unclean = !was_closed_cleanly(data, read_metas_unmapped(data));
  const bool has_failed = region.was_poisoned() || (region.was_missing() && is_unclean);
  if (!has_failed && !region.was_interrupted()) return true;
  // What is dirty still has to reach the disk; what a failed flush has lost shows after the drop.
  if (const auto error = data.flush_all()) {
    throw Error(Errc::io,
                data.path().string() + ": cannot flush before recovery: " + error.message());
  }
  if (data.drop_cache()) return true;
  if (!has_failed) return false;  // what the cache shows is whole: it only has to be written
  throw Error(Errc::busy,
              data.path().string() +
                  ": an earlier flush may have failed, and another process still maps the file, so "
                  "the disk cannot be read back; end that process");
}

Recovered recover(Store& store, bool is_cache_trusted) {
  const format::MetaChoice choice = read_metas_unmapped(store.data());
  if (!store.has_facts(choice.meta)) {
    throw Error(Errc::corrupt, store.name() +
                                   ": meta page: it has become another file's while this "
                                   "one was opened; open it anew");
  }
  if (!is_cache_trusted) redirty(store, 0, store.data().size_bytes());
  // For the next one, should this process die or throw here: what the cache shows may not be on
  // disk.
  store.control().checkpoint_intent.store(1);
  const bool may_skip = is_cache_trusted && was_closed_cleanly(store.data(), choice);
  if (!may_skip && !sabotaged("recovery_stores_before_it_flushes")) {
    if (const auto error = store.data().flush_all()) {
      throw Error(Errc::io, store.name() + ": cannot flush before recovery: " + error.message());
    }
  }
  const format::Meta other = read_meta(store.data(), 1 - choice.slot);
  const bool is_whole =
      format::judge(other) == format::MetaFault::none || sabotaged("torn_meta_written_again");
  if (is_whole && other.checkpoint != choice.meta.checkpoint &&
      !sabotaged("older_meta_left_by_recovery")) {
    require_may_be_written(store);
    store_second_meta(store, choice.meta, 1 - choice.slot);
  }
  store.control().checkpoint_intent.store(0);
  crash_point("recovery: metas agree");
  return Recovery(store, choice.meta).run();
}

}  // namespace quire::txn
