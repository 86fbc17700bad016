#include "txn/snapshot.h"

#include "base/test_points.h"

namespace quire::txn {

Snapshot::Snapshot(Store& store, Verify verify)
    : store_(store),
      verification_(store.verification(verify)),
      slot_(store.readers().enter(&txn_)) {
  crash_point("snapshot: registered");
  try {
    // The record may be overwritten between registration and copy: then P has moved on as well.
    while (!store.load_state(txn_, state_)) {
      store.require_readable();
      txn_ = store.readers().move_on(slot_);
    }
    view_ = store.view(state_.page_count);
    verification_.newest = txn_;
    if (verify != Verify::never) view_.verification = &verification_;
  } catch (...) {
    store.readers().leave(slot_);
    throw;
  }
}

Snapshot::~Snapshot() { store_.readers().leave(slot_); }

}  // namespace quire::txn
