// Pins of processes that may only read: they cannot take a reader slot, so they lock, shared, the
// byte kPinByte + p of the data file while they read state p (rule 1).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "base/id.h"

namespace quire::shared {

// States first .. last, of which some are pinned.
struct PinnedRange {
  TxnId first;
  TxnId last;
};

// What other processes have pinned in this way: in ascending order, without overlaps. Whatever they
// lock, the cost is bounded; where there are too many pins to tell apart, ranges hold unpinned
// states too. Like a scan of the reader slots it comes after `published` was read. Throws Errc::io.
std::vector<PinnedRange> pins_in_file(int data_lock_descriptor);

// This process's pins. Locks of one description merge, so it counts its pins of each state.
//
// Threads: any.
class FilePins {
 public:
  // The description stays open and carries no other lock on these bytes.
  explicit FilePins(int data_lock_descriptor) noexcept : descriptor_(data_lock_descriptor) {}
  FilePins(const FilePins&) = delete;
  FilePins& operator=(const FilePins&) = delete;

  // Throws Errc::corrupt for an id that no database reaches, busy when somebody excludes it, io.
  void add(TxnId txn);
  void remove(TxnId txn) noexcept;

 private:
  const int descriptor_;
  std::mutex mutex_;
  std::map<TxnId, std::uint64_t> counts_;
};

// Pins a state and all after it, on a description that carries nothing else. Throws as
// FilePins::add.
void pin_from(int data_lock_descriptor, TxnId first);
void unpin_all(int data_lock_descriptor) noexcept;

}  // namespace quire::shared
