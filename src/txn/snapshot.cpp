#include "txn/snapshot.h"

#include <utility>

#include "base/test_points.h"

namespace quire::txn {

Snapshot::Snapshot(Store& store, Verify verify)
    : readers_(&store.readers()),
      file_(store),
      store_(&store),
      verify_(verify),
      verification_(store.verification(verify)),
      slot_(readers_->enter(&txn_)) {
  crash_point("snapshot: registered");
  try {
    copy_state();
    look();
  } catch (...) {
    readers_->leave(slot_);
    throw;
  }
}

Snapshot::Snapshot(PinnedState pinned, Verify verify)
    : pinned_(std::make_unique<PinnedState>(std::move(pinned))),
      readers_(nullptr),
      file_(pinned_->file()),
      store_(nullptr),
      verify_(verify),
      verification_(file_.verification(verify)),
      txn_(pinned_->txn),
      state_(pinned_->state) {
  verification_.sealed = pinned_->sealed;
  look();
}

void Snapshot::rest() noexcept { readers_->rest(slot_); }

void Snapshot::renew(Verify verify) {
  if (verify == verify_) [[likely]] {
    verification_.sealed = store_->checkpointed();
  } else {
    verification_ = file_.verification(verify);
    verify_ = verify;
    txn_ = {};
  }
  const TxnId before = txn_;
  txn_ = readers_->enter_again(slot_);
  crash_point("snapshot: registered");
  if (txn_ == before) return;  // what is known of a commit does not change
  try {
    copy_state();
    look();
  } catch (...) {
    txn_ = {};
    rest();
    throw;
  }
}

// The record may be overwritten between registration and copy: then P has moved on as well.
void Snapshot::copy_state() {
  while (!store_->load_state(txn_, state_)) {
    store_->require_readable();
    txn_ = readers_->move_on(slot_);
  }
}

void Snapshot::look() {
  view_ = file_.view(state_.page_count);
  verification_.newest = txn_;
  if (verify_ != Verify::never) view_.verification = &verification_;
}

Snapshot::~Snapshot() {
  if (readers_ != nullptr) readers_->leave(slot_);
}

}  // namespace quire::txn
