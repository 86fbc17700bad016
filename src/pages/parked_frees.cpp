#include "pages/parked_frees.h"

#include <quire/error.h>

#include <algorithm>

#include "base/test_points.h"

namespace quire::pages {
namespace {

constexpr std::uint64_t kSegmentStep = 16;  // segments that get blocks at a time: 64 KiB

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kRelease = std::memory_order_release;

}  // namespace

ParkedFrees::ParkedFrees(const AllocatorTables& tables) noexcept : tables_(tables) {}

std::uint64_t ParkedFrees::segment_count() const noexcept {
  return tables_.control->parked_segments.load(std::memory_order_acquire);
}

SegmentHeader& ParkedFrees::header(std::uint64_t segment) const noexcept {
  return reinterpret_cast<SegmentHeader*>(tables_.region->base() +
                                          tables_.segments_offset)[segment];
}

std::optional<TxnId> ParkedFrees::pin_of(std::uint64_t segment) const noexcept {
  const std::uint64_t owner = header(segment).pin.load(kRelaxed);
  if (owner == 0) return std::nullopt;
  return TxnId{owner - 1};
}

DeferredFree& ParkedFrees::entry(std::uint64_t place) const noexcept {
  return reinterpret_cast<DeferredFree*>(tables_.region->base() + tables_.parked_offset)[place];
}

void ParkedFrees::begin_sweep(std::span<const PinnedStates> pins) {
  pins_ = pins;
  open_.assign(pins.size(), 0);
  lowest_free_ = segment_count();
  for (std::uint64_t segment = segment_count(); segment-- > 0;) {
    const auto pin = pin_of(segment);
    if (!pin) lowest_free_ = segment;
    if (!pin || header(segment).count.load(kRelaxed) == kSegmentEntries) continue;
    const auto found = pin_from(pins, *pin);
    if (found != pins.end() && found->first == *pin) {
      open_[static_cast<std::size_t>(found - pins.begin())] = segment + 1;
    }
  }
}

std::optional<std::uint64_t> ParkedFrees::place_for(const PinnedStates& pin) {
  std::uint64_t& open = open_[static_cast<std::size_t>(&pin - pins_.data())];
  if (open == 0 || header(open - 1).count.load(kRelaxed) == kSegmentEntries) {
    const auto taken = take_segment(pin.first);
    if (!taken) return std::nullopt;
    open = *taken + 1;
  }
  return (open - 1) * kSegmentEntries + header(open - 1).count.load(kRelaxed);
}

std::optional<std::uint64_t> ParkedFrees::take_segment(TxnId pin) {
  while (lowest_free_ < segment_count() && pin_of(lowest_free_)) {
    ++lowest_free_;
  }
  if (lowest_free_ == segment_count() && !add_segments()) return std::nullopt;
  header(lowest_free_).pin.store(pin.value + 1, kRelease);
  crash_point("park: segment taken");
  return lowest_free_++;
}

bool ParkedFrees::add_segments() {
  const std::uint64_t count = segment_count();
  if (count + kSegmentStep > tables_.segment_capacity) return false;
  constexpr std::uint64_t kSegmentBytes = kSegmentEntries * sizeof(DeferredFree);
  try {
    tables_.region->ensure(tables_.segments_offset + count * sizeof(SegmentHeader),
                           kSegmentStep * sizeof(SegmentHeader));
    tables_.region->ensure(tables_.parked_offset + count * kSegmentBytes,
                           kSegmentStep * kSegmentBytes);
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) return false;
    throw;
  }
  tables_.control->parked_segments.store(count + kSegmentStep, kRelease);
  crash_point("park: segments added");
  return true;
}

void ParkedFrees::fill(std::uint64_t place, const DeferredFree& entry) noexcept {
  store_entry(this->entry(place), entry);
  crash_point("park: entry copied");
  header(place / kSegmentEntries).count.store(place % kSegmentEntries + 1, kRelease);
  crash_point("park: entry counted");
}

void ParkedFrees::release(std::uint64_t segment) noexcept {
  header(segment).count.store(0, kRelease);
  crash_point("park: segment emptied");
  header(segment).pin.store(0, kRelease);
  crash_point("park: segment free");
  lowest_free_ = std::min(lowest_free_, segment);
}

}  // namespace quire::pages
