#include "txn/store.h"

#include <quire/error.h>

#include <ctime>

#include "base/test_points.h"
#include "shared/states.h"
#include "txn/checkpoint.h"
#include "txn/recovery.h"

namespace quire::txn {
namespace {

constexpr int kMetaReadAttempts =
    100;  // a checkpoint stores one meta after the other: both torn is a passing sight

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

Facts read_facts(const storage::DataFile& data) {
  const format::Meta meta = read_metas_unmapped(data).meta;
  return {.page_bytes = meta.page_bytes,
          .checksum_seed = meta.checksum_seed,
          .may_be_written = (meta.ro_compat & ~format::kRoCompatKnown) == 0};
}

}  // namespace

Store::Store(const std::filesystem::path& path, const Options& options)
    : data_(ensure_file(path, options), storage::DataFile::Access::read_write,
            options.allow_any_filesystem),
      name_(data_.path().string()),
      facts_(read_facts(data_)),
      region_(data_, options.guard_sigbus),
      readers_(region_),
      writer_lock_(region_, readers_.process_index()),
      checkpoint_lock_(region_, shared::kCheckpointByte),
      flush_lock_(region_, shared::kFlushByte),
      allocator_(tables_in(region_)) {
  require_fits(options);
  if (region_.alone()) {
    // The creator may have died between naming the file and flushing the name.
    if (const auto error = data_.flush_name()) {
      storage::throw_errno(error.value(), "flush its directory", data_.path());
    }
    const bool is_cache_trusted = drop_untrusted_cache(data_, region_);
    data_.fill_holes();
    map(options);
    crash_point("open: alone");
    recover_readable(is_cache_trusted);
    crash_point("open: recovered");
    region_.open_to_others();
    crash_point("open: ready");
  } else {
    map(options);
    require_readable();
  }
}

void Store::map(const Options& options) {
  data_.map(options.reserve);
  if (options.guard_sigbus) guard_sigbus();
}

void Store::recover_readable(bool is_cache_trusted) {
  try {
    recover(*this, is_cache_trusted);
  } catch (const Error&) {
    require_readable();  // zeros in the place of a page look like damage
    throw;
  }
  require_readable();
}

Store::~Store() {
  if (abandoned_.load()) return;
  if (region_.guard().is_lost()) {
    // Stays mapped: a robust mutex in it may still be on the list of its thread.
    readers_.abandon_after_fork();
    region_.abandon_after_fork();
    return;
  }
  if (guard_.is_lost()) return;  // unclean: the next open recovers
  try {
    crash_point("close: begins");
    if (!region_.close_to_others()) return;
    crash_point("close: alone");
    if (control().poisoned.load() == 0) checkpoint(*this, true);
    crash_point("close: marked clean");
  } catch (const std::exception&) {
    // The file stays unclean: the next open recovers.
  }
}

void Store::require_fits(const Options& options) const {
  if (options.page_size != 0 && options.page_size != facts_.page_bytes) {
    throw Error(Errc::misuse, name_ + ": has pages of " + std::to_string(facts_.page_bytes) +
                                  " bytes, not " + std::to_string(options.page_size));
  }
  if (!facts_.may_be_written && !options.read_only) {
    throw Error(Errc::wrong_version,
                name_ +
                    ": written by a newer version of quire; this one may only read it: "
                    "open it read-only");
  }
}

void Store::require_window() const { view(allocator_.file_pages()); }

pages::PageView Store::view(std::uint64_t page_count) const {
  if (page_count * facts_.page_bytes > data_.reserved_bytes()) {
    throw Error(Errc::no_space,
                name_ + ": has grown beyond the " + std::to_string(data_.reserved_bytes()) +
                    " bytes of address space reserved here; open it anew with more");
  }
  return {.base = data_.read_base(),
          .page_bytes = facts_.page_bytes,
          .page_count = static_cast<std::uint32_t>(page_count),
          .checksum_seed = facts_.checksum_seed,
          .file = name_.c_str()};
}

pages::Verification Store::verification(Verify verify) {
  if (verify == Verify::first_touch) {
    std::call_once(verified_made_, [this] {
      verified_ = std::make_unique<pages::VerifiedPages>(allocator_.file_pages());
    });
  }
  return {.sealed = checkpointed(),
          .newest = {},
          .verified = verify == Verify::first_touch ? verified_.get() : nullptr};
}

log::Ring Store::ring() const {
  const shared::Run run = shared::unpack_run(control().log_run.load(std::memory_order_acquire));
  if (run.page_count == 0) require_readable();
  const std::uint64_t offset = std::uint64_t{run.first_page} * facts_.page_bytes;
  return {.read = data_.read_base() + offset,
          .write = data_.write_base() + offset,
          .size_bytes = std::uint64_t{run.page_count} * facts_.page_bytes,
          .seed = facts_.checksum_seed};
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

bool Store::has_facts(const format::Meta& meta) const noexcept {
  return meta.page_bytes == facts_.page_bytes && meta.checksum_seed == facts_.checksum_seed;
}

format::MetaChoice Store::read_metas() const {
  const char* reason = "";
  for (int attempt = 0; attempt < kMetaReadAttempts; ++attempt) {
    format::Meta metas[2];
    for (int slot = 0; slot < 2; ++slot) {
      std::memcpy(static_cast<void*>(&metas[slot]), data_.read_base() + format::kMetaOffset[slot],
                  sizeof metas[slot]);
    }
    const format::MetaChoice choice = format::choose(metas[0], metas[1]);
    if (choice.fault != format::MetaFault::none) {
      reason = ": both meta pages are damaged; restore from a copy";
    } else if (!has_facts(choice.meta)) {
      reason = ": the meta pages are those of another database; restore from a copy";
    } else if (choice.meta.page_count > data_.size_bytes() / facts_.page_bytes) {
      reason = ": the file was cut while in use; restore from a copy";
    } else {
      return choice;
    }
  }
  throw Error(Errc::corrupt, name_ + reason);
}

void Store::poison(const std::error_code& error, const char* action) {
  control().poisoned.store(1);
  throw Error(Errc::poisoned,
              name_ + ": " + action + " failed: " + error.message() +
                  "; nothing is acknowledged any more until every process has closed the "
                  "database and it is opened anew");
}

void Store::require_healthy() const {
  require_readable();
  if (control().poisoned.load(std::memory_order_acquire) == 0 || sabotaged("poison_ignored"))
    return;
  throw Error(Errc::poisoned,
              name_ +
                  ": an earlier flush failed; close the database in every process, see "
                  "to the disk, and open it anew");
}

void Store::require_in_place() const {
  constexpr const char* kAdvice =
      " was deleted or replaced while in use; snapshots that are open stay readable; close the "
      "database everywhere, then open it again";
  if (data_.is_replaced()) throw Error(Errc::busy, name_ + ": the data file" + kAdvice);
  if (region_.is_replaced()) throw Error(Errc::busy, region_.path() + ": the lock file" + kAdvice);
}

void Store::require_in_place_now_and_then() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
  const std::int64_t tick = now.tv_sec * kNanosPerSecond + now.tv_nsec;
  if (looked_in_tick_.load(std::memory_order_relaxed) == tick) return;
  require_in_place();
  looked_in_tick_.store(tick, std::memory_order_relaxed);
}

void Store::guard_sigbus() {
  if (is_guarded()) return;
  region_.guard_faults();
  guard_.cover(data_.read_base(), data_.reserved_bytes());
  if (data_.write_base() != data_.read_base()) {
    guard_.cover(data_.write_base(), data_.reserved_bytes());
  }
  is_guarded_.store(true, std::memory_order_release);
}

void Store::require_nothing_lost() const {
  constexpr const char* kAdvice =
      " cannot be read: the file was cut, or the disk failed; close the database in this process "
      "and open it anew";
  if (guard_.is_lost()) {
    throw Error(Errc::io, name_ + ": page " +
                              std::to_string(guard_.lost_offset() / facts_.page_bytes) + kAdvice);
  }
  if (region_.guard().is_lost()) {
    throw Error(Errc::io, region_.path() + ": byte " +
                              std::to_string(region_.guard().lost_offset()) + kAdvice);
  }
}

void Store::abandon_after_fork() noexcept {
  abandoned_.store(true);
  guard_.abandon_after_fork();
  readers_.abandon_after_fork();
  region_.abandon_after_fork();
  data_.abandon_after_fork();
}

}  // namespace quire::txn
