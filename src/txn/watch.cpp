#include "txn/watch.h"

#include <algorithm>
#include <thread>

#include "shared/event.h"

namespace quire::txn {

std::optional<TxnId> wait_for_commit(const Store& store, TxnId after,
                                     std::chrono::nanoseconds timeout) {
  using std::chrono::microseconds;
  // Whoever published may have been killed before it woke anybody.
  constexpr microseconds kSleepMax{50'000};
  shared::EventWord& event = store.control().commit_event;
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    const std::uint32_t seen = shared::event_count(event);
    if (const TxnId published = store.published(); published > after) return published;
    store.require_healthy();
    const std::chrono::nanoseconds waited = std::chrono::steady_clock::now() - begin;
    if (waited >= timeout) return std::nullopt;
    store.require_in_place();  // or who replaced the file commits into another one, unnoticed here
    shared::event_wait(
        event, seen,
        std::min(kSleepMax, std::chrono::floor<microseconds>(timeout - waited) + microseconds{1}));
  }
}

std::optional<TxnId> wait_for_commit(Viewer& viewer, TxnId after,
                                     std::chrono::nanoseconds timeout) {
  constexpr std::chrono::nanoseconds kPause = std::chrono::milliseconds{5};
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    if (const TxnId newest = viewer.pin().txn; newest > after) return newest;
    const std::chrono::nanoseconds waited = std::chrono::steady_clock::now() - begin;
    if (waited >= timeout) return std::nullopt;
    std::this_thread::sleep_for(std::min(kPause, timeout - waited));
  }
}

}  // namespace quire::txn
