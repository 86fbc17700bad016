#include "shared/pins.h"

#include <quire/error.h>

#include <string>

#include "shared/layout.h"
#include "storage/byte_lock.h"

namespace quire::shared {
namespace {

// For as many pins as real readers hold in different states; each question looks through all locks
// of the file.
constexpr std::size_t kQuestionsMax = 2048;

// Neighbours that one process has pinned are one lock: so many states are told apart again.
constexpr std::uint64_t kStatesMax = 16384;

void lock_pins(int descriptor, std::uint64_t first, std::uint64_t limit) {
  if (first >= limit || limit > kPinCount) {
    throw Error(Errc::corrupt, "transaction " + std::to_string(first) +
                                   ": no database reaches such an id; restore from a copy");
  }
  if (!storage::try_lock_bytes(descriptor, kPinByte + first, kPinByte + limit,
                               storage::LockMode::shared)) {
    throw Error(Errc::busy, "transaction " + std::to_string(first) +
                                ": a process that is not quire has locked its byte; end it");
  }
}

}  // namespace

std::vector<PinnedRange> pins_in_file(int data_lock_descriptor) {
  std::vector<PinnedRange> pins;
  for (const storage::ByteRange& range : storage::locked_ranges(
           data_lock_descriptor, kPinByte, kPinByte + kPinCount, kQuestionsMax)) {
    const std::uint64_t first = range.first - kPinByte;
    const std::uint64_t limit = range.limit - kPinByte;
    if (pins.size() + (limit - first) > kStatesMax) {
      pins.push_back({TxnId{first}, TxnId{limit - 1}});
      continue;
    }
    for (std::uint64_t txn = first; txn < limit; ++txn) pins.push_back({TxnId{txn}, TxnId{txn}});
  }
  return pins;
}

void FilePins::add(TxnId txn) {
  const std::lock_guard lock(mutex_);
  std::uint64_t& count = counts_[txn];
  if (count == 0) {
    try {
      lock_pins(descriptor_, txn.value, txn.value + 1);
    } catch (...) {
      counts_.erase(txn);
      throw;
    }
  }
  ++count;
}

void FilePins::remove(TxnId txn) noexcept {
  if (abandoned_) return;
  const std::lock_guard lock(mutex_);
  const auto known = counts_.find(txn);
  if (known == counts_.end() || --known->second > 0) return;
  counts_.erase(known);
  storage::unlock_byte(descriptor_, kPinByte + txn.value);
}

void pin_from(int data_lock_descriptor, TxnId first) {
  lock_pins(data_lock_descriptor, first.value, kPinCount);
}

void unpin_all(int data_lock_descriptor) noexcept {
  storage::unlock_bytes(data_lock_descriptor, kPinByte, kPinByte + kPinCount);
}

}  // namespace quire::shared
