// The region of a database that other processes have attached to, seen by one that may only read:
// it takes part in nothing.
#pragma once

#include <string>

#include "shared/layout.h"
#include "storage/data_file.h"
#include "storage/fault_guard.h"
#include "storage/region_file.h"

namespace quire::shared {

// A picture that is seen so often, a millisecond apart, is no passing state.
inline constexpr int kPassingSightingsMax = 400;

// Threads: any.
class RegionView {
 public:
  // Maps `<data file>.lock` read-only. Throws Errc::busy when it is not the region that the
  // processes attached to this data file use (yet), wrong_version when another kind of process made
  // it, no_space, io. With `guards_faults` a page that cannot be had is noted (see `guard`).
  RegionView(const storage::DataFile& data, bool guards_faults);
  RegionView(const RegionView&) = delete;
  RegionView& operator=(const RegionView&) = delete;

  // True while processes are attached to both files and the region is initialised. What was read
  // before from the region, and pinned by it, is then true: should all of them have died meanwhile,
  // who clears the region for a new life begins with what is asked here. Throws Errc::io.
  bool is_in_use() const;

  void guard_faults();
  const storage::FaultGuard& guard() const noexcept { return guard_; }

  std::string path() const { return file_.path().string(); }
  int lock_descriptor() const noexcept { return file_.lock_descriptor(); }
  const Control& control() const noexcept;
  const StateSlot& state(std::uint64_t txn) const noexcept;
  const ProcessSlot& process(std::uint64_t index) const noexcept;
  const ReaderSlot& reader(std::uint64_t index) const noexcept;

  // What stands at an offset of the layout.
  const std::byte* at(std::uint64_t offset) const noexcept { return file_.base() + offset; }

  // In a forked child.
  void abandon_after_fork() noexcept;

 private:
  const storage::DataFile& data_;
  storage::RegionFile file_;
  storage::FaultGuard guard_;  // ends before the mapping
  bool guards_faults_;
};

// Who uses a database, as its data file tells: nobody; processes that are attached; one that is
// alone and about to change it in ways of its own, for a while.
enum class Attached { nobody, some, changing };
Attached attached_to(const storage::DataFile& data);

}  // namespace quire::shared
