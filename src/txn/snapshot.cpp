#include "txn/snapshot.h"

#include <utility>

#include "base/test_points.h"

namespace quire::txn {

Snapshot::Snapshot(Store& store, Verify verify)
    : readers_(&store.readers()),
      file_(store),
      verification_(store.verification(verify)),
      slot_(readers_->enter(&txn_)) {
  crash_point("snapshot: registered");
  try {
    // The record may be overwritten between registration and copy: then P has moved on as well.
    while (!store.load_state(txn_, state_)) {
      store.require_readable();
      txn_ = readers_->move_on(slot_);
    }
    look(verify);
  } catch (...) {
    readers_->leave(slot_);
    throw;
  }
}

Snapshot::Snapshot(PinnedState pinned, Verify verify)
    : pinned_(std::move(pinned)),
      readers_(nullptr),
      file_(pinned_.file()),
      verification_(file_.verification(verify)),
      txn_(pinned_.txn),
      state_(pinned_.state) {
  verification_.sealed = pinned_.sealed;
  look(verify);
}

void Snapshot::look(Verify verify) {
  view_ = file_.view(state_.page_count);
  verification_.newest = txn_;
  if (verify != Verify::never) view_.verification = &verification_;
}

Snapshot::~Snapshot() {
  if (readers_ != nullptr) readers_->leave(slot_);
}

}  // namespace quire::txn
