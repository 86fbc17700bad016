#include "txn/log_size.h"

#include <algorithm>

#include "format/record.h"
#include "shared/process.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLogBytesFew =
    128 * kMiB;  // the log may always grow up to here, beyond it to a third of the data
constexpr std::uint64_t kLogBytesHasty =
    16 * kMiB;  // up to here, or as much as the data, if only it was full within ...
constexpr std::uint64_t kHastyNanos = 5 * shared::kNanosPerSecond;
constexpr std::uint64_t kLogGrowthMax = 8;  // times its size

}  // namespace

bool is_checkpoint_due(const Store& store, Lsn log_end) noexcept {
  const shared::Control& control = store.control();
  const std::uint64_t size_bytes = store.log_bytes();
  const std::uint64_t used_bytes =
      log_end.value - control.log_start.load(std::memory_order_relaxed);
  const std::uint64_t kept_bytes =
      std::clamp(control.log_bytes_in_checkpoint.load(std::memory_order_relaxed) * 3 / 2,
                 size_bytes / 4, size_bytes / 2);
  return used_bytes > size_bytes - kept_bytes;
}

bool is_checkpoint_due(const Store& store) {
  State state;
  // Where there is none, commits rush by: the next one asks again.
  return store.load_state(store.visible(), state) && is_checkpoint_due(store, state.log_end);
}

void note_commits_meanwhile(Store& store, Lsn begin) noexcept {
  State state;
  if (!store.load_state(store.visible(), state)) return;
  store.control().log_bytes_in_checkpoint.store(state.log_end.value - begin.value,
                                                std::memory_order_relaxed);
}

// A log that fills up soon makes checkpoints frequent. Each writes most of the pages that random
// changes touch, and the next store into each of those faults, in every process; and a log that is
// full before a checkpoint ends makes commits wait. The log grows, in few steps, to what the amount
// of data justifies, and further where it was full within seconds.
std::uint32_t larger_log_pages(Store& store, const State& state) {
  if (!is_checkpoint_due(store)) return 0;
  const pages::Allocator& allocator = store.allocator();
  const std::uint64_t page_bytes = store.facts().page_bytes;
  const std::uint64_t log_bytes = store.ring().size_bytes;
  const std::uint64_t unused_pages =
      allocator.free_pages() + allocator.deferred_pages(state.deferred_tail);
  const std::uint64_t used_pages =
      allocator.file_pages() - std::min(unused_pages, allocator.file_pages());
  const std::uint64_t data_bytes =
      used_pages * page_bytes - std::min(used_pages * page_bytes, log_bytes);
  const std::uint64_t since_nanos =
      shared::coarse_nanos() - store.control().checkpointed_nanos.load(std::memory_order_relaxed);
  const bool is_hasty = since_nanos < kHastyNanos && log_bytes >= format::kLogBytesAtFirst;
  const std::uint64_t limit = std::max({data_bytes / 3, std::min(data_bytes, kLogBytesFew),
                                        is_hasty ? std::max(data_bytes, kLogBytesHasty) : 0});
  if (log_bytes * 2 > limit) return 0;
  return static_cast<std::uint32_t>(std::min(log_bytes * kLogGrowthMax, limit) / page_bytes);
}

}  // namespace quire::txn
