#include "txn/compacting.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "txn/checkpoint.h"
#include "txn/larger_log.h"
#include "txn/space.h"
#include "txn/transaction.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kWasteFraction = 8;   // of the pages in use: with less, nothing moves
constexpr std::uint64_t kWastePagesMin = 32;  // nor with less than this
constexpr std::uint64_t kRoomFraction = 32;   // of the pages in use: for copies of branches
constexpr std::uint64_t kStepPagesMin = 64;   // a word of the bitmap: what a census goes by

}  // namespace

Census take_census(Store& store, std::uint64_t moved_pages_max) {
  const shared::Run log = shared::unpack_run(store.control().log_run.load());
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
  const std::uint64_t log_end = std::uint64_t{log.first_page} + log.page_count;
  std::uint64_t left = moved_pages_max;
  for (census.low_end = words.size() * 64; census.low_end > 0; census.low_end -= 64) {
    const std::uint64_t first = census.low_end - 64;
    if (first >= log.first_page && first < log_end) continue;
    const auto used = static_cast<std::uint64_t>(std::popcount(words[first / 64]));
    if (used > left) break;
    left -= used;
  }
  return census;
}

std::optional<PageId> limit_of_move(const Census& census, std::uint64_t wanted_pages) noexcept {
  if (census.end < wanted_pages + std::max(wanted_pages / kWasteFraction, kWastePagesMin)) {
    return std::nullopt;
  }
  return PageId{static_cast<std::uint32_t>(
      std::max(wanted_pages + wanted_pages / kRoomFraction + kWastePagesMin, census.low_end))};
}

void release_what_is_free(Store& store) {
  const WriterHold writer(store);
  settle_checkpoint(store);
  sweep(store, store.visible_state());
}

CompactStep compact_step(Store& store, std::uint64_t pages_max) {
  // What the last step has left is free once a checkpoint has passed it.
  if (store.visible() > store.checkpointed()) checkpoint(store);
  release_what_is_free(store);
  WriterHold writer(store);
  give_up_larger_log(store);
  const Census census = take_census(store, std::max(pages_max, kStepPagesMin));
  const shared::Run log = shared::unpack_run(store.control().log_run.load());
  CompactStep step{.end_pages = census.end, .wanted_pages = census.used_pages + log.page_count};
  const auto limit = limit_of_move(census, step.wanted_pages);
  if (limit) step.has_moved = Transaction(store, std::move(writer), {}).move_below(*limit);
  return step;
}

}  // namespace quire::txn
