#include "txn/company.h"

#include <algorithm>
#include <cstdint>
#include <thread>

#include "txn/flush.h"

namespace quire::txn {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Others come within microseconds, which no timer can tell; who waits for longer sleeps.
constexpr nanoseconds kYieldFor = std::chrono::microseconds(200);
constexpr nanoseconds kSleep = std::chrono::microseconds(100);
constexpr nanoseconds kFlushMax = kLeaderPatience;  // more is not the disk: the leader was stopped
constexpr std::uint64_t kHistory = 4;               // a flush counts for so much of the average

std::uint64_t pending_count(const Store& store) {
  State newest;
  if (!store.load_state(store.visible(), newest)) return 0;
  const std::uint64_t flushed = store.control().flushed_full.load(std::memory_order_relaxed);
  return newest.full_count - std::min(newest.full_count, flushed);
}

}  // namespace

void await_company(const Store& store) {
  const shared::Control& control = store.control();
  const std::uint64_t sizes = control.group_sizes.load(std::memory_order_relaxed);
  const std::uint64_t expected = std::max(sizes & UINT32_MAX, sizes >> 32);
  if (expected < 2) return;
  const auto begin = steady_clock::now();
  const nanoseconds patience{control.flush_nanos.load(std::memory_order_relaxed) / 2};
  while (pending_count(store) < expected) {
    const nanoseconds waited = steady_clock::now() - begin;
    if (waited >= patience) return;
    if (waited < kYieldFor) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kSleep);
    }
  }
}

// Those who came during the flush are of the company, too: nobody has to wake them, and soon they
// would be the only ones who are not waited for.
void note_company(Store& store, const State& state, nanoseconds took) noexcept {
  shared::Control& control = store.control();
  const std::uint64_t before = control.flushed_full.load(std::memory_order_relaxed);
  const std::uint64_t came = std::min<std::uint64_t>(pending_count(store), UINT32_MAX);
  control.flushed_full.store(std::max(state.full_count, before), std::memory_order_relaxed);
  const std::uint64_t sizes = control.group_sizes.load(std::memory_order_relaxed);
  control.group_sizes.store(sizes << 32 | came, std::memory_order_relaxed);
  const std::uint64_t average = control.flush_nanos.load(std::memory_order_relaxed);
  const auto latest = static_cast<std::uint64_t>(std::min(took, kFlushMax).count());
  control.flush_nanos.store(average == 0 ? latest : (average * (kHistory - 1) + latest) / kHistory,
                            std::memory_order_relaxed);
}

}  // namespace quire::txn
