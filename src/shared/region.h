// Attaching to the shared region: who is alone initialises and recovers, who is not joins.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "shared/layout.h"
#include "shared/pins.h"
#include "storage/data_file.h"
#include "storage/fault_guard.h"
#include "storage/region_file.h"

namespace quire::shared {

// Threads: attach and detach by one thread; everything else any.
class Region {
 public:
  // Of a private view of a data file: a region of its own in memory, `alone()` for ever. Otherwise
  // opens `<data file>.lock` and takes part: either `alone()` is true, the region is mapped, zeroed
  // and marked not ready, and everybody else waits until `open_to_others` or destruction; or it was
  // joined and is ready. Throws Errc::busy (lock file or data file was replaced or removed while in
  // use), wrong_version (another kind of process made it), no_space, io.
  // With `guards_faults` a page of the region that cannot be had is noted (see `guard`).
  Region(const storage::DataFile& data, bool guards_faults);

  // Gives up all locks; a region that was not opened to others is initialised anew by the next
  // process.
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  bool alone() const noexcept { return alone_; }

  // Facts about the life before, valid while alone: a flush failed; a process died inside a flush,
  // before it could say how that had ended; there was no region at all.
  bool was_poisoned() const noexcept { return was_poisoned_; }
  bool was_interrupted() const noexcept { return was_interrupted_; }
  bool was_missing() const noexcept { return was_missing_; }

  // Ends the exclusive phase: marks the region ready and lets others join.
  void open_to_others();

  // Tries to become alone again, as the last process to leave: true, and others wait until
  // destruction.
  [[nodiscard]] bool close_to_others();

  // From now on, if not already: missing pages of the region are noted in `guard()` and read as
  // zeros.
  void guard_faults();
  const storage::FaultGuard& guard() const noexcept { return guard_; }

  // States that processes which may only read have pinned (see pins.h); none of them concerns a
  // private view. Throws Errc::io.
  std::vector<PinnedRange> pins_in_file() const;

  std::string path() const { return file_.path().string(); }
  bool is_replaced() const noexcept { return file_.is_replaced(); }
  Control& control() const noexcept;
  StateSlot& state(std::uint64_t txn) const noexcept;
  ProcessSlot& process(std::uint64_t index) const noexcept;
  ReaderSlot& reader(std::uint64_t index) const noexcept;
  storage::RegionFile& file() noexcept { return file_; }
  int lock_descriptor() const noexcept { return file_.lock_descriptor(); }

  // In a forked child.
  void abandon_after_fork() noexcept {
    is_abandoned_ = true;
    guard_.abandon_after_fork();
    file_.abandon_after_fork();
  }

 private:
  static storage::RegionFile open_file(const storage::DataFile& data);
  void require_region() const;

  enum class Attempt { alone, joined, again, not_ready, replaced_lock, replaced_data };
  [[noreturn]] void refuse(Attempt lasting) const;
  Attempt try_attach();
  Attempt try_join();
  void initialise();
  void note_namespace() noexcept;
  void map();
  bool says_in_file(std::size_t word) const;
  bool is_ready();
  RegionHeader read_header() const;
  bool belongs_to_data() const;

  const storage::DataFile& data_;
  storage::RegionFile file_;
  storage::FaultGuard guard_;  // ends before the mapping
  bool guards_faults_;
  bool alone_ = false;
  bool is_abandoned_ = false;
  bool was_poisoned_ = false;
  bool was_interrupted_ = false;
  bool was_missing_ = false;
};

// Path of the lock file that belongs to a data file.
std::filesystem::path region_path(const std::filesystem::path& data_path);

// Throws Errc::busy when a region in use is another data file's, wrong_version when processes of
// another kind made it. One that is not initialised yet passes.
void require_same_kind(const RegionHeader& found, const storage::DataFile& data);

}  // namespace quire::shared
