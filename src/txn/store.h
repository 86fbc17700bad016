// One database file in one process: the parts that snapshots, transactions, flushes and checkpoints
// share. What is done with them stands in the other files of this module.
#pragma once

#include <quire/options.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/id.h"
#include "log/log.h"
#include "pages/allocator.h"
#include "shared/locks.h"
#include "shared/readers.h"
#include "shared/region.h"
#include "txn/checkpointer.h"
#include "txn/file.h"

namespace quire::txn {

// What recovery has started from, and the last transaction that the log held beyond it.
struct Recovered {
  TxnId checkpoint;
  TxnId last_logged;
};

// Threads: any; each part says what it needs. Never moves.
class Store final : public File {
 public:
  // Opens or creates the file, attaches to its region, and recovers when alone. Throws what
  // Database's constructor does.
  Store(const std::filesystem::path& path, const Options& options);

  // The same for a database in memory. Throws Errc::misuse when the files are not one.
  Store(storage::MemoryFiles files, const Options& options);

  // A view of the file for a process that may only read it while nobody is attached: recovers into
  // memory of its own, and nobody else ever sees it. Pins the last checkpoint and every state after
  // it by its lock descriptor; what it has read is true if the metas are the same afterwards and
  // nobody has attached. From then on the states of `recovered()` are all that has to stay pinned.
  struct PrivateView {};
  Store(PrivateView, const std::filesystem::path& path, const Options& options);

  // Leaves; the last process writes a checkpoint and marks the file clean.
  ~Store() override;

  shared::Region& region() noexcept { return region_; }
  shared::Control& control() const noexcept { return region_.control(); }
  shared::Readers& readers() noexcept { return readers_; }
  shared::WriterLock& writer_lock() noexcept { return writer_lock_; }
  shared::ByteMutex& checkpoint_lock() noexcept { return checkpoint_lock_; }
  shared::ByteMutex& flush_lock() noexcept { return flush_lock_; }
  pages::Allocator& allocator() noexcept { return allocator_; }
  Checkpointer& checkpointer() noexcept { return checkpointer_; }

  const Recovered& recovered() const noexcept { return recovered_; }

  // Makes the file's name durable, once: its creator may have died between naming it and flushing
  // the name. Whoever commits asks first; a process that only reads does not wait for the disk.
  // Throws Errc::poisoned.
  void require_durable_name();

  // Throws Errc::no_space when the file has outgrown this process's window. Whoever writes or
  // flushes asks first.
  void require_window() const;

  // Throw Errc::io when the region was lost under us. What is appended to a writable ring goes
  // through a call of the system, to a mapped one through the map.
  log::Ring ring() const;
  log::Ring writable_ring();
  log::Ring mapped_ring();
  std::uint64_t log_bytes() const noexcept;

  // The state record of `txn`; false when it has been overwritten, then `state` means nothing.
  bool load_state(TxnId txn, State& state) const noexcept;
  void store_state(TxnId txn, const State& state) noexcept;

  // The newest state; the caller holds the writer lock, so it stays.
  State visible_state() const;
  TxnId visible() const noexcept {
    return TxnId{control().visible.load(std::memory_order_acquire)};
  }
  TxnId published() const noexcept {
    return TxnId{control().published.load(std::memory_order_acquire)};
  }
  Lsn durable() const noexcept { return Lsn{control().durable.load(std::memory_order_acquire)}; }
  TxnId checkpointed() const noexcept override;

  // Lets readers begin at `txn`, unless they begin later already, and wakes who waits for commits.
  void publish(TxnId txn) noexcept;

  // Records that a flush has failed: nothing is acknowledged from now on, in any process (rule 6).
  // Then throws Errc::poisoned naming `error`.
  [[noreturn]] void poison(const std::error_code& error, const char* action);
  void require_healthy() const;

  // Throws Errc::busy when the data file or the lock file has been deleted or replaced: nobody who
  // comes later would meet this process. `_now_and_then` looks at most once in a tick of the
  // system's coarse clock (1 to 10 ms), else it costs no system call.
  void require_in_place() const;
  void require_in_place_now_and_then();

 private:
  void attach(const Options& options);
  void recover_readable(bool is_cache_trusted);
  const storage::FaultGuard& region_guard() const noexcept override { return region_.guard(); }
  std::string region_path() const override { return region_.path(); }
  void guard_region() override { region_.guard_faults(); }
  void abandon_region() noexcept override;

  shared::Region region_;
  shared::Readers readers_{region_};
  shared::WriterLock writer_lock_{region_, readers_.process_index()};
  shared::ByteMutex checkpoint_lock_{region_, shared::kCheckpointByte};
  shared::ByteMutex flush_lock_{region_, shared::kFlushByte};
  pages::Allocator allocator_;
  Recovered recovered_;
  Checkpointer checkpointer_{*this};
  std::atomic<std::uint64_t> looked_in_tick_{0};  // when the files were last seen in their places
  std::atomic<bool> is_name_durable_{false};      // as this process knows
};

// Raises a word that only grows (rule 10).
inline void raise(std::atomic<std::uint64_t>& word, std::uint64_t value) noexcept {
  std::uint64_t current = word.load(std::memory_order_relaxed);
  while (current < value && !word.compare_exchange_weak(current, value)) {
  }
}

}  // namespace quire::txn
