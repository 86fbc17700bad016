// Holding the writer lock, and taking back what a transaction left that did not commit.
#pragma once

#include <chrono>
#include <mutex>
#include <utility>

#include "txn/store.h"

namespace quire::txn {

// The writer lock for a scope. A dead predecessor's traces are gone when the constructor returns
// (rule 12).
class WriterHold {
 public:
  // Waits. Throws Errc::misuse (this thread holds it), poisoned, io.
  explicit WriterHold(Store& store);

  // Waits no longer than that. Throws Errc::busy naming who holds it, and the same.
  WriterHold(Store& store, std::chrono::nanoseconds patience);

  // Does not wait; `holds` tells.
  WriterHold(Store& store, std::try_to_lock_t);

  ~WriterHold();
  WriterHold(WriterHold&& other) noexcept
      : store_(other.store_), holds_(std::exchange(other.holds_, false)) {}
  WriterHold(const WriterHold&) = delete;
  WriterHold& operator=(const WriterHold&) = delete;

  bool holds() const noexcept { return holds_; }
  void release() noexcept;  // in a forked child the lock stays the parent's

 private:
  void settle(shared::WriterLock::Taken taken);

  Store& store_;
  bool holds_ = false;
};

// Takes back whatever a transaction above `visible` has done to the region and the log: the one
// function behind rollback and owner death. Idempotent; the caller holds the writer lock. Throws
// Errc::poisoned.
void roll_back(Store& store, bool writer_died);

}  // namespace quire::txn
