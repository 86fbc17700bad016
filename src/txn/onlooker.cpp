#include "txn/onlooker.h"

#include <quire/error.h>

#include <utility>

#include "shared/states.h"

namespace quire::txn {
namespace {

// What is opened for reading before the file was first changed shows the lower layer for ever.
void require_one_file(const storage::DataFile& data) {
  if (data.filesystem().name != "overlayfs" || data.is_opened_for_writing()) return;
  throw Error(
      Errc::unsupported_filesystem,
      data.path().string() +
          ": on overlayfs a process that may only read the file may see it as it was before "
          "others changed it, and others have it open; give it write permission, or close "
          "the database there");
}

}  // namespace

Onlooker::Onlooker(const std::filesystem::path& path, const Options& options)
    : File(path, storage::DataFile::Access::read_only, options),
      region_(data(), options.guard_sigbus) {
  require_one_file(data());
  map(options);
  require_readable();
}

TxnId Onlooker::checkpointed() const noexcept {
  return TxnId{control().checkpoint.current.load(std::memory_order_seq_cst)};
}

log::Ring Onlooker::ring() const {
  return ring_at(control().log_run.load(std::memory_order_acquire));
}

const pages::AllocatorControl& Onlooker::pages() const noexcept {
  return *reinterpret_cast<const pages::AllocatorControl*>(
      region_.at(shared::kAllocatorControlOffset));
}

std::optional<Onlooker::Pinned> Onlooker::pin(shared::FilePins& pins) const {
  Pinned pinned;
  pinned.sealed = checkpointed();
  for (;;) {
    pinned.txn = published();
    if (pinned.txn == TxnId{}) return std::nullopt;  // it is being initialised
    pinned.pin = shared::FilePin(pins, pinned.txn);
    // A sweep that did not see the lock has read its P before, so P would differ (rule 1).
    if (published() != pinned.txn) continue;
    const bool is_whole =
        shared::load_state(region_.state(pinned.txn.value), pinned.txn.value, pinned.state);
    if (!region_.is_in_use()) return std::nullopt;
    require_readable();
    // Meanwhile all may have died, and P been, for a while, what recovery started from.
    if (is_whole && pinned.txn >= checkpointed()) return pinned;
  }
}

}  // namespace quire::txn
