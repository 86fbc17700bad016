// A database that other processes have open, in one that may only read it.
#pragma once

#include <optional>
#include <string>

#include "log/log.h"
#include "pages/allocator.h"
#include "shared/pins.h"
#include "shared/region_view.h"
#include "txn/file.h"

namespace quire::txn {

// Threads: any. Never moves.
class Onlooker final : public File {
 public:
  // Throws Errc::busy when nobody is attached, or in a way that does not last;
  // unsupported_filesystem; what Database's constructor does.
  Onlooker(const std::filesystem::path& path, const Options& options);

  const shared::RegionView& region() const noexcept { return region_; }
  const shared::Control& control() const noexcept { return region_.control(); }
  TxnId published() const noexcept {
    return TxnId{control().published.load(std::memory_order_seq_cst)};
  }
  TxnId checkpointed() const noexcept override;
  Lsn durable() const noexcept { return Lsn{control().durable.load(std::memory_order_acquire)}; }

  // The log, to be looked at. Throws Errc::io when the region was lost under us.
  log::Ring ring() const;

  // What writers know of the file's pages at the moment.
  const pages::AllocatorControl& pages() const noexcept;

  // The newest published state, pinned in the manner of rule 8, with a byte in the place of a slot.
  // Nothing when nobody is attached any more. Throws Errc::busy, corrupt, io.
  struct Pinned {
    shared::FilePin pin;
    TxnId sealed;  // the checkpoint before
    TxnId txn;
    State state;
  };
  std::optional<Pinned> pin(shared::FilePins& pins) const;

 private:
  const storage::FaultGuard& region_guard() const noexcept override { return region_.guard(); }
  std::string region_path() const override { return region_.path(); }
  void guard_region() override { region_.guard_faults(); }
  void abandon_region() noexcept override { region_.abandon_after_fork(); }

  shared::RegionView region_;
};

}  // namespace quire::txn
