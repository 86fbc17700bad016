#include <quire/error.h>
#include <quire/transaction.h>

#include <algorithm>
#include <vector>

#include "db/handles.h"
#include "txn/catalogue.h"

namespace quire {
namespace {

using detail::ViewState;

// A thread that ends rolls its transactions back: a robust mutex belongs to its thread, so nobody
// else could.
struct ThreadTransactions {
  std::vector<txn::Transaction*> active;
  ~ThreadTransactions() {
    for (txn::Transaction* transaction : active) transaction->rollback();
  }
};
thread_local ThreadTransactions thread_transactions;

template <typename Pointer>
auto& require(const Pointer& state) {
  if (!state) throw Error(Errc::misuse, "used after it was moved from");
  return *state;
}

void refuse_default_table(const txn::File& file, Bytes name) {
  if (name.empty()) {
    throw Error(Errc::misuse, file.name() + ": the default table is no multimap; name another");
  }
}

txn::OpenTable& opened(txn::Transaction& transaction, Bytes name, bool wants_multimap) {
  txn::OpenTable& open = transaction.table(name);
  if (open.exists) {
    txn::require_kind(transaction.store(), name, open.is_multimap, wants_multimap);
  }
  return open;
}

}  // namespace

detail::TransactionState::TransactionState(std::shared_ptr<txn::Store> kept, txn::WriterHold hold,
                                           const Options& options)
    : store(std::move(kept)),
      durability(options.durability),
      on_slow_reader(options.on_slow_reader),
      transaction(*store, std::move(hold),
                  {.verify = options.verify,
                   .on_slow_reader = &on_slow_reader,
                   .background_checkpoints = options.background_checkpoints}) {
  thread_transactions.active.push_back(&transaction);
}

detail::TransactionState::~TransactionState() { rollback(); }

// A transaction ends on its own thread, so the list that it is taken off is the one it is on.
void detail::TransactionState::commit(Durability wanted) {
  try {
    readable(store.get(), [&] { transaction.commit(wanted); });
  } catch (...) {
    forget_if_ended();
    throw;
  }
  forget_if_ended();
}

void detail::TransactionState::rollback() noexcept {
  if (!transaction.is_active()) return;
  transaction.rollback();
  forget_if_ended();
}

void detail::TransactionState::forget_if_ended() noexcept {
  if (!transaction.is_active()) std::erase(thread_transactions.active, &transaction);
}

Snapshot::Snapshot(State state) noexcept : state_(std::move(state)) {}
Snapshot::Snapshot(Snapshot&& other) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&& other) noexcept = default;
Snapshot::~Snapshot() = default;

TableView Snapshot::table(Bytes name) const& {
  const txn::Snapshot& snapshot = require(state_).snapshot;
  db::require_own_process(snapshot.file());
  ViewState view{.file = &snapshot.file(), .view = snapshot.view(), .tree = {}};
  detail::readable(view.file, [&] {
    if (name.empty()) {
      view.tree = snapshot.state().default_table;
    } else if (const auto record =
                   txn::find_table(snapshot.view(), snapshot.state().catalogue, name)) {
      txn::require_kind(snapshot.file(), name, format::is_multimap(*record), false);
      view.tree = record->tree;
    }
  });
  return detail::TableAccess::make_view(view);
}

MultimapView Snapshot::multimap(Bytes name) const& {
  const txn::Snapshot& snapshot = require(state_).snapshot;
  db::require_own_process(snapshot.file());
  detail::MultimapState view{{.file = &snapshot.file(), .view = snapshot.view(), .tree = {}}, 0};
  detail::readable(view.file, [&] {
    refuse_default_table(snapshot.file(), name);
    const auto record = txn::find_table(snapshot.view(), snapshot.state().catalogue, name);
    if (!record) return;
    txn::require_kind(snapshot.file(), name, format::is_multimap(*record), true);
    view.tree = record->tree;
    view.pair_count = record->pair_count;
  });
  return detail::MultimapAccess::make_view(view);
}

bool Snapshot::is_multimap(Bytes name) const {
  const txn::Snapshot& snapshot = require(state_).snapshot;
  db::require_own_process(snapshot.file());
  return detail::readable(&snapshot.file(), [&] {
    const auto record = txn::find_table(snapshot.view(), snapshot.state().catalogue, name);
    return record && format::is_multimap(*record);
  });
}

std::vector<std::string> Snapshot::tables() const {
  const txn::Snapshot& snapshot = require(state_).snapshot;
  db::require_own_process(snapshot.file());
  return detail::readable(&snapshot.file(), [&] {
    std::vector<std::string> names;
    for (txn::CatalogueReader reader(snapshot.view(), snapshot.state().catalogue); !reader.at_end();
         reader.next()) {
      names.emplace_back(reader.name());
    }
    return names;
  });
}

std::uint64_t Snapshot::txn() const noexcept { return state_ ? state_->snapshot.txn().value : 0; }

Transaction::Transaction(std::shared_ptr<detail::TransactionState> state) noexcept
    : state_(std::move(state)) {}
Transaction::Transaction(Transaction&& other) noexcept = default;
Transaction& Transaction::operator=(Transaction&& other) noexcept = default;
Transaction::~Transaction() = default;

Table Transaction::table(Bytes name) & {
  txn::Transaction& transaction = require(state_).transaction;
  const txn::Store* store = state_->store.get();
  return detail::readable(store, [&] {
    return detail::TableAccess::make_table({.file = store,
                                            .view = {},
                                            .tree = {},
                                            .transaction = &transaction,
                                            .open = &opened(transaction, name, false)});
  });
}

Multimap Transaction::multimap(Bytes name) & {
  txn::Transaction& transaction = require(state_).transaction;
  const txn::Store* store = state_->store.get();
  return detail::readable(store, [&] {
    refuse_default_table(*store, name);
    return detail::MultimapAccess::make({{.file = store,
                                          .view = {},
                                          .tree = {},
                                          .transaction = &transaction,
                                          .open = &opened(transaction, name, true)},
                                         0});
  });
}

bool Transaction::is_multimap(Bytes name) const {
  txn::Transaction& transaction = require(state_).transaction;
  return detail::readable(state_->store.get(), [&] { return transaction.table(name).is_multimap; });
}

bool Transaction::drop(Bytes name) {
  txn::Transaction& transaction = require(state_).transaction;
  return detail::readable(state_->store.get(), [&] { return transaction.drop(name); });
}

std::vector<std::string> Transaction::tables() const {
  const txn::Transaction& transaction = require(state_).transaction;
  return detail::readable(state_->store.get(), [&] { return transaction.tables(); });
}

Savepoint Transaction::savepoint() & {
  txn::Transaction& transaction = require(state_).transaction;
  return detail::readable(state_->store.get(), [&] {
    return detail::Access::make(state_, transaction.begin_savepoint());
  });
}

void Transaction::commit() { commit(require(state_).durability); }

void Transaction::commit(Durability durability) { require(state_).commit(durability); }

void Transaction::rollback() noexcept {
  if (state_) state_->rollback();
}

std::uint64_t Transaction::txn() const noexcept {
  return state_ ? state_->transaction.txn().value : 0;
}

}  // namespace quire
