#include "txn/transaction.h"

#include <quire/error.h>

#include <algorithm>

#include "base/test_points.h"
#include "txn/catalogue.h"
#include "txn/checkpoint.h"
#include "txn/flush.h"

namespace quire::txn {
namespace {

constexpr std::size_t kRecordBytesFew = 1024;  // of one small change

WriterHold settled(Store& store, WriterHold hold) {
  store.require_healthy();
  store.require_in_place_now_and_then();
  settle_checkpoint(store);
  // The record of this commit takes the place of the one 64 commits ago, which readers must not
  // need any more.
  if (store.visible().value + 1 >= store.published().value + shared::kStateCount) {
    flush_until(store, store.visible_state().log_end);
  }
  sweep_if_due(store);
  return hold;
}

pages::PageView view_for_writing(Store& store, const pages::Verification* verification) {
  pages::PageView view = store.view(store.allocator().file_pages());
  view.verification = verification;
  return view;
}

}  // namespace

Transaction::Transaction(Store& store, WriterHold hold, const TransactionOptions& options)
    // Braces: settling comes before `visible` is read.
    : Transaction{store, settled(store, std::move(hold)), TxnId{store.visible().value + 1},
                  options} {}

Transaction::Transaction(Store& store, WriterHold hold, TxnId txn,
                         const TransactionOptions& options)
    : store_(store),
      hold_(std::move(hold)),
      txn_(txn),
      base_(store.visible_state()),
      state_(base_),
      verification_(store.verification(options.verify)),
      space_(view_for_writing(store, options.verify == Verify::never ? nullptr : &verification_),
             store.data().write_base(), store.allocator(), txn_, store.checkpointed(),
             &store.data()),
      context_{.base = base_, .on_slow_reader = options.on_slow_reader},
      table_count_(base_.catalogue.entry_count),
      background_checkpoints_(options.background_checkpoints) {
  verification_.newest = txn_;
  crash_point("begin: writer lock taken");
  store_.allocator().begin(txn_, base_.deferred_tail);
  crash_point("begin: undo list opened");
  default_table_.tree = base_.default_table;
  default_table_.existed = default_table_.exists = true;
}

Transaction::~Transaction() { rollback(); }

void Transaction::require_running() const {
  if (store_.is_abandoned()) {
    throw Error(Errc::forked,
                store_.name() + ": a transaction of the parent process; open the file anew");
  }
  if (!is_active()) throw Error(Errc::misuse, store_.name() + ": the transaction has ended");
  if (!store_.writer_lock().held_by_this_thread()) {
    throw Error(Errc::misuse, store_.name() + ": a transaction stays on the thread that began it");
  }
}

void Transaction::require_usable() const {
  require_running();
  if (is_broken_) {
    throw Error(Errc::misuse, store_.name() + ": the transaction has failed; roll it back");
  }
}

// Where pages were writable before a savepoint, they may not be any more.
bool Transaction::locate(OpenTable& table, std::string_view key) {
  if (table.finger_era != era_) {
    table.finger.forget();
    table.finger_era = era_;
  }
  return btree::locate(space_, table.tree, key, table.finger);
}

OpenTable& Transaction::table(std::string_view name) {
  require_usable();
  if (name.empty()) return default_table_;
  if (const auto open = tables_.find(name); open != tables_.end()) return open->second;
  if (name.size() > kTableNameBytesMax) {
    throw Error(Errc::too_large, store_.name() + ": a table name of " +
                                     std::to_string(name.size()) + " bytes; at most " +
                                     std::to_string(kTableNameBytesMax));
  }
  OpenTable table;
  table.name = name;
  if (const auto record = find_table(view(), base_.catalogue, name)) {
    table.tree = record->tree;
    table.table_id = record->table_id;
    table.is_multimap = format::is_multimap(*record);
    table.pair_count = record->pair_count;
    table.existed = table.exists = true;
  }
  return tables_.emplace(table.name, table).first->second;
}

std::vector<std::string> Transaction::tables() const {
  require_usable();
  std::vector<std::string> names;
  for (CatalogueReader reader(view(), base_.catalogue); !reader.at_end(); reader.next()) {
    if (!tables_.contains(reader.name())) names.emplace_back(reader.name());
  }
  for (const auto& [name, table] : tables_) {
    if (table.exists) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void Transaction::room_for_one(const format::TreeRoot& tree, std::uint64_t kept_pages) {
  room_for(btree::pages_needed(tree) + kept_pages);
}

void Transaction::room_for(std::uint64_t page_count) {
  pages::Allocator& allocator = store_.allocator();
  if (allocator.available_pages() >= page_count && allocator.has_deferred_room(page_count)) return;
  make_room(store_, context_, page_count);
  space_.set_page_count(static_cast<std::uint32_t>(store_.allocator().file_pages()));
}

format::ExtentRef Transaction::store_extent(std::string_view value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(value.data());
  for (;;) {
    if (const auto extent = space_.store_extent(bytes, value.size())) return *extent;
    const std::uint64_t page_bytes = store_.facts().page_bytes;
    make_run(store_, context_, (value.size() + page_bytes - 1) / page_bytes);
    space_.set_page_count(static_cast<std::uint32_t>(store_.allocator().file_pages()));
  }
}

void Transaction::require_sizes(std::string_view key, std::uint64_t value_bytes) const {
  const std::size_t key_bytes_max = format::key_bytes_max(store_.facts().page_bytes);
  if (key.size() > key_bytes_max) {
    throw Error(Errc::too_large, store_.name() + ": a key of " + std::to_string(key.size()) +
                                     " bytes; at most " + std::to_string(key_bytes_max));
  }
  const std::uint64_t file_bytes_max = std::min<std::uint64_t>(
      store_.data().reserved_bytes(), shared::kPageCapacity * store_.facts().page_bytes);
  if (value_bytes > file_bytes_max) {
    throw Error(Errc::too_large, store_.name() + ": a value of " + std::to_string(value_bytes) +
                                     " bytes; the file can grow to " +
                                     std::to_string(file_bytes_max));
  }
}

void Transaction::require_table_room(const OpenTable& table, bool wants_multimap) const {
  require_kind(table, wants_multimap);
  if (!table.exists && table_count_ >= kTableCountMax) {
    throw Error(Errc::too_large,
                store_.name() + ": more than " + std::to_string(kTableCountMax) + " tables");
  }
}

void Transaction::create(OpenTable& table, std::uint32_t table_id, bool is_multimap) {
  ++table_count_;
  table.exists = true;
  table.is_changed = true;
  table.tree = {};
  table.finger.forget();
  table.pair_finger.forget();
  table.table_id = table_id;
  table.is_multimap = is_multimap;
  table.pair_count = 0;
}

void Transaction::create_if_absent(OpenTable& table, bool is_multimap) {
  using format::OperationKind;
  if (table.exists) return;
  create(table, static_cast<std::uint32_t>(state_.next_table_id++), is_multimap);
  has_made_multimap_ |= is_multimap;
  log({.kind = is_multimap ? OperationKind::create_multimap : OperationKind::create,
       .table_id = table.table_id,
       .key = table.name});
}

bool Transaction::erase(OpenTable& table, std::string_view key) {
  require_usable();
  settle();
  require_kind(table, false);
  if (!locate(table, key)) return false;
  return change(table, [&] {
    key = out_of_map(key, key_copy_);
    room_for_one(table.tree);
    btree::erase_at(space_, table.tree, table.finger);
    log({.kind = format::OperationKind::erase, .table_id = table.table_id, .key = key});
    table.is_changed = true;
    return true;
  });
}

std::optional<std::string_view> Transaction::find(OpenTable& table, std::string_view key) {
  require_usable();
  settle();
  require_kind(table, false);
  if (!locate(table, key)) return std::nullopt;
  return btree::value_at(space_, table.finger);
}

void Transaction::clear(OpenTable& table) {
  require_usable();
  settle();
  if (!table.exists || !table.tree.root) return;
  change(table, [&] {
    table.finger.forget();
    table.pair_finger.forget();
    table.pair_count = 0;
    room_for_frees(table);
    btree::clear(space_, table.tree);
    log({.kind = format::OperationKind::clear, .table_id = table.table_id});
    table.is_changed = true;
  });
}

bool Transaction::drop(std::string_view name) {
  if (name.empty()) {
    throw Error(Errc::misuse, store_.name() + ": the default table cannot be dropped; clear it");
  }
  OpenTable& dropped = table(name);
  if (!dropped.exists) return false;
  settle();
  change(dropped, [&] {
    dropped.finger.forget();
    dropped.pair_finger.forget();
    room_for_frees(dropped);
    btree::clear(space_, dropped.tree);
    log({.kind = format::OperationKind::drop, .table_id = dropped.table_id, .key = dropped.name});
    dropped.exists = dropped.is_multimap = false;
    dropped.pair_count = 0;
    dropped.is_changed = true;
    --table_count_;
  });
  return true;
}

void Transaction::log(const format::Operation& operation) {
  if (log_is_dropped_) return;
  const std::size_t limit = std::min<std::size_t>(log::kPayloadBytesMax, store_.ring().size_bytes);
  if (record_.empty()) {
    record_.reserve(kRecordBytesFew);
    record_.resize(sizeof(format::RecordHeader));
  }
  if (record_.size() - sizeof(format::RecordHeader) + format::operation_bytes(operation) > limit) {
    log_is_dropped_ = true;
    record_ = {};
    return;
  }
  format::append_operation(record_, operation);
}

}  // namespace quire::txn
