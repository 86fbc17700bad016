// Transactions for workloads to run: the same for every peer, others in each repetition.
#pragma once

#include <span>
#include <vector>

#include "compare/workload.h"

namespace compare {

// New values for random entries.
class Overwrites {
 public:
  Overwrites(Turn& turn, std::size_t batch)
      : dataset_(turn.dataset()),
        keys_(turn.keys(Choice::present)),
        random_(turn.random()),
        entries_(std::min(batch, keys_.size())) {}

  // Valid until the next call.
  std::span<const Entry> next() {
    const auto keys = keys_.next(entries_.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      entries_[i] = {keys[i], dataset_.value(random_.next())};
    }
    return entries_;
  }

 private:
  const Dataset& dataset_;
  KeyList& keys_;
  Random random_;
  std::vector<Entry> entries_;
};

// All entries in turns, which are in random order.
class Batches {
 public:
  Batches(const Dataset& dataset, std::size_t batch)
      : dataset_(dataset), keys_(batch), entries_(batch), buffers_(batch) {}

  // From that number on, from the front again after the last one. Valid until the next call.
  std::span<const Entry> from(std::uint64_t number) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const std::uint64_t one = (number + i) % dataset_.entry_count();
      keys_[i] = dataset_.key(one, buffers_[i]);
      entries_[i] = {keys_[i], dataset_.value(one)};
    }
    return entries_;
  }
  std::span<const Bytes> keys_from(std::uint64_t number) {
    from(number);
    return keys_;
  }

 private:
  const Dataset& dataset_;
  std::vector<Bytes> keys_;
  std::vector<Entry> entries_;
  std::vector<KeyBuffer> buffers_;
};

}  // namespace compare
