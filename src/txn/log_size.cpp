#include "txn/log_size.h"

#include <algorithm>

#include "base/test_points.h"
#include "format/record.h"
#include "log/log.h"
#include "shared/process.h"
#include "txn/checkpoint_runs.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLogBytesFew =
    128 * kMiB;  // the log may always grow up to here, beyond it to a third of the data
constexpr std::uint64_t kLogBytesHasty =
    16 * kMiB;  // up to here, whatever the data, if it would be full within ...
constexpr std::uint64_t kHastyNanos = 2 * shared::kNanosPerSecond;
constexpr std::uint64_t kLogGrowthMax = 8;  // times its size, where it does not fill so fast
constexpr std::uint64_t kLogGrowthMin = 2;
// It grows when so much of it is used: one part in so many, at least so many bytes.
constexpr std::uint64_t kUsedFraction = 32;
constexpr std::uint64_t kUsedBytesMin = kMiB / 2;
// Enough for commits as large as records can be.
constexpr std::uint64_t kRecordsBytesMax = 4 * log::kPayloadBytesMax;

struct LogUse {
  std::uint64_t size_bytes;
  std::uint64_t used_bytes;
};

LogUse log_use(const Store& store, Lsn log_end) noexcept {
  return {store.log_bytes(),
          log_end.value - store.control().log_start.load(std::memory_order_relaxed)};
}

// Since the last checkpoint was captured.
std::uint64_t nanos_passed(const Store& store) noexcept {
  return shared::coarse_nanos() -
         store.control().checkpointed_nanos.load(std::memory_order_relaxed);
}

bool is_full(const Store& store, const LogUse& use) noexcept {
  if (is_strained()) return use.used_bytes > use.size_bytes / 8;
  const std::uint64_t meanwhile =
      store.control().log_bytes_in_checkpoint.load(std::memory_order_relaxed);
  const std::uint64_t kept_bytes =
      std::clamp(meanwhile * 3 / 2, use.size_bytes / 4, use.size_bytes / 2);
  return use.used_bytes > use.size_bytes - kept_bytes;
}

// By the pages that are not free, less `waiting_pages` and the log.
std::uint64_t justified_bytes(Store& store, std::uint64_t waiting_pages) noexcept {
  const pages::Allocator& allocator = store.allocator();
  const std::uint64_t unused_pages = allocator.free_pages() + waiting_pages;
  const std::uint64_t used_bytes =
      (allocator.file_pages() - std::min(unused_pages, allocator.file_pages())) *
      store.facts().page_bytes;
  const std::uint64_t data_bytes = used_bytes - std::min(used_bytes, store.log_bytes());
  return std::max(data_bytes / 3, std::min(data_bytes, kLogBytesFew));
}

// Eightfold at a time; 0: it stays.
std::uint64_t larger_bytes(const Store& store, std::uint64_t size_bytes, std::uint64_t justified,
                           bool is_hasty) noexcept {
  is_hasty = is_hasty && size_bytes >= format::kLogBytesAtFirst;
  std::uint64_t limit = is_hasty ? std::max(justified, kLogBytesHasty) : justified;
  const std::uint64_t refused = store.control().log_bytes_refused.load(std::memory_order_relaxed);
  if (refused != 0) limit = std::min(limit, refused / 2);
  if (size_bytes * kLogGrowthMin > limit) return 0;
  return std::min(limit, std::max(size_bytes * kLogGrowthMax, is_hasty ? kLogBytesHasty : 0));
}

// The size for a log of which little is used; 0: it stays. To grow it takes a checkpoint under the
// writer lock: the fewer pages that has to write, the better. One that will be full within seconds
// grows by a little, since a new log is written with zeros; much needs that it was full before.
std::uint64_t better_bytes(Store& store, const LogUse& use) noexcept {
  const std::uint64_t few = std::min(kUsedBytesMin, use.size_bytes / 2);
  if (use.used_bytes < std::max(few, use.size_bytes / kUsedFraction)) return 0;
  const shared::Control& control = store.control();
  const double share = static_cast<double>(use.used_bytes) / kLogBytesHasty;
  const bool is_hasty =
      static_cast<double>(nanos_passed(store)) < static_cast<double>(kHastyNanos) * share;
  if (control.log_bytes_in_checkpoint.load(std::memory_order_relaxed) == 0) {
    return is_hasty ? larger_bytes(store, use.size_bytes, 0, true) : 0;
  }
  const std::uint64_t known = control.log_bytes_justified.load(std::memory_order_relaxed);
  return larger_bytes(store, use.size_bytes, known != 0 ? known : justified_bytes(store, 0),
                      is_hasty);
}

// Where the log would hardly ever grow, it mostly moves.
bool moves_under_strain(const Store& store) {
  constexpr std::uint64_t kSparedOneIn = 4;
  return is_strained() && store.control().log_bytes_refused.load(std::memory_order_relaxed) == 0 &&
         store.read_metas().meta.checkpoint % kSparedOneIn != 0;
}

}  // namespace

bool is_checkpoint_due(Store& store, Lsn log_end) noexcept {
  if (is_log_prepared(store)) return true;
  const LogUse use = log_use(store, log_end);
  return is_full(store, use) || better_bytes(store, use) != 0;
}

bool is_checkpoint_due(Store& store) {
  State state;
  // Where there is none, commits rush by: the next one asks again.
  return store.load_state(store.visible(), state) && is_checkpoint_due(store, state.log_end);
}

void note_commits_meanwhile(Store& store, Lsn begin) noexcept {
  State state;
  if (!store.load_state(store.visible(), state)) return;
  store.control().log_bytes_in_checkpoint.store(
      std::max<std::uint64_t>(state.log_end.value - begin.value, 1), std::memory_order_relaxed);
}

void note_data(Store& store, const State& state) {
  std::uint64_t other_pages = store.allocator().deferred_pages(state.deferred_tail);
  for (const PageRun run : acquired_runs(store)) other_pages += run.page_count;  // a prepared log
  store.control().log_bytes_justified.store(justified_bytes(store, other_pages),
                                            std::memory_order_relaxed);
}

void note_log_refused(Store& store, std::uint64_t size_bytes) noexcept {
  store.control().log_bytes_refused.store(size_bytes, std::memory_order_relaxed);
}

// A log that fills up soon makes checkpoints frequent. Each writes most of the pages that random
// changes touch, and the next store into each of those faults, in every process; and a log that is
// full before a checkpoint ends makes commits wait.
std::uint32_t larger_log_pages(Store& store, const State& state, bool is_too_small) {
  const LogUse use = log_use(store, state.log_end);
  std::uint64_t size_bytes = better_bytes(store, use);
  if (size_bytes == 0 && is_too_small) {
    const std::uint64_t justified =
        justified_bytes(store, store.allocator().deferred_pages(state.deferred_tail));
    size_bytes = larger_bytes(store, use.size_bytes, std::min(justified, kRecordsBytesMax),
                              nanos_passed(store) < kHastyNanos);
  }
  if (size_bytes == 0 && moves_under_strain(store)) size_bytes = use.size_bytes;
  return static_cast<std::uint32_t>(size_bytes / store.facts().page_bytes);
}

}  // namespace quire::txn
