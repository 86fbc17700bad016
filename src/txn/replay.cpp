// The transaction that recovery runs: the log's operations once more, on the pages of the last
// checkpoint.
#include <quire/error.h>

#include "base/test_points.h"
#include "txn/catalogue.h"
#include "txn/checkpoint.h"
#include "txn/transaction.h"

namespace quire::txn {

Transaction::Transaction(Store& store, std::unique_ptr<WriterHold> hold, TxnId txn,
                         const log::Tail& log_tail)
    : Transaction(store, std::move(hold), txn, Verify::never) {
  is_replay_ = true;
  context_.may_sweep = false;
  log_is_dropped_ = true;
  state_.log_end = log_tail.end;
  state_.log_chain = log_tail.chain;
  for (CatalogueReader reader(view(), base_.catalogue); !reader.at_end(); reader.next()) {
    names_by_id_[reader.record().table_id] = reader.name();
  }
}

OpenTable& Transaction::table_by_id(std::uint32_t table_id) {
  if (table_id == 0) return table("");
  const auto name = names_by_id_.find(table_id);
  if (name == names_by_id_.end()) {
    throw Error(Errc::corrupt, store_.name() + ": the log speaks of table " +
                                   std::to_string(table_id) + ", which does not exist");
  }
  return table(name->second);
}

void Transaction::replay(const format::Operation& operation) {
  using format::OperationKind;
  const bool has_value =
      operation.kind == OperationKind::put || operation.kind == OperationKind::put_extent;
  const std::uint32_t page_bytes = store_.facts().page_bytes;
  if (operation.key.size() > format::key_bytes_max(page_bytes) ||
      (operation.kind == OperationKind::put &&
       !format::is_inline(operation.key.size(), operation.value.size(), page_bytes))) {
    throw Error(Errc::corrupt, store_.name() + ": the log holds an entry that no page can hold");
  }
  if (operation.kind == OperationKind::create) {
    names_by_id_[operation.table_id] = operation.key;
    create(table(operation.key), operation.table_id);
    state_.next_table_id =
        std::max<std::uint64_t>(state_.next_table_id, operation.table_id + std::uint64_t{1});
  } else if (operation.kind == OperationKind::drop) {
    drop(operation.key);
    names_by_id_.erase(operation.table_id);
  } else if (operation.kind == OperationKind::clear) {
    clear(table_by_id(operation.table_id));
  } else if (operation.kind == OperationKind::erase) {
    erase(table_by_id(operation.table_id), operation.key);
  } else if (has_value) {
    OpenTable& target = table_by_id(operation.table_id);
    const bool has_extent = operation.kind == OperationKind::put_extent;
    room_for_one(target.tree);
    btree::put(space_, target.tree, operation.key,
               {operation.value, has_extent ? &operation.extent : nullptr}, btree::PutMode::upsert);
    target.is_changed = true;
  }
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
    commit_by_checkpoint(store_, txn_, state_, true);
  }
  store_.allocator().end();
  hold_.reset();
}

}  // namespace quire::txn
