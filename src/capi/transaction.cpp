#include <chrono>

#include "capi/handles.h"

using namespace quire::capi;

int quire_begin(quire_db* db, quire_txn** txn) {
  return guarded([&]() -> int {
    require(db, txn);
    *txn = new quire_txn{db->database.begin()};
    return QUIRE_OK;
  });
}

int quire_begin_within(quire_db* db, int64_t timeout_nanoseconds, quire_txn** txn) {
  return guarded([&]() -> int {
    require(db, txn);
    if (timeout_nanoseconds < 0) return quire_begin(db, txn);
    *txn = new quire_txn{db->database.begin(std::chrono::nanoseconds(timeout_nanoseconds))};
    return QUIRE_OK;
  });
}

namespace {

template <typename... Durability>
int commit(quire_txn* txn, Durability... durability) {
  return guarded([&]() -> int {
    const std::unique_ptr<quire_txn> ended(&own(txn));
    ended->transaction.commit(durability...);
    return QUIRE_OK;
  });
}

}  // namespace

int quire_commit(quire_txn* txn) { return commit(txn); }

int quire_commit_relaxed(quire_txn* txn) { return commit(txn, quire::Durability::relaxed); }

void quire_rollback(quire_txn* txn) {
  if (txn == nullptr || is_anothers(*txn)) return;
  txn->transaction.rollback();  // at once, not one savepoint after the other
  delete txn;
}

int quire_savepoint_begin(quire_txn* txn, quire_savepoint** savepoint) {
  return guarded([&]() -> int {
    require(savepoint);
    quire_txn& within = own(txn);
    std::unique_ptr<quire_savepoint> begun(
        new quire_savepoint{txn, within.transaction.savepoint()});
    within.savepoints.push_back(std::move(begun));
    *savepoint = within.savepoints.back().get();
    return QUIRE_OK;
  });
}

int quire_savepoint_rollback(quire_savepoint* savepoint) {
  return guarded([&]() -> int {
    require(savepoint);
    own(savepoint->txn);
    savepoint->savepoint.rollback();
    return QUIRE_OK;
  });
}

int quire_savepoint_release(quire_savepoint* savepoint) {
  return guarded([&]() -> int {
    require(savepoint);
    quire_txn& within = own(savepoint->txn);
    savepoint->savepoint.release();
    auto& open = within.savepoints;
    auto released = open.end();  // the last ones are released first
    while ((--released)->get() != savepoint) continue;
    open.erase(released);
    return QUIRE_OK;
  });
}
