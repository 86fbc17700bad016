// Sweeping: each deferred free that nobody can see any more is released; one that a pin keeps is
// parked under that pin; the rest, whose end is not published yet or whose birth no checkpoint has
// covered, stays in the ring.
#include <algorithm>

#include "base/test_points.h"
#include "pages/allocator.h"

namespace quire::pages {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kRelease = std::memory_order_release;

constexpr std::uint64_t kParkedSource = std::uint64_t{1} << 63;  // else an index of the ring

// A mistake for tests to find: right until ids pass 2^32.
[[maybe_unused]] bool may_reuse_by_half_births(const DeferredFree& entry, const ReusePins& reuse) {
  const auto half = [](std::uint64_t id) { return static_cast<std::uint32_t>(id); };
  if (half(entry.freed) > half(reuse.published.value)) return false;
  return std::none_of(reuse.pins.begin(), reuse.pins.end(), [&](PinnedStates pin) {
    return half(pin.last.value) >= half(entry.birth) && half(pin.first.value) < half(entry.freed);
  });
}

// The oldest pin with a state in the entry's life; null when there is none.
const PinnedStates* pin_of(const DeferredFree& entry, const ReusePins& reuse) noexcept {
  const auto pin = pin_from(reuse.pins, TxnId{entry.birth});
  return pin == reuse.pins.end() || pin->first >= TxnId{entry.freed} ? nullptr : &*pin;
}

bool is_pinned(TxnId txn, const ReusePins& reuse) noexcept {
  const auto pin = pin_from(reuse.pins, txn);
  return pin != reuse.pins.end() && pin->first <= txn;
}

// True when pins are all that may still keep the entry, and no new one ever will: whoever pins a
// state from now on pins one that is published or the checkpoint, and both are beyond its life or
// among the pins.
bool is_kept_by_pins_only(const DeferredFree& entry, const ReusePins& reuse) noexcept {
  if (TxnId{entry.freed} > reuse.published) return false;
  return entry.is_extent == 0 || TxnId{entry.birth} <= reuse.checkpoint;
}

bool may_reuse(const DeferredFree& entry, const ReusePins& reuse) noexcept {
  if (sabotaged("birth_of_32_bits_used_for_reuse")) return may_reuse_by_half_births(entry, reuse);
  if (TxnId{entry.freed} > reuse.published && !sabotaged("reuse_by_pins_alone")) return false;
  if (entry.is_extent != 0 && TxnId{entry.birth} > reuse.checkpoint &&
      !sabotaged("extent_reused_before_a_checkpoint"))
    return false;
  return pin_of(entry, reuse) == nullptr;
}

}  // namespace

std::uint64_t Allocator::sweep(std::uint64_t committed_tail, const ReusePins& reuse) {
  control_.taken_since_sweep.store(0, kRelaxed);
  parked_.begin_sweep(reuse.pins);
  std::uint64_t released = look_at_parked(reuse);
  const std::uint64_t head = control_.deferred_head.load(kRelaxed);
  for (std::uint64_t index = head; index < committed_tail; ++index) {
    if (deferred(index).page_count != 0) released += settle(index, reuse);
  }
  std::uint64_t new_head = head;
  while (new_head < committed_tail && deferred(new_head).page_count == 0) ++new_head;
  control_.deferred_head.store(new_head, kRelease);
  control_.sweep_looks.fetch_add(committed_tail - head, kRelaxed);
  control_.sweep_count.fetch_add(1, kRelaxed);
  return released;
}

// Only at segments whose pin is gone.
std::uint64_t Allocator::look_at_parked(const ReusePins& reuse) {
  std::uint64_t released = 0;
  for (std::uint64_t segment = 0; segment < parked_.segment_count(); ++segment) {
    const auto pin = parked_.pin_of(segment);
    if (!pin || is_pinned(*pin, reuse)) continue;
    const std::uint64_t first = segment * kSegmentEntries;
    const std::uint64_t limit = first + parked_.header(segment).count.load(kRelaxed);
    bool is_empty = true;
    for (std::uint64_t place = first; place < limit; ++place) {
      if (parked_.entry(place).page_count == 0) continue;
      released += settle(kParkedSource | place, reuse);
      is_empty &= parked_.entry(place).page_count == 0;
    }
    control_.sweep_looks.fetch_add(limit - first, kRelaxed);
    if (is_empty) parked_.release(segment);
  }
  return released;
}

// Releases the entry, parks it or leaves it where it is. Returns pages released.
std::uint64_t Allocator::settle(std::uint64_t source, const ReusePins& reuse) {
  const bool is_parked = (source & kParkedSource) != 0;
  const DeferredFree& entry = entry_at(source);
  if (may_reuse(entry, reuse) ||
      (is_parked && sabotaged("released_with_the_pin_it_was_parked_under")))
    return release(source);
  if (!is_kept_by_pins_only(entry, reuse)) return 0;
  const PinnedStates* pin = pin_of(entry, reuse);
  if (pin == nullptr) return 0;
  if (const auto place = parked_.place_for(*pin)) park(source, *place);
  return 0;
}

DeferredFree& Allocator::entry_at(std::uint64_t source) const noexcept {
  return (source & kParkedSource) != 0 ? parked_.entry(source & ~kParkedSource) : deferred(source);
}

std::uint64_t Allocator::release(std::uint64_t source) noexcept {
  control_.sweep_target.store(0, kRelease);
  if (!sabotaged("sweep_without_its_mark")) control_.sweep.store(source + 1, kRelease);
  crash_point("sweep: entry marked");
  const std::uint64_t released = clear_bits(entry_at(source).run());
  crash_point("sweep: bits cleared");
  empty_entry(entry_at(source));
  crash_point("sweep: entry emptied");
  control_.sweep.store(0, kRelease);
  return released;
}

void Allocator::park(std::uint64_t source, std::uint64_t place) noexcept {
  control_.sweep_target.store(place + 1, kRelease);
  crash_point("park: place announced");
  if (!sabotaged("park_without_its_mark")) control_.sweep.store(source + 1, kRelease);
  crash_point("park: entry marked");
  parked_.fill(place, entry_at(source));
  empty_entry(entry_at(source));
  crash_point("park: entry moved");
  control_.sweep.store(0, kRelease);
}

void Allocator::finish_sweep() noexcept {
  const std::uint64_t mark = control_.sweep.load(kRelaxed);
  if (mark == 0) return;
  DeferredFree& entry = entry_at(mark - 1);
  const std::uint64_t target = control_.sweep_target.load(kRelaxed);
  if (target == 0) {
    clear_bits(entry.run());
  } else if (entry.page_count != 0) {
    parked_.fill(target - 1, entry);
  }
  crash_point("repair: entry of the sweep settled");
  empty_entry(entry);
  control_.sweep.store(0, kRelease);
}

}  // namespace quire::pages
