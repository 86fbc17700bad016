// Making commits durable: one flush of the log, led by whoever comes first, covers everybody's.
#pragma once

#include <chrono>
#include <mutex>

#include "txn/store.h"

namespace quire::txn {

// Longer than that nobody waits for a leader of another process.
inline constexpr std::chrono::milliseconds kLeaderPatience{100};

// The flush lock for a scope. Another process is waited for `patience` only: a leader that was
// stopped must stall nobody, and two leaders are harmless, because they flush the same and raise
// the same. Inside a process flushes stay one after the other, or one would take the error of
// another (rule 6).
class FlushTurn {
 public:
  explicit FlushTurn(Store& store, std::chrono::milliseconds patience = kLeaderPatience);
  FlushTurn(Store& store, std::try_to_lock_t);  // does not wait; `holds` tells
  ~FlushTurn();                                 // then wakes who waits for a flush or for the lock
  FlushTurn(const FlushTurn&) = delete;
  FlushTurn& operator=(const FlushTurn&) = delete;

  bool holds() const noexcept { return holds_; }

 private:
  Store& store_;
  bool holds_;
};

// Returns when the log is durable up to `target` and what it covers is published (rules 3, 6, 10).
// Cost: at most one flush of the log and of the extents that its records name. Throws
// Errc::poisoned.
void flush_until(Store& store, Lsn target);

// Makes dirty again what a flush up to `to` would cover: for who finds that another one may have
// failed unheard, and is about to flush more than the log, or to note its own intent (rule 6).
void redirty_unflushed(Store& store, Lsn to);

}  // namespace quire::txn
