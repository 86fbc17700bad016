// Pins of processes that may only read: they cannot take a reader slot, so they lock, shared, the
// byte kPinByte + p of the data file while they read state p (rule 1).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/id.h"

namespace quire::shared {

// States first .. last, of which some are pinned.
struct PinnedRange {
  TxnId first;
  TxnId last;
};

// What other processes have pinned in this way: in ascending order, without overlaps, state by
// state unless there are very many. Whatever they lock, the cost is bounded; where there are too
// many pins to tell apart, ranges hold unpinned states too. Like a scan of the reader slots it
// comes after `published` was read. Throws Errc::io.
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

  // In a forked child, where the descriptor may soon be another file's.
  void abandon_after_fork() noexcept { abandoned_ = true; }

 private:
  const int descriptor_;
  bool abandoned_ = false;
  std::mutex mutex_;
  std::map<TxnId, std::uint64_t> counts_;
};

// One pin of a process, for a scope.
class FilePin {
 public:
  FilePin() noexcept = default;
  FilePin(FilePins& pins, TxnId txn) : pins_(&pins), txn_(txn) { pins.add(txn); }
  FilePin(FilePin&& other) noexcept
      : pins_(std::exchange(other.pins_, nullptr)), txn_(other.txn_) {}
  FilePin& operator=(FilePin&& other) noexcept {
    std::swap(pins_, other.pins_);
    std::swap(txn_, other.txn_);
    return *this;
  }
  ~FilePin() {
    if (pins_ != nullptr) pins_->remove(txn_);
  }

 private:
  FilePins* pins_ = nullptr;
  TxnId txn_;
};

// Pins a state and all after it, on a description that carries nothing else. Throws as
// FilePins::add.
void pin_from(int data_lock_descriptor, TxnId first);
void unpin_all(int data_lock_descriptor) noexcept;

}  // namespace quire::shared
