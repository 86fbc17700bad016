#include "txn/slow_readers.h"

#include <algorithm>
#include <span>
#include <utility>

namespace quire::txn {
namespace {

constexpr int kStateAttempts = 100;  // commits may rush by

// Where the deferred frees of some recent commit end.
std::uint64_t recent_deferred_tail(const Store& store) {
  State state;
  for (int attempt = 0; attempt < kStateAttempts; ++attempt) {
    if (store.load_state(store.visible(), state)) return state.deferred_tail;
  }
  return 0;
}

std::vector<Reader> registered(Store& store) {
  std::vector<Reader> readers;
  for (shared::RegisteredReader& found : store.readers().list()) {
    readers.push_back({.info = {.pid = found.pid,
                                .pid_namespace = found.pid_namespace,
                                .thread = found.thread,
                                .command = std::move(found.command),
                                .txn = found.txn.value,
                                .age_seconds = found.age_seconds},
                       .slot = found.slot});
  }
  for (const shared::PinnedRange& pin : store.region().pins_in_file()) {
    readers.push_back({.info = {.txn = pin.first.value}, .slot = UINT64_MAX});
  }
  return readers;
}

}  // namespace

std::vector<Reader> list_readers(Store& store) {
  const std::uint64_t newest = store.published().value;
  std::vector<Reader> readers = registered(store);
  std::sort(readers.begin(), readers.end(), [](const Reader& left, const Reader& right) {
    return std::pair{left.info.txn, left.slot} < std::pair{right.info.txn, right.slot};
  });
  const Pins found_pins = collect_pins(store);
  const std::span<const pages::PinnedStates> pins = found_pins.states;
  const auto pinned = store.allocator().pinned_pages(pins, recent_deferred_tail(store));
  for (Reader& reader : readers) {
    reader.info.commits_behind = newest - std::min(newest, reader.info.txn);
    const auto pin = pages::pin_from(pins, TxnId{reader.info.txn});
    if (pin == pins.end()) continue;  // it has begun or ended meanwhile
    const auto& found = pinned[static_cast<std::size_t>(pin - pins.begin())];
    reader.info.pinned_bytes = found.page_count * store.facts().page_bytes;
    reader.pages_alone = found.page_count_alone;
  }
  return readers;
}

bool tell_of_oldest(Store& store, SpaceContext& context, std::uint64_t missing_pages) {
  if (context.on_slow_reader == nullptr || !*context.on_slow_reader) return false;
  const std::vector<Reader> readers = list_readers(store);
  for (const Reader& reader : readers) {
    const bool is_oldest = reader.info.txn == readers.front().info.txn;
    if (!is_oldest || reader.pages_alone < std::max<std::uint64_t>(missing_pages, 1)) return false;
    auto& told = context.told;
    const std::pair identity{reader.slot, reader.info.txn};
    if (std::find(told.begin(), told.end(), identity) != told.end()) continue;
    told.push_back(identity);
    return (*context.on_slow_reader)(reader.info);
  }
  return false;
}

}  // namespace quire::txn
