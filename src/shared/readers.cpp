#include "shared/readers.h"

#include <quire/error.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <fstream>
#include <random>

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

template <typename AnyRegion>
bool holds_its_byte(const AnyRegion& region, std::uint32_t process) {
  return storage::is_byte_locked(region.lock_descriptor(), kProcessByte + process,
                                 storage::LockMode::exclusive);
}

template <typename AnyRegion, typename IsAlive>
std::vector<RegisteredReader> list_in(const AnyRegion& region, IsAlive is_alive) {
  std::vector<RegisteredReader> readers;
  const std::uint32_t count = region.control().reader_slot_count.load();
  for (std::uint32_t index = 0; index < count; ++index) {
    const ReaderSlot& slot = region.reader(index);
    const std::uint64_t txn = slot.txn.load();
    const std::uint64_t owner = slot.owner.load();
    if (txn == 0 || is_free(owner) || !is_alive(process_of(owner))) continue;
    const ProcessSlot& process = region.process(process_of(owner));
    std::array<char, 33> command = {};
    for (std::size_t word = 0; word < process.command.size(); ++word) {
      const std::uint64_t bytes = process.command[word].load();
      std::memcpy(command.data() + word * sizeof bytes, &bytes, sizeof bytes);
    }
    readers.push_back({process.pid.load(), command.data(), TxnId{txn}});
  }
  return readers;
}

template <typename AnyRegion, typename IsAlive>
std::uint64_t count_in(const AnyRegion& region, IsAlive is_alive) {
  std::uint64_t living = 0;
  const std::uint32_t count = region.control().process_slot_count.load();
  for (std::uint32_t index = 0; index < count; ++index) living += is_alive(index) ? 1 : 0;
  return living;
}

}  // namespace

Readers::Readers(Region& region) : region_(region) {
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
  *txn = move_on(slot);
  return slot;
}

TxnId Readers::move_on(std::uint32_t slot) noexcept {
  const auto& published = region_.control().published;
  ReaderSlot& reader = region_.reader(slot);
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

void Readers::leave(std::uint32_t slot) noexcept {
  if (abandoned_) return;
  region_.reader(slot).txn.store(0, std::memory_order_release);
  crash_point("reader: slot left");
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
  for (std::uint32_t index = 0;; ++index) {
    while (index >= count.load()) {
      const std::uint32_t limit = index + kSlotStep;
      if (limit > kReaderSlotsMax) {
        throw Error(Errc::no_space, region_.path() + ": too many snapshots are open (" +
                                        std::to_string(kReaderSlotsMax) + ")");
      }
      region_.file().ensure(kReaderSlotsOffset + index * sizeof(ReaderSlot),
                            kSlotStep * sizeof(ReaderSlot));
      crash_point("reader: slots backed");
      raise(count, limit);
    }
    if (try_claim(index)) {
      crash_point("reader: slot claimed");
      ++owned_count_;
      return index;
    }
  }
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

void Readers::collect(std::vector<TxnId>& pins) {
  const std::uint32_t count = region_.control().reader_slot_count.load();
  std::vector<std::uint32_t> dead;
  std::vector<std::uint32_t> living{process_};
  for (std::uint32_t index = 0; index < count; ++index) {
    ReaderSlot& slot = region_.reader(index);
    const std::uint64_t txn = slot.txn.load(std::memory_order_seq_cst);
    if (txn == 0) continue;
    const std::uint64_t owner = slot.owner.load();
    if (is_free(owner)) continue;
    const std::uint32_t process = process_of(owner);
    if (std::find(living.begin(), living.end(), process) == living.end()) {
      if (std::find(dead.begin(), dead.end(), process) != dead.end()) continue;
      if (!is_alive(process)) {
        dead.push_back(process);
        continue;
      }
      living.push_back(process);
    }
    pins.push_back(TxnId{txn});
  }
  for (const std::uint32_t process : dead) {
    const std::uint64_t byte = kProcessByte + process;
    if (!storage::try_lock_byte(region_.lock_descriptor(), byte, storage::LockMode::exclusive))
      continue;
    crash_point("reader: dead process locked");
    clear_slots_of(process);
    region_.process(process).incarnation.store(0, std::memory_order_release);
    crash_point("reader: dead process cleared");
    storage::unlock_byte(region_.lock_descriptor(), byte);
  }
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
