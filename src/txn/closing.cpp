#include "txn/closing.h"

#include <quire/error.h>

#include <algorithm>
#include <exception>

#include "base/test_points.h"
#include "format/record.h"
#include "txn/checkpoint.h"
#include "txn/compacting.h"
#include "txn/larger_log.h"
#include "txn/recovery.h"
#include "txn/space.h"
#include "txn/transaction.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kLogFraction = 64;           // of the data: so much log is kept
constexpr std::uint64_t kMovedBytesMax = 256 << 20;  // at one close

// Moves pages down where that is worth it. What the last checkpoint still has to do.
Packing pack(Store& store, shared::Run log) {
  Packing packing{.log_pages_max = log.page_count, .ends_file = true};
  if (!store.region().pins_in_file().empty()) return {.log_pages_max = log.page_count};
  const std::uint64_t page_bytes = store.facts().page_bytes;
  const Census census = take_census(store, kMovedBytesMax / page_bytes);
  const std::uint64_t log_pages =
      std::max(format::kLogBytesAtFirst / page_bytes, census.used_pages / kLogFraction);
  if (log_pages * 2 <= log.page_count)
    packing.log_pages_max = static_cast<std::uint32_t>(log_pages);
  const std::uint64_t wanted =
      census.used_pages + std::min<std::uint64_t>(log.page_count, packing.log_pages_max);
  const auto limit = limit_of_move(census, wanted);
  if (!limit) return packing;
  packing.limit = limit->value;
  crash_point("close: begins to pack");
  // Not the end of the file yet: what C alone keeps is still in the way.
  checkpoint_packed(store, {.log_pages_max = packing.log_pages_max}, false);
  release_what_is_free(store);
  Transaction(store, WriterHold(store), {}).move_below(PageId{packing.limit});
  release_what_is_free(store);
  crash_point("close: packed");
  return packing;
}

void cut(Store& store) noexcept {
  if (!store.facts().may_be_written) return;  // a newer version may have put something behind it
  try {
    const auto closed = closed_bytes(store.data());
    if (!closed || *closed >= store.data().size_bytes()) return;
    if (!store.region().pins_in_file().empty()) return;
    crash_point("close: about to cut");
    store.data().shrink(*closed);
    crash_point("close: cut");
  } catch (const std::exception&) {
    // It stays longer than it has to be.
  }
}

}  // namespace

void close_as_last(Store& store) {
  if (store.control().clean.load() == 0 || store.visible() != store.checkpointed()) {
    const shared::Run log = shared::unpack_run(store.control().log_run.load());
    Packing packing{.log_pages_max = log.page_count};  // also a log that is full does not grow now
    try {
      {
        const WriterHold writer(store);
        give_up_larger_log(store);
      }
      packing = pack(store, log);
    } catch (const std::exception&) {
      // No room for copies, or a page is damaged: as it is, it can still be closed.
      store.require_healthy();
    }
    checkpoint_packed(store, packing, true);
  }
  cut(store);
}

}  // namespace quire::txn
