#include "shared/region_view.h"

#include <quire/error.h>

#include <utility>

#include "shared/boot.h"
#include "shared/region.h"
#include "storage/byte_lock.h"

namespace quire::shared {

using storage::ByteHolder;
using storage::holder_of;

RegionView::RegionView(const storage::DataFile& data, bool guards_faults)
    : data_(data),
      file_(storage::RegionFile::open_to_read(region_path(data.path()))),
      guards_faults_(guards_faults) {
  RegionHeader header = {};
  file_.read(0, reinterpret_cast<std::byte*>(&header), sizeof header);
  require_same_kind(header, data);
  // One that was cut must not be looked at through the mapping.
  if (header.magic == 0 || file_.size_bytes() < kRegionBytes) {
    throw Error(Errc::busy, path() + ": the lock file of a running database was cut or replaced");
  }
  file_.map(kRegionBytes);
  if (guards_faults_) guard_.cover(file_.base(), kRegionBytes);
  // What it says may be from before a power cut; from here on no longer.
  if (!is_in_use()) throw Error(Errc::busy, path() + ": nobody who uses the database is attached");
}

void RegionView::guard_faults() {
  if (std::exchange(guards_faults_, true)) return;
  guard_.cover(file_.base(), kRegionBytes);
}

// Attached processes hold both bytes shared; exclusively, somebody is initialising or closing.
bool RegionView::is_in_use() const {
  const auto& header = *reinterpret_cast<const RegionHeader*>(file_.base());
  return may_be_of_this_boot(control().ready.load(std::memory_order_acquire)) &&
         header.magic == kRegionMagic && header.data_inode == data_.identity().inode &&
         header.data_device == data_.identity().device &&
         holder_of(file_.lock_descriptor(), kAttachedByte) == ByteHolder::shared &&
         attached_to(data_) == Attached::some &&
         may_be_of_this_boot(control().ready.load(std::memory_order_acquire));
}

const Control& RegionView::control() const noexcept {
  return *reinterpret_cast<const Control*>(at(kControlOffset));
}

const StateSlot& RegionView::state(std::uint64_t txn) const noexcept {
  return reinterpret_cast<const StateSlot*>(at(kStatesOffset))[txn % kStateCount];
}

const ProcessSlot& RegionView::process(std::uint64_t index) const noexcept {
  return reinterpret_cast<const ProcessSlot*>(at(kProcessSlotsOffset))[index];
}

const ReaderSlot& RegionView::reader(std::uint64_t index) const noexcept {
  return reinterpret_cast<const ReaderSlot*>(at(kReaderSlotsOffset))[index];
}

void RegionView::abandon_after_fork() noexcept {
  guard_.abandon_after_fork();
  file_.abandon_after_fork();
}

Attached attached_to(const storage::DataFile& data) {
  switch (holder_of(data.lock_descriptor(), kAttachedByte)) {
    case ByteHolder::nobody:
      return Attached::nobody;
    case ByteHolder::shared:
      return Attached::some;
    case ByteHolder::exclusive:
      break;
  }
  return Attached::changing;
}

}  // namespace quire::shared
