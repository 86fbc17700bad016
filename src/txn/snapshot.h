// A snapshot: one state of a file, registered so that nobody reuses its pages.
#pragma once

#include <quire/options.h>

#include <memory>

#include "pages/verification.h"
#include "txn/store.h"
#include "txn/viewer.h"

namespace quire::txn {

// Threads: may move between threads and be read by several at once.
class Snapshot {
 public:
  // Registers at the newest published commit; reads through `view` verify as `verify` says. Throws
  // Errc::no_space when no slot can be had.
  explicit Snapshot(Store& store, Verify verify = Verify::never);

  // Of what a process that may only read has pinned. Throws Errc::no_space.
  explicit Snapshot(PinnedState pinned, Verify verify = Verify::never);

  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // False when it is of what a process that may only read has pinned: such a one cannot rest.
  bool has_slot() const noexcept { return readers_ != nullptr; }

  // Ends the registration and keeps the slot. Until `renew`, nothing but that, `forget` and the
  // destructor is allowed.
  void rest() noexcept;

  // After `rest`: makes it what a new snapshot would be. When it throws, it rests still.
  void renew(Verify verify);

  // After `rest`, when the store is gone: nothing is left to be given back.
  void forget() noexcept { readers_ = nullptr; }

  TxnId txn() const noexcept { return txn_; }
  const State& state() const noexcept { return state_; }
  const pages::PageView& view() const noexcept { return view_; }
  File& file() const noexcept { return file_; }

  // What a view of this snapshot verifies by when it is to verify though `view` does not.
  const pages::Verification& verification() const noexcept { return verification_; }

 private:
  void copy_state();
  void look();

  std::unique_ptr<PinnedState> pinned_;  // in the place of a slot
  shared::Readers* readers_;             // null: pinned
  File& file_;
  Store* store_;  // null: pinned
  Verify verify_;
  pages::Verification verification_;  // before slot_: its checkpoint comes before the snapshot
  TxnId txn_;                         // before slot_, whose initialiser fills it
  std::uint32_t slot_ = 0;
  State state_;
  pages::PageView view_;
};

}  // namespace quire::txn
