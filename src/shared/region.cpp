#include "shared/region.h"

#include <quire/error.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <random>
#include <thread>
#include <utility>

#include "base/assert.h"
#include "base/test_points.h"
#include "shared/boot.h"
#include "shared/process.h"
#include "shared/region_view.h"
#include "shared/robust_mutex.h"
#include "storage/byte_lock.h"

namespace quire::shared {
namespace {

using storage::LockMode;
using storage::try_lock_byte;
using storage::unlock_byte;

// A picture that lasts this long is no passing state. It may last longer when the lock file belongs
// to the data file: then it may be somebody who was stopped between one lock and the other. Not
// ready is what newcomers also see when they meet each other after the death of one that was alone.
constexpr int kMixedSightingsMax = 40;

void pause_randomly() {
  static thread_local std::minstd_rand random{std::random_device{}()};
  const auto pause = std::uniform_int_distribution<int>{500, 2000}(random);
  std::this_thread::sleep_for(std::chrono::microseconds(pause));
}

std::uint32_t libc_kind() noexcept {
#ifdef __GLIBC__
  return 1;
#else
  return 2;
#endif
}

RegionHeader header_for(const storage::DataFile& data) noexcept {
  RegionHeader header = {};
  header.magic = kRegionMagic;
  header.layout_version = kLayoutVersion;
  header.word_bytes = sizeof(void*);
  header.mutex_bytes = sizeof(pthread_mutex_t);
  header.libc = libc_kind();
  header.data_device = data.identity().device;
  header.data_inode = data.identity().inode;
  return header;
}

}  // namespace

storage::RegionFile Region::open_file(const storage::DataFile& data) {
  if (data.is_private()) return storage::RegionFile::in_memory();
  if (data.memory_files() != nullptr) return storage::RegionFile(*data.memory_files());
  return storage::RegionFile(region_path(data.path()), data.lock_descriptor());
}

// It is about to be overwritten, and no name says that it is ours.
void Region::require_region() const {
  // One that somebody died in making has no magic yet, but its length or none.
  const std::uint64_t magic = read_header().magic;
  const std::uint64_t size_bytes = file_.size_bytes();
  if (magic == kRegionMagic) return;
  if (magic == 0 && (size_bytes == 0 || size_bytes == kRegionBytes)) return;
  throw Error(Errc::misuse, path() +
                                ": is no region of a database in memory; pass the descriptors "
                                "in their order");
}

std::filesystem::path region_path(const std::filesystem::path& data_path) {
  std::filesystem::path path = data_path;
  path += ".lock";
  return path;
}

Region::Region(const storage::DataFile& data, bool guards_faults)
    : data_(data), file_(open_file(data)), guards_faults_(guards_faults) {
  if (data.is_private()) {
    initialise();
    return;
  }
  if (data.memory_files() != nullptr) require_region();
  int sightings = 0;
  for (;;) {
    const Attempt attempt = try_attach();
    if (attempt == Attempt::alone) return;
    if (attempt == Attempt::joined) {
      note_namespace();
      return;
    }
    sightings = attempt == Attempt::again ? 0 : sightings + 1;
    const bool may_pass = attempt == Attempt::not_ready || belongs_to_data();
    if (sightings >= (may_pass ? kPassingSightingsMax : kMixedSightingsMax)) {
      refuse(attempt);
    }
    pause_randomly();
  }
}

void Region::refuse(Attempt lasting) const {
  std::string text = data_.path().string() + ": the data file was replaced while in use";
  if (lasting == Attempt::replaced_lock) {
    text = file_.path().string() +
           ": the lock file of a running database was removed or replaced (or the database is open "
           "under another name of the file)";
  } else if (lasting == Attempt::not_ready) {
    text = file_.path().string() + ": the lock file of a running database was cut or overwritten";
  }
  throw Error(Errc::busy, text + "; close the database everywhere, then open it again");
}

void Region::map() {
  if (file_.base() != nullptr) return;
  file_.map(kRegionBytes);
  if (guards_faults_) guard_.cover(file_.base(), kRegionBytes);
}

void Region::guard_faults() {
  if (std::exchange(guards_faults_, true)) return;
  guard_.cover(file_.base(), kRegionBytes);
}

// A process that dies or throws here drops its locks with its descriptors; the next one starts
// over.
Region::Attempt Region::try_attach() {
  if (!try_lock_byte(data_.lock_descriptor(), kAttachedByte, LockMode::exclusive))
    return try_join();
  if (!try_lock_byte(file_.lock_descriptor(), kAttachedByte, LockMode::exclusive)) {
    unlock_byte(data_.lock_descriptor(), kAttachedByte);
    return Attempt::replaced_data;
  }
  initialise();
  return Attempt::alone;
}

Region::Attempt Region::try_join() {
  if (!try_lock_byte(data_.lock_descriptor(), kAttachedByte, LockMode::shared))
    return Attempt::again;
  Attempt result = Attempt::again;
  if (try_lock_byte(file_.lock_descriptor(), kAttachedByte, LockMode::exclusive)) {
    // Nobody is attached to this lock file though somebody is attached to the data file.
    result = Attempt::replaced_lock;
  } else if (try_lock_byte(file_.lock_descriptor(), kAttachedByte, LockMode::shared)) {
    require_same_kind(read_header(), data_);
    if (is_ready()) return Attempt::joined;
    result = Attempt::not_ready;
  }
  unlock_byte(file_.lock_descriptor(), kAttachedByte);
  unlock_byte(data_.lock_descriptor(), kAttachedByte);
  return result;
}

// One that was cut must not be looked at through the mapping.
bool Region::is_ready() {
  if (file_.size_bytes() < kRegionBytes) return false;
  map();
  return may_be_of_this_boot(control().ready.load(std::memory_order_acquire));
}

RegionHeader Region::read_header() const {
  RegionHeader header = {};
  file_.read(0, reinterpret_cast<std::byte*>(&header), sizeof header);
  return header;
}

void require_same_kind(const RegionHeader& found, const storage::DataFile& data) {
  const RegionHeader expected = header_for(data);
  const std::string path = region_path(data.path()).string();
  if (found.magic == 0) return;  // about to be initialised: not ready
  if (found.data_inode != expected.data_inode || found.data_device != expected.data_device) {
    throw Error(Errc::busy, path + ": belongs to another data file that is in use");
  }
  if (std::memcmp(&found, &expected, sizeof found) != 0) {
    throw Error(
        Errc::wrong_version,
        path +
            ": the database is in use by processes with another quire version, C library or word "
            "size; close it there or use the same build");
  }
}

bool Region::belongs_to_data() const {
  const RegionHeader found = read_header();
  return found.magic == kRegionMagic && found.data_device == data_.identity().device &&
         found.data_inode == data_.identity().inode;
}

// What a word of the control block says in the file, which nobody maps.
bool Region::says_in_file(std::size_t word) const {
  std::uint32_t value = 0;
  file_.read(kControlOffset + word, reinterpret_cast<std::byte*>(&value), sizeof value);
  return value != 0;
}

void Region::initialise() {
  alone_ = true;
  const RegionHeader before = read_header();
  const RegionHeader header = header_for(data_);
  was_missing_ = std::memcmp(&before, &header, sizeof before) != 0;
  if (!was_missing_) {
    was_poisoned_ = says_in_file(offsetof(Control, poisoned)) ||
                    says_in_file(offsetof(Control, poisoned_before));
    was_interrupted_ = says_in_file(offsetof(Control, flush_intent)) ||
                       says_in_file(offsetof(Control, checkpoint_intent)) ||
                       says_in_file(offsetof(Control, overtaken));
  }
  file_.reset(kRegionBytes, kFixedBytes);
  crash_point("region: emptied");
  map();
  file_.ensure(0, kFixedBytes);
  // The first slots have their blocks from the start: a full disk then stops the opening, not the
  // reading.
  file_.ensure(kProcessSlotsOffset, kSlotStep * sizeof(ProcessSlot));
  file_.ensure(kReaderSlotsOffset, kSlotStep * sizeof(ReaderSlot));
  control().reader_slot_count.store(kSlotStep, std::memory_order_relaxed);
  initialise_mutex(control().writer_mutex);
  control().checkpointed_nanos.store(coarse_nanos(), std::memory_order_relaxed);
  control().pid_namespace.store(pid_namespace_here(), std::memory_order_relaxed);
  note_namespace();
  // Both must outlive a death in here: poison is forgotten only by `open_to_others`, the intent by
  // recovery's flush.
  control().poisoned_before.store(was_poisoned_ || was_missing_ ? 1 : 0, std::memory_order_release);
  control().checkpoint_intent.store(was_interrupted_ ? 1 : 0, std::memory_order_release);
  crash_point("region: initialised");
  std::memcpy(file_.base(), &header, sizeof header);
}

// Before this process asks for the writer lock: its thread ids may be those of others (see
// tests/model/namespaces.pml).
void Region::note_namespace() noexcept {
  const std::uint64_t here = pid_namespace_here();
  if (!kMutexIsUsable || here == 0 || here != control().pid_namespace.load()) {
    control().several_namespaces.store(1);
  }
}

void Region::open_to_others() {
  QUIRE_ASSERT(alone_);
  control().poisoned_before.store(0, std::memory_order_relaxed);
  control().ready.store(boot_here(), std::memory_order_release);
  crash_point("open: marked ready");
  alone_ = false;
  storage::lock_byte(file_.lock_descriptor(), kAttachedByte, LockMode::shared);
  crash_point("open: lock file shared");
  storage::lock_byte(data_.lock_descriptor(), kAttachedByte, LockMode::shared);
}

bool Region::close_to_others() {
  QUIRE_ASSERT(!alone_);
  control().closing.fetch_add(1);
  // Two closers that hold their shared locks stop each other: the one whose patience ends first
  // leaves, the other wins.
  std::random_device random;
  const int patience = std::uniform_int_distribution<int>{1, 8}(random);
  bool last = false;
  for (int attempt = 0; !last && attempt < patience; ++attempt) {
    if (attempt > 0) pause_randomly();
    last = try_lock_byte(data_.lock_descriptor(), kAttachedByte, LockMode::exclusive);
    if (!last && control().closing.load() < 2) break;
  }
  control().closing.fetch_sub(1);
  if (!last) return false;
  crash_point("close: data file locked");
  if (!try_lock_byte(file_.lock_descriptor(), kAttachedByte, LockMode::exclusive)) {
    storage::lock_byte(data_.lock_descriptor(), kAttachedByte, LockMode::shared);
    return false;
  }
  alone_ = true;
  control().ready.store(0, std::memory_order_release);
  return true;
}

// Explicitly, and both at once: a child that was forked at a bad moment may hold copies of the
// descriptors, and what one lock without the other looks like to a newcomer is a replaced file.
Region::~Region() {
  if (is_abandoned_) return;
  unlock_byte(file_.lock_descriptor(), kAttachedByte);
  crash_point("close: lock file let go");
  unlock_byte(data_.lock_descriptor(), kAttachedByte);
}

std::vector<PinnedRange> Region::pins_in_file() const {
  if (data_.is_private()) return {};
  return shared::pins_in_file(data_.lock_descriptor());
}

Control& Region::control() const noexcept {
  return *reinterpret_cast<Control*>(file_.base() + kControlOffset);
}

StateSlot& Region::state(std::uint64_t txn) const noexcept {
  return reinterpret_cast<StateSlot*>(file_.base() + kStatesOffset)[txn % kStateCount];
}

ProcessSlot& Region::process(std::uint64_t index) const noexcept {
  return reinterpret_cast<ProcessSlot*>(file_.base() + kProcessSlotsOffset)[index];
}

ReaderSlot& Region::reader(std::uint64_t index) const noexcept {
  return reinterpret_cast<ReaderSlot*>(file_.base() + kReaderSlotsOffset)[index];
}

}  // namespace quire::shared
