// A database in a process that may only read it, while others come and go:
//
//   others attached   Onlooker: their newest published commit
//   nobody attached   a Store of its own, recovered into memory: what a recovery would make of it
//
// What it reads it pins by locks on the data file (shared/pins.h); it writes nothing and waits for
// nobody but who is recovering or closing.
#pragma once

#include <quire/options.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "format/meta.h"
#include "shared/pins.h"
#include "txn/onlooker.h"
#include "txn/store.h"

namespace quire::txn {

// A state that is pinned, and what it is read through: one of the two.
struct PinnedState {
  shared::FilePin pins[2];
  std::shared_ptr<Store> recovered;
  std::shared_ptr<Onlooker> onlooker;
  TxnId sealed;  // the checkpoint before
  TxnId txn;
  State state;

  File& file() const noexcept {
    return onlooker ? static_cast<File&>(*onlooker) : static_cast<File&>(*recovered);
  }
};

// Threads: any. Never moves; outlives what it has pinned.
class Viewer {
 public:
  // Throws what Database's constructor does.
  Viewer(const std::filesystem::path& path, const Options& options);
  Viewer(const Viewer&) = delete;
  Viewer& operator=(const Viewer&) = delete;

  const std::string& name() const noexcept { return name_; }
  const Facts& facts() const noexcept { return facts_; }
  const storage::DataFile& data() const noexcept { return data_; }

  // The newest state that there is. Throws Errc::busy (a file was replaced, or somebody has been
  // recovering or closing for more than a minute), corrupt, no_space,
  // wrong_version, unsupported_filesystem, io. Cost: some system calls; after a change by others
  // that have left, a recovery.
  PinnedState pin();

  // False when what `pinned` was recovered from has changed since: metas, log and space map may be
  // others by now, the pages of the state are not.
  bool is_current(const PinnedState& pinned);

  void require_fits(const Options& options) const;
  void guard_sigbus();

  // Around a fork, so that the child finds whole what it gives up: held before, released after it
  // in both processes. Waits for who is pinning.
  void hold() { mutex_.lock(); }
  void release() noexcept { mutex_.unlock(); }

  bool is_abandoned() const noexcept { return abandoned_.load(std::memory_order_relaxed); }
  void abandon_after_fork() noexcept;

 private:
  using Metas = std::vector<std::byte>;
  Metas read_metas() const;
  bool is_unchanged_since(const Metas& metas) const;
  std::optional<PinnedState> pin_recovered();
  std::optional<PinnedState> pin_onlooker();
  void recover();
  void remember(const std::shared_ptr<File>& file);
  void require_same_file(const File& file) const;

  storage::DataFile data_;  // not mapped; its lock descriptor carries the pins
  std::string name_;
  Facts facts_;
  shared::FilePins pins_;
  std::mutex mutex_;
  Options options_;
  std::shared_ptr<Onlooker> onlooker_;
  std::shared_ptr<Store> recovered_;
  Metas metas_;                             // that `recovered_` started from
  std::vector<std::weak_ptr<File>> files_;  // all that snapshots may be reading
  std::atomic<bool> abandoned_{false};
};

}  // namespace quire::txn
