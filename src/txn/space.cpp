#include "txn/space.h"

#include <quire/error.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/test_points.h"
#include "txn/checkpoint.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGrowthBytesMin = kMiB;
constexpr std::uint64_t kGrowthBytesFew = 64 * kMiB;  // up to here the file doubles
constexpr std::uint64_t kGrowthBytesMax = 256 * kMiB;
constexpr std::uint64_t kTakenBetweenSweeps = 128;  // pages
constexpr std::uint64_t kLowWaterFraction =
    64;  // of the file: with less free after a sweep, the next is too near

std::uint64_t growth_bytes(std::uint64_t file_bytes) noexcept {
  if (file_bytes <= kGrowthBytesFew) return std::max(file_bytes, kGrowthBytesMin);
  return std::clamp(file_bytes / 8, kGrowthBytesFew, kGrowthBytesMax);
}

bool try_grow_to(Store& store, std::uint64_t page_count) {
  const std::uint64_t page_bytes = store.facts().page_bytes;
  const std::uint64_t limit = std::min({store.data().reserved_bytes() / page_bytes,
                                        shared::kPageCapacity, std::uint64_t{UINT32_MAX}});
  if (page_count > limit) return false;
  try {
    if (const auto error = store.data().grow(page_count * page_bytes))
      store.poison(error, "growing the file");
    crash_point("growth: durable");
    store.allocator().extend(page_count);
    crash_point("growth: pages free");
    return true;
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) return false;
    throw;
  }
}

[[noreturn]] void give_up(Store& store, std::uint64_t page_count) {
  throw Error(Errc::no_space,
              store.name() + ": no room for " +
                  std::to_string(page_count * store.facts().page_bytes) +
                  " more bytes on the disk or in the reserved address space; free some, "
                  "or close old snapshots");
}

// True when the last checkpoint alone keeps more than a quarter of the file from being reused.
bool checkpoint_pins_much(Store& store, const State& base) {
  return store.visible() > store.checkpointed() &&
         store.allocator().pages_waiting_for(store.checkpointed(), base.deferred_tail) >
             store.allocator().file_pages() / 4;
}

// What nobody may take away: the checkpoints, registered snapshots, and what processes that may
// only read have pinned. Read in this order, after P.
std::vector<pages::PinnedStates> collect_pins(Store& store, std::vector<TxnId> states) {
  store.readers().collect(states);
  std::vector<pages::PinnedStates> pins;
  for (const TxnId state : states) pins.push_back({state, state});
  for (const shared::PinnedRange& range : store.region().pins_in_file()) {
    pins.push_back({range.first, range.last});
  }
  std::sort(pins.begin(), pins.end(),
            [](const auto& left, const auto& right) { return left.first < right.first; });
  std::vector<pages::PinnedStates> merged;
  for (const pages::PinnedStates& pin : pins) {
    if (merged.empty() || merged.back().last < pin.first) {
      merged.push_back(pin);
    } else {
      merged.back().last = std::max(merged.back().last, pin.last);
    }
  }
  return merged;
}

}  // namespace

// By a whole chunk, or, when the disk has no more than that, by as much of it as there is.
bool grow_file(Store& store, std::uint64_t page_count) {
  const std::uint64_t page_bytes = store.facts().page_bytes;
  const std::uint64_t before = store.allocator().file_pages();
  std::uint64_t chunk_pages = growth_bytes(before * page_bytes) / page_bytes;
  for (; chunk_pages > page_count; chunk_pages /= 2) {
    if (try_grow_to(store, before + chunk_pages)) return true;
  }
  return try_grow_to(store, before + page_count);
}

std::uint64_t sweep(Store& store, const State& base) {
  std::vector<TxnId> states;
  // P before the slots: a reader that the scan misses re-reads P afterwards and finds it changed or
  // the same (rule 1).
  const TxnId published{store.control().published.load(std::memory_order_seq_cst)};
  // K before C: a checkpoint that ends in between has made K the C that is read.
  if (const std::uint64_t pending = store.control().checkpoint.pending.load(); pending != 0) {
    states.push_back(TxnId{pending});
  }
  const TxnId checkpoint = store.checkpointed();
  states.push_back(checkpoint);
  if (sabotaged("reuse_by_pins_alone")) {
    states.push_back(published);
    states.push_back(store.visible());
  }
  const auto pins = collect_pins(store, std::move(states));
  return store.allocator().sweep(base.deferred_tail, {pins, published, checkpoint});
}

void sweep_if_due(Store& store) {
  const std::uint64_t due = std::max<std::uint64_t>(
      kTakenBetweenSweeps, store.control().reader_slot_count.load(std::memory_order_relaxed));
  if (store.allocator().taken_since_sweep() >= due) sweep(store, store.visible_state());
}

void make_room(Store& store, const SpaceContext& context, std::uint64_t page_count) {
  pages::Allocator& allocator = store.allocator();
  // As many pages as a change takes, it may free.
  const auto has_room = [&](std::uint64_t pages) {
    return allocator.available_pages() >= pages && allocator.has_deferred_room(page_count);
  };
  if (has_room(page_count)) return;
  const std::uint64_t low_water = std::max(page_count, allocator.file_pages() / kLowWaterFraction);
  if (context.may_sweep) {
    sweep(store, context.base);
    if (!has_room(low_water) && checkpoint_pins_much(store, context.base)) {
      checkpoint_by_writer(store);
      sweep(store, context.base);
    }
  }
  if (has_room(low_water)) return;
  if (allocator.available_pages() < low_water) grow_file(store, page_count);
  if (has_room(page_count)) return;
  if (context.may_sweep && store.visible() > store.checkpointed()) {
    checkpoint_by_writer(store);
    sweep(store, context.base);
  }
  if (!has_room(page_count)) give_up(store, page_count);
}

void make_run(Store& store, const SpaceContext& context, std::uint64_t page_count) {
  pages::Allocator& allocator = store.allocator();
  if (context.may_sweep) {
    if (sweep(store, context.base) > 0 && allocator.has_run(page_count)) return;
    if (checkpoint_pins_much(store, context.base)) {
      checkpoint_by_writer(store);
      sweep(store, context.base);
      if (allocator.has_run(page_count)) return;
    }
  }
  if (grow_file(store, page_count)) return;
  if (context.may_sweep && store.visible() > store.checkpointed()) {
    checkpoint_by_writer(store);
    sweep(store, context.base);
  }
  if (!allocator.has_run(page_count)) give_up(store, page_count);
}

}  // namespace quire::txn
