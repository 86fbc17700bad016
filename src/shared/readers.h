// Who is attached and which states they read: process slots and reader slots.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/id.h"
#include "shared/region.h"
#include "shared/region_view.h"

namespace quire::shared {

struct RegisteredReader {
  std::uint32_t slot = 0;
  std::uint64_t pid = 0;
  std::uint64_t pid_namespace = 0;  // 0 = ours
  std::uint64_t thread = 0;
  std::string command;
  TxnId txn;
  std::uint64_t age_seconds = 0;
};

// For humans: the living processes of a region that this process only looks at, and their
// snapshots.
std::vector<RegisteredReader> list_readers(const RegionView& region);
std::uint64_t count_processes(const RegionView& region);

// This process's place in the region, and its registered snapshots.
//
// Threads: any. Slots are kept by the process after use, so that registering rarely claims one.
class Readers {
 public:
  // Claims a process slot and clears what a dead predecessor left in it. Throws Errc::no_space.
  explicit Readers(Region& region);
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  std::uint32_t process_index() const noexcept { return process_; }

  // Registers a snapshot at the newest published transaction (rule 8) and returns its slot; `txn`
  // is what it pins.
  std::uint32_t enter(TxnId* txn);

  // Moves a registered snapshot on to the newest published transaction.
  TxnId move_on(std::uint32_t slot) noexcept;

  void leave(std::uint32_t slot) noexcept;

  // Ends a registration and leaves the slot with its owner, who may register in it anew, from
  // whatever thread, or `leave` it.
  void rest(std::uint32_t slot) noexcept;
  TxnId enter_again(std::uint32_t slot) noexcept;

  // Appends every registered transaction of every living process, and clears the slots of dead
  // ones. The caller has read `published` before (rule 1).
  void collect(std::vector<TxnId>& pins);

  // Clears the slots of dead processes, also those that pin nothing any more. Whoever attaches does
  // so, and who would need more slots than there are.
  void clear_dead();

  // For humans: what `collect` would find.
  std::vector<RegisteredReader> list() const;
  std::uint64_t process_count() const;

  // In a forked child: the region is not mapped there.
  void abandon_after_fork() noexcept { abandoned_ = true; }

  // True when the process in that slot is alive (this one is).
  bool is_alive(std::uint32_t process) const;

 private:
  std::uint32_t claim();
  bool try_claim(std::uint32_t index) noexcept;
  void extend_slots(std::uint32_t count);
  void clear_slots_of(std::uint32_t process) noexcept;
  void clear_if_dead(std::uint32_t process);
  void introduce();

  Region& region_;
  Control& control_;
  ReaderSlot* const slots_;
  std::uint32_t process_ = 0;
  bool abandoned_ = false;
  std::mutex clearing_;
  std::mutex mutex_;                 // of what follows; before clearing_
  std::uint32_t next_claim_ = 0;     // where to look for a free slot first
  std::uint32_t owned_count_ = 0;    // slots that this process has claimed ...
  std::vector<std::uint32_t> idle_;  // ... and those of them that it does not use at the moment
};

}  // namespace quire::shared
