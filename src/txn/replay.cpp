// The transaction that recovery runs: the log's operations once more, on the pages of the last
// checkpoint.
#include <quire/error.h>
#include <quire/options.h>

#include <algorithm>
#include <string>

#include "base/test_points.h"
#include "txn/catalogue.h"
#include "txn/checkpoint.h"
#include "txn/transaction.h"

namespace quire::txn {
namespace {

[[noreturn]] void refuse(const Store& store, Lsn position, const std::string& reason) {
  throw Error(Errc::corrupt, store.name() + ": log position " + std::to_string(position.value) +
                                 ": " + reason + "; restore from a copy");
}

}  // namespace

Transaction::Transaction(Store& store, WriterHold hold, TxnId txn, const log::Tail& log_tail)
    : Transaction(store, std::move(hold), txn, TransactionOptions{}) {
  is_replay_ = true;
  context_.may_sweep = false;
  log_is_dropped_ = true;
  state_.log_end = log_tail.end;
  state_.log_chain = log_tail.chain;
  for (CatalogueReader reader(view(), base_.catalogue); !reader.at_end(); reader.next()) {
    names_by_id_[reader.record().table_id] = reader.name();
  }
}

OpenTable& Transaction::table_by_id(std::uint32_t table_id, Lsn position) {
  if (table_id == 0) return table("");
  const auto name = names_by_id_.find(table_id);
  if (name == names_by_id_.end()) {
    refuse(store_, position,
           "an operation on table " + std::to_string(table_id) + ", which does not exist");
  }
  return table(name->second);
}

void Transaction::replay(const format::Operation& operation, Lsn position) {
  using format::OperationKind;
  const std::uint32_t page_bytes = store_.facts().page_bytes;
  if (operation.kind == OperationKind::erase_range) return replay_erase_range(operation, position);
  if (operation.key.size() > format::key_bytes_max(page_bytes) ||
      (operation.kind == OperationKind::put &&
       !format::is_inline(operation.key.size(), operation.value.size(), page_bytes))) {
    refuse(store_, position, "an entry that no page can hold");
  }
  if (operation.kind == OperationKind::create || operation.kind == OperationKind::create_multimap) {
    return replay_create(operation, position);
  }
  if (operation.kind == OperationKind::drop) return replay_drop(operation, position);
  OpenTable& target = table_of(operation, position);
  switch (operation.kind) {
    case OperationKind::clear:
      return clear(target);
    case OperationKind::erase:
      if (target.is_multimap) {
        erase_values(target, operation.key);
      } else {
        erase(target, operation.key);
      }
      return;
    case OperationKind::insert_pair:
      insert_pair(target, operation.key, operation.value);
      return;
    case OperationKind::erase_pair:
      erase_pair(target, operation.key, operation.value);
      return;
    default:
      replay_put(target, operation);
  }
}

// A table that can take the operation.
OpenTable& Transaction::table_of(const format::Operation& operation, Lsn position) {
  using format::OperationKind;
  OpenTable& target = table_by_id(operation.table_id, position);
  const bool is_of_entry =
      operation.kind == OperationKind::put || operation.kind == OperationKind::put_extent;
  const bool is_of_pair =
      operation.kind == OperationKind::insert_pair || operation.kind == OperationKind::erase_pair;
  if (target.is_multimap ? is_of_entry : is_of_pair) {
    refuse(store_, position, "an operation on a table of another kind");
  }
  if (is_of_pair && operation.value.size() > format::key_bytes_max(store_.facts().page_bytes)) {
    refuse(store_, position, "a pair that no page can hold");
  }
  return target;
}

void Transaction::replay_put(OpenTable& target, const format::Operation& operation) {
  const bool has_extent = operation.kind == format::OperationKind::put_extent;
  const bool found = locate(target, operation.key);
  room_for_one(target.tree);
  btree::put_at(space_, target.tree, target.finger, operation.key,
                {operation.value, has_extent ? &operation.extent : nullptr}, found);
  target.is_changed = true;
}

void Transaction::replay_erase_range(const format::Operation& operation, Lsn position) {
  const std::size_t end_bytes_max = format::key_bytes_max(store_.facts().page_bytes) + 1;
  const bool has_limit = !operation.value.empty();
  if (operation.key.size() > end_bytes_max || operation.value.size() > end_bytes_max ||
      (has_limit && operation.value <= operation.key)) {
    refuse(store_, position, "a range that cannot be is erased");
  }
  OpenTable& target = table_of(operation, position);
  const auto limit = has_limit ? std::optional(operation.value) : std::nullopt;
  erase_between(target, operation.key, limit, target.is_multimap);
}

void Transaction::replay_create(const format::Operation& operation, Lsn position) {
  if (operation.key.empty() || operation.key.size() > kTableNameBytesMax) {
    refuse(store_, position, "a table whose name is empty or too long is created");
  }
  OpenTable& created = table(operation.key);
  if (created.exists || operation.table_id == 0 || names_by_id_.contains(operation.table_id)) {
    refuse(store_, position, "a table that exists is created");
  }
  names_by_id_[operation.table_id] = operation.key;
  create(created, operation.table_id, operation.kind == format::OperationKind::create_multimap);
  state_.next_table_id =
      std::max<std::uint64_t>(state_.next_table_id, operation.table_id + std::uint64_t{1});
}

void Transaction::replay_drop(const format::Operation& operation, Lsn position) {
  const auto name = names_by_id_.find(operation.table_id);
  if (name == names_by_id_.end() || name->second != operation.key) {
    refuse(store_, position, "a table that does not exist is dropped");
  }
  drop(operation.key);
  names_by_id_.erase(name);
}

void Transaction::commit_replay() {
  write_catalogue();
  store_.allocator().retire_spare();
  state_.page_count = store_.allocator().file_pages();
  state_.deferred_tail = store_.allocator().deferred_tail();
  state_.newest_full = txn_;
  if (sabotaged("recovery_without_its_checkpoint")) {
    store_.store_state(txn_, state_);
    store_.control().visible.store(txn_.value);
    store_.control().published.store(txn_.value);
    store_.control().durable.store(state_.log_end.value);
  } else {
    // Whoever opens waits for it, and who only reads has it in memory: the log stays as it is.
    const shared::Run log = shared::unpack_run(store_.control().log_run.load());
    commit_by_checkpoint(store_, txn_, state_,
                         {.new_epoch = true, .packing = {.log_pages_max = log.page_count}});
  }
  store_.allocator().end();
  hold_.release();
}

}  // namespace quire::txn
