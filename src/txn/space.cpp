#include "txn/space.h"

#include <quire/error.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/test_points.h"
#include "txn/checkpoint.h"
#include "txn/slow_readers.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGrowthBytesMin = kMiB;
constexpr std::uint64_t kGrowthFewBytes = 16 * kMiB;  // up to here the file doubles
// Beyond it grows by one part in so many: a growth costs as much as a flush, and what a load leaves
// unused of the last one is the file's slack.
constexpr std::uint64_t kGrowthFraction = 24;
constexpr std::uint64_t kGrowthBytesStep = 4 * kMiB;  // at least, beyond it
constexpr std::uint64_t kGrowthBytesMax = 256 * kMiB;
constexpr std::uint64_t kTakenBetweenSweeps = 128;  // pages
constexpr std::uint64_t kLowWaterFraction =
    64;  // of the file: with less free after a sweep, the next is too near

std::uint64_t growth_bytes(std::uint64_t file_bytes) noexcept {
  if (file_bytes <= kGrowthFewBytes) return std::max(file_bytes, kGrowthBytesMin);
  return std::clamp(file_bytes / kGrowthFraction, kGrowthBytesStep, kGrowthBytesMax);
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

// True when the last checkpoint alone keeps more than half of the file from being reused. Random
// changes copy each page of the tree once between two checkpoints and go on with the copies: the
// file then has room for both trees, and only the log asks for checkpoints. A lower limit makes the
// file smaller and the checkpoints, which write every page copied, many times as frequent.
bool checkpoint_pins_much(Store& store, const State& base) {
  return store.visible() > store.checkpointed() &&
         store.allocator().pages_waiting_for(store.checkpointed(), base.deferred_tail) >
             store.allocator().file_pages() / 2;
}

// Sorted, without overlaps. A range is cut where a state in it is pinned on its own as well: what
// waits for the range must not wait for that state when the range is gone.
std::vector<pages::PinnedStates> merged(std::vector<TxnId> states,
                                        const std::vector<shared::PinnedRange>& ranges) {
  std::sort(states.begin(), states.end());
  states.erase(std::unique(states.begin(), states.end()), states.end());
  std::vector<pages::PinnedStates> pins;
  auto state = states.begin();
  for (const shared::PinnedRange& range : ranges) {
    std::uint64_t next = range.first.value;  // of the range, the first that is not among the pins
    for (; state != states.end() && *state <= range.last; ++state) {
      if (state->value > next) pins.push_back({TxnId{next}, TxnId{state->value - 1}});
      pins.push_back({*state, *state});
      next = std::max(next, state->value + 1);
    }
    if (next <= range.last.value) pins.push_back({TxnId{next}, range.last});
  }
  for (; state != states.end(); ++state) pins.push_back({*state, *state});
  return pins;
}

// Tells of slow readers as long as that may help. True when `has_room`.
template <typename HasRoom>
bool relieve(Store& store, SpaceContext& context, std::uint64_t page_count, HasRoom has_room) {
  if (!context.may_sweep) return false;
  while (tell_of_oldest(store, context, page_count)) {
    sweep(store, context.base);
    if (has_room()) return true;
  }
  return false;
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

Pins collect_pins(Store& store) {
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
  store.readers().collect(states);
  return {merged(std::move(states), store.region().pins_in_file()), published, checkpoint};
}

std::uint64_t sweep(Store& store, const State& base) {
  const Pins pins = collect_pins(store);
  return store.allocator().sweep(base.deferred_tail,
                                 {pins.states, pins.published, pins.checkpoint});
}

void sweep_if_due(Store& store) {
  const std::uint64_t due = std::max<std::uint64_t>(
      {kTakenBetweenSweeps, store.control().reader_slot_count.load(std::memory_order_relaxed),
       store.allocator().parked_segments()});
  if (store.allocator().taken_since_sweep() >= due) sweep(store, store.visible_state());
}

void make_room(Store& store, SpaceContext& context, std::uint64_t page_count) {
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
  const auto missing_pages = [&](std::uint64_t wanted) {
    return wanted - std::min(wanted, allocator.available_pages());
  };
  if (relieve(store, context, missing_pages(low_water), [&] { return has_room(low_water); })) {
    return;
  }
  if (allocator.available_pages() < low_water) grow_file(store, page_count);
  if (has_room(page_count)) return;
  if (context.may_sweep && store.visible() > store.checkpointed()) {
    checkpoint_for_room(store);
    sweep(store, context.base);
  }
  if (has_room(page_count)) return;
  if (relieve(store, context, missing_pages(page_count), [&] { return has_room(page_count); })) {
    return;
  }
  give_up(store, page_count);
}

void make_deferred_room(Store& store, SpaceContext& context, std::uint64_t count) {
  pages::Allocator& allocator = store.allocator();
  if (allocator.has_deferred_room(count) || !context.may_sweep) return;
  sweep(store, context.base);
  if (allocator.has_deferred_room(count) || store.visible() <= store.checkpointed()) return;
  try {
    checkpoint_by_writer(store);
  } catch (const Error& error) {
    if (error.code() != Errc::no_space) throw;
  }
  sweep(store, context.base);
}

void make_run(Store& store, SpaceContext& context, std::uint64_t page_count) {
  pages::Allocator& allocator = store.allocator();
  if (context.may_sweep) {
    if (sweep(store, context.base) > 0 && allocator.has_run(page_count)) return;
    if (checkpoint_pins_much(store, context.base)) {
      checkpoint_by_writer(store);
      sweep(store, context.base);
      if (allocator.has_run(page_count)) return;
    }
  }
  const auto has_run = [&] { return allocator.has_run(page_count); };
  if (relieve(store, context, page_count, has_run)) return;
  if (grow_file(store, page_count)) return;
  if (context.may_sweep && store.visible() > store.checkpointed()) {
    checkpoint_for_room(store);
    sweep(store, context.base);
  }
  if (has_run() || relieve(store, context, page_count, has_run)) return;
  give_up(store, page_count);
}

}  // namespace quire::txn
