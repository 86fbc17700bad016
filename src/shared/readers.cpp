#include "shared/readers.h"

#include <quire/error.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <fstream>
#include <random>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include "base/test_points.h"
#include "shared/process.h"
#include "storage/byte_lock.h"

namespace quire::shared {
namespace {

constexpr std::uint64_t owner_word(std::uint32_t process, std::uint64_t generation) noexcept {
  return generation << 32 | (process + std::uint64_t{1});
}
constexpr std::uint64_t generation_of(std::uint64_t owner) noexcept { return owner >> 32; }
constexpr bool is_free(std::uint64_t owner) noexcept {
  return static_cast<std::uint32_t>(owner) == 0;
}
constexpr std::uint32_t process_of(std::uint64_t owner) noexcept {
  return static_cast<std::uint32_t>(owner) - 1;
}
constexpr std::uint64_t freed_word(std::uint64_t owner) noexcept {
  return ((generation_of(owner) + 1) & UINT32_MAX) << 32;
}

void raise(std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
  std::uint32_t current = word.load();
  while (current < value && !word.compare_exchange_weak(current, value)) {
  }
}

std::array<char, 32> command_of_this_process() {
  std::array<char, 32> command = {};
  std::ifstream("/proc/self/comm").getline(command.data(), command.size());
  return command;
}

// The clock that time namespaces do not shift, so that ages can be told across containers; coarse,
// because it is read at every registration.
std::uint64_t now_seconds() noexcept {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec);
}

// Whether the owners of slots live, asked of the system once per process.
template <typename IsAlive>
class Owners {
 public:
  explicit Owners(IsAlive is_alive) : is_alive_(std::move(is_alive)) {}

  bool is_alive(std::uint32_t process) {
    if (process == last_) return true;  // neighbours have the same owner more often than not
    const auto is_known = [&](const std::vector<std::uint32_t>& processes) {
      return std::find(processes.begin(), processes.end(), process) != processes.end();
    };
    if (is_known(dead_)) return false;
    if (!is_known(living_)) {
      if (!is_alive_(process)) {
        dead_.push_back(process);
        return false;
      }
      living_.push_back(process);
    }
    last_ = process;
    return true;
  }

  const std::vector<std::uint32_t>& dead() const noexcept { return dead_; }

 private:
  IsAlive is_alive_;
  std::uint32_t last_ = UINT32_MAX;
  std::vector<std::uint32_t> living_;
  std::vector<std::uint32_t> dead_;
};

template <typename AnyRegion>
bool holds_its_byte(const AnyRegion& region, std::uint32_t process) {
  return storage::is_byte_locked(region.lock_descriptor(), kProcessByte + process,
                                 storage::LockMode::exclusive);
}

// The region may be one that only others write: what they say is not believed beyond its tables.
std::uint64_t reader_slots_in(const Control& control) noexcept {
  return std::min<std::uint64_t>(control.reader_slot_count.load(), kReaderSlotsMax);
}
std::uint64_t process_slots_in(const Control& control) noexcept {
  return std::min<std::uint64_t>(control.process_slot_count.load(), kProcessSlotsMax);
}

template <typename AnyRegion, typename IsAlive>
std::vector<RegisteredReader> list_in(const AnyRegion& region, IsAlive is_alive) {
  std::vector<RegisteredReader> readers;
  const std::uint64_t count = reader_slots_in(region.control());
  const std::uint64_t process_count = process_slots_in(region.control());
  const std::uint64_t own_namespace = pid_namespace_here();
  const std::uint64_t now = now_seconds();
  Owners owners(is_alive);
  for (std::uint32_t index = 0; index < count; ++index) {
    const ReaderSlot& slot = region.reader(index);
    const std::uint64_t txn = slot.txn.load();
    const std::uint64_t owner = slot.owner.load();
    if (txn == 0 || is_free(owner) || process_of(owner) >= process_count ||
        !owners.is_alive(process_of(owner)))
      continue;
    const ProcessSlot& process = region.process(process_of(owner));
    const std::uint64_t pid_namespace = process.pid_namespace.load();
    const std::uint64_t since = slot.since_seconds.load();
    readers.push_back({.slot = index,
                       .pid = process.pid.load(),
                       .pid_namespace = pid_namespace == own_namespace ? 0 : pid_namespace,
                       .thread = slot.thread.load(),
                       .command = command_of(process),
                       .txn = TxnId{txn},
                       .age_seconds = now - std::min(now, since)});
  }
  return readers;
}

template <typename AnyRegion, typename IsAlive>
std::uint64_t count_in(const AnyRegion& region, IsAlive is_alive) {
  std::uint64_t living = 0;
  const std::uint64_t count = process_slots_in(region.control());
  for (std::uint32_t index = 0; index < count; ++index) living += is_alive(index) ? 1 : 0;
  return living;
}

}  // namespace

Readers::Readers(Region& region)
    : region_(region), control_(region.control()), slots_(&region.reader(0)) {
  for (process_ = 0; process_ < kProcessSlotsMax; ++process_) {
    if (storage::try_lock_byte(region_.lock_descriptor(), kProcessByte + process_,
                               storage::LockMode::exclusive)) {
      break;
    }
  }
  if (process_ == kProcessSlotsMax) {
    throw Error(Errc::no_space, region_.path() + ": too many processes are attached (" +
                                    std::to_string(kProcessSlotsMax) + ")");
  }
  const std::uint32_t needed = (process_ / kSlotStep + 1) * kSlotStep;
  region_.file().ensure(kProcessSlotsOffset, needed * sizeof(ProcessSlot));
  raise(region_.control().process_slot_count, process_ + 1);
  crash_point("attach: process slot taken");
  clear_slots_of(process_);
  crash_point("attach: old slots cleared");
  introduce();
  crash_point("attach: introduced");
}

Readers::~Readers() {
  if (abandoned_) return;
  clear_slots_of(process_);
  crash_point("close: slots cleared");
  region_.process(process_).incarnation.store(0, std::memory_order_release);
  storage::unlock_byte(region_.lock_descriptor(), kProcessByte + process_);
}

void Readers::introduce() {
  ProcessSlot& slot = region_.process(process_);
  std::random_device random;
  slot.pid.store(static_cast<std::uint64_t>(getpid()), std::memory_order_relaxed);
  slot.pid_namespace.store(pid_namespace_here(), std::memory_order_relaxed);
  slot.started_seconds.store(static_cast<std::uint64_t>(std::time(nullptr)),
                             std::memory_order_relaxed);
  const auto command = command_of_this_process();
  for (std::size_t index = 0; index < slot.command.size(); ++index) {
    std::uint64_t word = 0;
    std::memcpy(&word, command.data() + index * sizeof word, sizeof word);
    slot.command[index].store(word, std::memory_order_relaxed);
  }
  const std::uint64_t incarnation = (std::uint64_t{random()} << 32 | random()) | 1;
  slot.incarnation.store(incarnation, std::memory_order_release);
}

std::uint32_t Readers::enter(TxnId* txn) {
  const std::uint32_t slot = claim();
  *txn = enter_again(slot);
  return slot;
}

TxnId Readers::enter_again(std::uint32_t slot) noexcept {
  ReaderSlot& reader = slots_[slot];
  reader.thread.store(this_thread_id(), std::memory_order_relaxed);
  reader.since_seconds.store(now_seconds(), std::memory_order_relaxed);
  return move_on(slot);
}

TxnId Readers::move_on(std::uint32_t slot) noexcept {
  const auto& published = control_.published;
  ReaderSlot& reader = slots_[slot];
  std::uint64_t pinned = published.load(std::memory_order_acquire);
  for (;;) {
    if (sabotaged("reader_fence_removed")) {
      // What the processor may then do: the load comes before the store.
      crash_point("reader: published read");
      reader.txn.store(pinned, std::memory_order_relaxed);
      return TxnId{pinned};
    }
    // Both sequentially consistent: a sweep that misses the store has read its P before it, so the
    // load would differ.
    crash_point("reader: published read");
    reader.txn.store(pinned, std::memory_order_seq_cst);
    crash_point("reader: slot stored");
    const std::uint64_t again = published.load(std::memory_order_seq_cst);
    if (again == pinned) return TxnId{pinned};
    pinned = again;
  }
}

void Readers::rest(std::uint32_t slot) noexcept {
  if (abandoned_) return;
  slots_[slot].txn.store(0, std::memory_order_release);
  crash_point("reader: slot left");
}

void Readers::leave(std::uint32_t slot) noexcept {
  if (abandoned_) return;
  rest(slot);
  const std::lock_guard lock(mutex_);
  idle_.push_back(slot);
}

std::uint32_t Readers::claim() {
  const std::lock_guard lock(mutex_);
  if (!idle_.empty()) {
    const std::uint32_t slot = idle_.back();
    idle_.pop_back();
    return slot;
  }
  idle_.reserve(owned_count_ + 1);  // so that leaving never allocates
  auto& count = region_.control().reader_slot_count;
  const auto claim_between = [&](std::uint32_t first, std::uint32_t limit) {
    for (std::uint32_t index = first; index < limit; ++index) {
      if (!try_claim(index)) continue;
      crash_point("reader: slot claimed");
      ++owned_count_;
      next_claim_ = index + 1;
      return true;
    }
    return false;
  };
  // Behind the last one claimed there is mostly room; before it, what others have left.
  bool is_cleared = false;
  for (;;) {
    const std::uint32_t limit = count.load();
    if (claim_between(next_claim_, limit) || claim_between(0, std::min(next_claim_, limit))) {
      return next_claim_ - 1;
    }
    if (is_cleared) {
      extend_slots(limit);
      next_claim_ = limit;
    } else {
      clear_dead();
      is_cleared = true;
    }
  }
}

void Readers::extend_slots(std::uint32_t count) {
  if (count + kSlotStep > kReaderSlotsMax) {
    throw Error(Errc::no_space, region_.path() + ": too many snapshots are open (" +
                                    std::to_string(kReaderSlotsMax) + ")");
  }
  region_.file().ensure(kReaderSlotsOffset + count * sizeof(ReaderSlot),
                        kSlotStep * sizeof(ReaderSlot));
  crash_point("reader: slots backed");
  raise(region_.control().reader_slot_count, count + kSlotStep);
}

bool Readers::try_claim(std::uint32_t index) noexcept {
  auto& owner = region_.reader(index).owner;
  std::uint64_t current = owner.load();
  return is_free(current) &&
         owner.compare_exchange_strong(current, owner_word(process_, generation_of(current)));
}

// The caller holds the process's byte, so nobody uses these slots any more and nobody else clears
// them.
void Readers::clear_slots_of(std::uint32_t process) noexcept {
  const std::uint32_t count = region_.control().reader_slot_count.load();
  for (std::uint32_t index = 0; index < count; ++index) {
    ReaderSlot& slot = region_.reader(index);
    std::uint64_t owner = slot.owner.load();
    if (is_free(owner) || process_of(owner) != process) continue;
    slot.txn.store(0, std::memory_order_release);
    crash_point("reader: dead slot emptied");
    slot.owner.compare_exchange_strong(owner, freed_word(owner));
    crash_point("reader: dead slot freed");
  }
}

void Readers::clear_if_dead(std::uint32_t process) {
  // Threads of one process do not exclude each other by the byte: one could clear what a newcomer
  // has claimed since the other gave it back.
  const std::lock_guard lock(clearing_);
  const std::uint64_t byte = kProcessByte + process;
  if (!storage::try_lock_byte(region_.lock_descriptor(), byte, storage::LockMode::exclusive))
    return;
  crash_point("reader: dead process locked");
  clear_slots_of(process);
  region_.process(process).incarnation.store(0, std::memory_order_release);
  crash_point("reader: dead process cleared");
  storage::unlock_byte(region_.lock_descriptor(), byte);
}

void Readers::collect(std::vector<TxnId>& pins) {
  const std::uint32_t count = region_.control().reader_slot_count.load();
  Owners owners([this](std::uint32_t process) { return is_alive(process); });
  for (std::uint32_t index = 0; index < count; ++index) {
    ReaderSlot& slot = region_.reader(index);
    const std::uint64_t txn = slot.txn.load(std::memory_order_seq_cst);
    if (txn == 0) continue;
    const std::uint64_t owner = slot.owner.load();
    if (is_free(owner)) continue;
    if (owners.is_alive(process_of(owner))) pins.push_back(TxnId{txn});
  }
  for (const std::uint32_t process : owners.dead()) clear_if_dead(process);
}

void Readers::clear_dead() {
  const std::uint32_t count = region_.control().reader_slot_count.load();
  Owners owners([this](std::uint32_t process) { return is_alive(process); });
  for (std::uint32_t index = 0; index < count; ++index) {
    const std::uint64_t owner = region_.reader(index).owner.load();
    if (!is_free(owner)) owners.is_alive(process_of(owner));
  }
  for (const std::uint32_t process : owners.dead()) clear_if_dead(process);
}

std::vector<RegisteredReader> Readers::list() const {
  return list_in(region_, [this](std::uint32_t process) { return is_alive(process); });
}

std::uint64_t Readers::process_count() const {
  return count_in(region_, [this](std::uint32_t process) { return is_alive(process); });
}

std::vector<RegisteredReader> list_readers(const RegionView& region) {
  return list_in(region, [&](std::uint32_t process) { return holds_its_byte(region, process); });
}

std::uint64_t count_processes(const RegionView& region) {
  return count_in(region, [&](std::uint32_t process) { return holds_its_byte(region, process); });
}

bool Readers::is_alive(std::uint32_t process) const {
  return process == process_ || holds_its_byte(region_, process);
}

}  // namespace quire::shared
