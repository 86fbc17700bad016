// A registered snapshot of a store.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// Threads: may move between threads and be read by several at once.
class Snapshot {
 public:
  // Registers at the newest published commit. Throws Errc::no_space when no slot can be had.
  explicit Snapshot(Store& store);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  TxnId txn() const noexcept { return txn_; }
  const State& state() const noexcept { return state_; }
  const pages::PageView& view() const noexcept { return view_; }
  Store& store() const noexcept { return store_; }

 private:
  Store& store_;
  TxnId txn_;  // before slot_, whose initialiser fills it
  std::uint32_t slot_;
  State state_;
  pages::PageView view_;
};

}  // namespace quire::txn
