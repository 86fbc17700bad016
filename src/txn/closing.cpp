#include "txn/closing.h"

#include <quire/error.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <vector>

#include "base/test_points.h"
#include "format/record.h"
#include "txn/checkpoint.h"
#include "txn/recovery.h"
#include "txn/space.h"
#include "txn/transaction.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kWasteFraction = 8;   // of the pages in use: with less, nothing moves
constexpr std::uint64_t kWastePagesMin = 32;  // nor with less than this
constexpr std::uint64_t kLogFraction = 64;    // of the data: so much log is kept
constexpr std::uint64_t kRoomFraction = 32;   // of the pages in use: for copies of branches
constexpr std::uint64_t kMovedBytesMax = 256 << 20;  // at one close

// What the newest state has in the file when nothing else counts any more.
struct Census {
  std::uint64_t used_pages = 0;  // without the log
  std::uint64_t end = 0;         // of the last page in use, the log included
  std::uint64_t low_end = 0;     // from here on no more is in use than one close may move
};

Census take_census(Store& store, PageRun log) {
  const auto bitmap = store.allocator().bitmap_words();
  std::vector<std::uint64_t> words(bitmap.size());
  std::transform(bitmap.begin(), bitmap.end(), words.begin(),
                 [](const auto& word) { return word.load(std::memory_order_relaxed); });
  store.allocator().for_each_deferred(
      store.visible_state().deferred_tail, [&](const pages::DeferredFree& entry) {
        for (std::uint64_t page = entry.first_page;
             page < std::uint64_t{entry.first_page} + entry.page_count; ++page) {
          words[page / 64] &= ~(std::uint64_t{1} << page % 64);
        }
      });
  Census census;
  for (std::size_t index = 0; index < words.size(); ++index) {
    if (words[index] == 0) continue;
    census.used_pages += static_cast<std::uint64_t>(std::popcount(words[index]));
    census.end = index * 64 + 64 - static_cast<std::uint64_t>(std::countl_zero(words[index]));
  }
  census.used_pages -= std::min<std::uint64_t>(census.used_pages, log.page_count);
  const std::uint64_t log_end = std::uint64_t{log.first.value} + log.page_count;
  std::uint64_t left = kMovedBytesMax / store.facts().page_bytes;
  for (census.low_end = words.size() * 64; census.low_end > 0; census.low_end -= 64) {
    const std::uint64_t first = census.low_end - 64;
    if (first >= log.first.value && first < log_end) continue;
    const auto used = static_cast<std::uint64_t>(std::popcount(words[first / 64]));
    if (used > left) break;
    left -= used;
  }
  return census;
}

void release_what_is_free(Store& store) {
  const WriterHold writer(store);
  settle_checkpoint(store);
  sweep(store, store.visible_state());
}

// Moves pages down where that is worth it. What the last checkpoint still has to do.
Packing pack(Store& store, shared::Run log) {
  Packing packing{.log_pages_max = log.page_count, .ends_file = true};
  if (!store.region().pins_in_file().empty()) return {.log_pages_max = log.page_count};
  const std::uint64_t page_bytes = store.facts().page_bytes;
  const Census census = take_census(store, {PageId{log.first_page}, log.page_count});
  const std::uint64_t log_pages =
      std::max(format::kLogBytesAtFirst / page_bytes, census.used_pages / kLogFraction);
  if (log_pages * 2 <= log.page_count)
    packing.log_pages_max = static_cast<std::uint32_t>(log_pages);
  const std::uint64_t wanted =
      census.used_pages + std::min<std::uint64_t>(log.page_count, packing.log_pages_max);
  if (census.end < wanted + std::max(wanted / kWasteFraction, kWastePagesMin)) return packing;
  packing.limit = static_cast<std::uint32_t>(
      std::max(wanted + wanted / kRoomFraction + kWastePagesMin, census.low_end));
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
