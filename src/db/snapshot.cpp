// Beginning and ending snapshots without taking memory or locks: each thread keeps the last one
// that it has ended.
#include <memory>
#include <utility>

#include "db/handles.h"

namespace quire::detail {
namespace {

// Nothing that needs a constructor: looked at by every begin and end.
constinit thread_local SnapshotState* resting = nullptr;
constinit thread_local bool is_thread_over = false;

bool is_of(const SnapshotState& state, const std::shared_ptr<txn::Store>& store) noexcept {
  return !state.of.owner_before(store) && !store.owner_before(state.of);
}

void discard(SnapshotState* state) noexcept {
  const std::shared_ptr<txn::Store> store = state->of.lock();  // until the slot is given back
  if (!store) state->snapshot.forget();
  delete state;
}

// Gives back what rests when its thread ends.
struct ThreadEnd {
  bool is_watched = false;
  ~ThreadEnd() {
    is_thread_over = true;
    if (resting != nullptr) discard(std::exchange(resting, nullptr));
  }
};
thread_local ThreadEnd thread_end;

}  // namespace

SnapshotPtr begin_snapshot(const db::Opened& opened, Verify verify) {
  if (resting != nullptr && is_of(*resting, opened.store)) [[likely]] {
    SnapshotState* const state = std::exchange(resting, nullptr);
    state->kept.store = opened.store;
    try {
      state->snapshot.renew(verify);
    } catch (...) {
      discard(state);
      throw;
    }
    return SnapshotPtr(state);
  }
  return SnapshotPtr(std::make_unique<SnapshotState>(opened, verify).release());
}

void EndSnapshot::operator()(SnapshotState* state) const noexcept {
  if (!state->snapshot.has_slot() || is_thread_over) {
    delete state;
    return;
  }
  state->snapshot.rest();
  // Released last: it may be the last one, whose end closes the file.
  const std::shared_ptr<txn::Store> store = std::move(state->kept.store);
  SnapshotState* const other = std::exchange(resting, state);
  if (other == nullptr) {
    thread_end.is_watched = true;
  } else {
    discard(other);
  }
}

}  // namespace quire::detail
