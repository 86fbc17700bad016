// How much of the file waits in deferred frees, and for whom.
#include <algorithm>

#include "pages/allocator.h"

namespace quire::pages {
namespace {

// Adds up page counts over ranges of pins.
class Sums {
 public:
  explicit Sums(std::span<const PinnedStates> pins)
      : pins_(pins), changes_(pins.size() + 1), alone_(pins.size()) {}

  void add(const DeferredFree& entry) noexcept {
    if (entry.page_count == 0 || entry.birth >= entry.freed) return;
    const auto first = pin_from(pins_, TxnId{entry.birth});
    const auto limit = std::partition_point(first, pins_.end(), [&](const PinnedStates& pin) {
      return pin.first < TxnId{entry.freed};
    });
    if (first == limit) return;
    const auto index = static_cast<std::size_t>(first - pins_.begin());
    changes_[index] += entry.page_count;
    changes_[static_cast<std::size_t>(limit - pins_.begin())] -= entry.page_count;
    if (limit - first == 1) alone_[index] += entry.page_count;
  }

  std::vector<Allocator::Pinned> result() const {
    std::vector<Allocator::Pinned> pinned(pins_.size());
    std::uint64_t page_count = 0;  // differences wrap around, their sums do not
    for (std::size_t index = 0; index < pins_.size(); ++index) {
      page_count += changes_[index];
      pinned[index] = {page_count, alone_[index]};
    }
    return pinned;
  }

 private:
  std::span<const PinnedStates> pins_;
  std::vector<std::uint64_t> changes_;
  std::vector<std::uint64_t> alone_;
};

}  // namespace

std::uint64_t Allocator::deferred_pages(std::uint64_t tail) const {
  std::uint64_t pages = 0;
  for_each_deferred(tail, [&](const DeferredFree& entry) { pages += entry.page_count; });
  return pages;
}

std::uint64_t Allocator::pages_waiting_for(TxnId pin, std::uint64_t tail) const {
  std::uint64_t pages = 0;
  const auto add = [&](const DeferredFree& entry) { pages += entry.page_count; };
  for_each_in_ring(tail, add);
  parked_.for_each(add, pin);
  return pages;
}

std::vector<Allocator::Pinned> Allocator::pinned_pages(std::span<const PinnedStates> pins,
                                                       std::uint64_t tail) const {
  Sums sums(pins);
  const std::uint64_t head = control_.deferred_head.load(std::memory_order_acquire);
  const std::uint64_t size = control_.deferred_size.load(std::memory_order_acquire);
  for (std::uint64_t index = head; index < tail && index - head < size; ++index) {
    sums.add(load_entry(deferred_places()[index & (size - 1)]));
  }
  for (std::uint64_t segment = 0; segment < parked_.segment_count(); ++segment) {
    if (!parked_.pin_of(segment)) continue;
    const std::uint64_t count =
        std::min(parked_.header(segment).count.load(std::memory_order_acquire), kSegmentEntries);
    for (std::uint64_t position = 0; position < count; ++position) {
      sums.add(load_entry(parked_.entry(segment * kSegmentEntries + position)));
    }
  }
  return sums.result();
}

}  // namespace quire::pages
