#include "txn/store.h"

#include <quire/error.h>

#include <ctime>
#include <utility>

#include "base/test_points.h"
#include "shared/process.h"
#include "shared/states.h"
#include "txn/closing.h"
#include "txn/recovery.h"

namespace quire::txn {
namespace {

pages::AllocatorTables tables_in(shared::Region& region) {
  pages::AllocatorTables tables;
  tables.region = &region.file();
  tables.control = reinterpret_cast<pages::AllocatorControl*>(region.file().base() +
                                                              shared::kAllocatorControlOffset);
  tables.bitmap_offset = shared::kBitmapOffset;
  tables.areas_offset = shared::kAreasOffset;
  tables.deferred_offset = shared::kDeferredOffset;
  tables.undo_offset = shared::kUndoOffset;
  tables.segments_offset = shared::kSegmentsOffset;
  tables.parked_offset = shared::kParkedOffset;
  tables.page_capacity = shared::kPageCapacity;
  tables.deferred_capacity = shared::kDeferredCapacity;
  tables.undo_capacity = shared::kUndoCapacity;
  tables.segment_capacity = shared::kSegmentCapacity;
  return tables;
}

static_assert(shared::kAllocatorControlOffset + sizeof(pages::AllocatorControl) <=
              shared::kStatesOffset);
static_assert(shared::kDeferredCapacity * sizeof(pages::DeferredFree) ==
              shared::kParkedOffset - shared::kDeferredOffset);
static_assert(shared::kSegmentCapacity * pages::kSegmentEntries * sizeof(pages::DeferredFree) ==
              shared::kRegionBytes - shared::kParkedOffset);
static_assert(shared::kSegmentsOffset + shared::kSegmentCapacity * sizeof(pages::SegmentHeader) <=
              shared::kUndoOffset);
static_assert(pages::kAreaPages == 32768);

}  // namespace

Store::Store(const std::filesystem::path& path, const Options& options)
    : File(ensure_file(path, options), storage::DataFile::Access::read_write, options),
      region_(data(), options.guard_sigbus),
      allocator_(tables_in(region_)) {
  attach(options);
}

Store::Store(storage::MemoryFiles files, const Options& options)
    : File(std::move(files)),
      region_(data(), options.guard_sigbus),
      allocator_(tables_in(region_)) {
  attach(options);
}

void Store::attach(const Options& options) {
  require_fits(options);
  if (region_.alone()) {
    const bool is_cache_trusted = drop_untrusted_cache(data(), region_);
    data().fill_holes();
    map(options);
    crash_point("open: alone");
    recover_readable(is_cache_trusted);
    crash_point("open: recovered");
    region_.open_to_others();
    crash_point("open: ready");
  } else {
    map(options);
    readers_.clear_dead();
    require_readable();
  }
}

Store::Store(PrivateView, const std::filesystem::path& path, const Options& options)
    : File(path, storage::DataFile::Access::private_view, options),
      region_(data(), options.guard_sigbus),
      allocator_(tables_in(region_)) {
  shared::pin_from(data().lock_descriptor(), TxnId{read_metas_unmapped(data()).meta.txn});
  // Who has closed the file may be about to cut it there (see closing.h).
  data().limit_view(closed_bytes(data()).value_or(data().size_bytes()));
  map(options);
  recover_readable(true);
}

void Store::recover_readable(bool is_cache_trusted) {
  try {
    recovered_ = recover(*this, is_cache_trusted);
  } catch (const Error&) {
    require_readable();  // zeros in the place of a page look like damage
    throw;
  }
  require_readable();
}

Store::~Store() {
  if (is_abandoned() || data().is_private()) return;
  checkpointer_.stop();
  if (region_.guard().is_lost()) {
    // Stays mapped: a robust mutex in it may still be on the list of its thread.
    readers_.abandon_after_fork();
    region_.abandon_after_fork();
    return;
  }
  if (guard().is_lost()) return;  // unclean: the next open recovers
  try {
    crash_point("close: begins");
    if (!region_.close_to_others()) return;
    crash_point("close: alone");
    if (control().poisoned.load() == 0) close_as_last(*this);
    crash_point("close: marked clean");
  } catch (const std::exception&) {
    // The file stays unclean: the next open recovers.
  }
}

void Store::require_durable_name() {
  if (is_name_durable_.load(std::memory_order_relaxed) || data().is_private()) return;
  if (const auto error = data().flush_name()) poison(error, "flushing its directory");
  is_name_durable_.store(true, std::memory_order_relaxed);
}

void Store::require_window() const { view(allocator_.file_pages()); }

log::Ring Store::ring() const { return ring_at(control().log_run.load(std::memory_order_acquire)); }

log::Ring Store::writable_ring() {
  log::Ring writable = ring();
  writable.file = &data();
  return writable;
}

log::Ring Store::mapped_ring() {
  log::Ring mapped = ring();
  mapped.memory = data().write_base() + mapped.file_offset;
  return mapped;
}

std::uint64_t Store::log_bytes() const noexcept {
  const shared::Run run = shared::unpack_run(control().log_run.load(std::memory_order_acquire));
  return std::uint64_t{run.page_count} * facts().page_bytes;
}

bool Store::load_state(TxnId txn, State& state) const noexcept {
  return shared::load_state(region_.state(txn.value), txn.value, state);
}

void Store::store_state(TxnId txn, const State& state) noexcept {
  shared::store_state(region_.state(txn.value), txn.value, state);
}

State Store::visible_state() const {
  State state;
  if (!load_state(visible(), state)) {
    throw Error(Errc::corrupt,
                region_.path() + ": the newest state is missing; close the database everywhere");
  }
  return state;
}

TxnId Store::checkpointed() const noexcept {
  return TxnId{control().checkpoint.current.load(std::memory_order_seq_cst)};
}

void Store::publish(TxnId txn) noexcept {
  raise(control().published, txn.value);
  crash_point("publish: raised");
  shared::event_signal(control().commit_event);
}

void Store::poison(const std::error_code& error, const char* action) {
  control().poisoned.store(1);
  throw Error(Errc::poisoned,
              name() + ": " + action + " failed: " + error.message() +
                  "; nothing is acknowledged any more until every process has closed the "
                  "database and it is opened anew");
}

void Store::require_healthy() const {
  require_readable();
  if (control().poisoned.load(std::memory_order_acquire) == 0 || sabotaged("poison_ignored"))
    return;
  throw Error(Errc::poisoned,
              name() +
                  ": an earlier flush failed; close the database in every process, see "
                  "to the disk, and open it anew");
}

void Store::require_in_place() const {
  constexpr const char* kAdvice =
      " was deleted or replaced while in use; snapshots that are open stay readable; close the "
      "database everywhere, then open it again";
  if (data().is_replaced()) throw Error(Errc::busy, name() + ": the data file" + kAdvice);
  if (region_.is_replaced()) throw Error(Errc::busy, region_.path() + ": the lock file" + kAdvice);
}

void Store::require_in_place_now_and_then() {
  const std::uint64_t tick = shared::coarse_nanos();
  if (looked_in_tick_.load(std::memory_order_relaxed) == tick) return;
  require_in_place();
  looked_in_tick_.store(tick, std::memory_order_relaxed);
}

void Store::abandon_region() noexcept {
  checkpointer_.abandon_after_fork();
  readers_.abandon_after_fork();
  region_.abandon_after_fork();
}

}  // namespace quire::txn
