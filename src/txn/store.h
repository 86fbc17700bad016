// One database file in one process: the parts that snapshots, transactions, flushes and checkpoints
// share. What is done with them stands in the other files of this module.
#pragma once

#include <quire/options.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/id.h"
#include "format/meta.h"
#include "log/log.h"
#include "pages/allocator.h"
#include "pages/page_view.h"
#include "pages/verification.h"
#include "shared/locks.h"
#include "shared/readers.h"
#include "shared/region.h"
#include "storage/data_file.h"
#include "storage/fault_guard.h"

namespace quire::txn {

// What one commit left: the record that the region keeps of it.
struct State {
  format::TreeRoot catalogue;
  format::TreeRoot default_table;
  std::uint64_t page_count = 0;  // pages of the file at that commit
  Lsn log_end;                   // the log's tail after it ...
  std::uint64_t log_chain = 0;
  TxnId newest_full;  // newest commit up to here that asked for Durability::full (rule 10)
  std::uint64_t deferred_tail = 0;  // end of its deferred frees (rule 11)
  std::uint64_t next_table_id = 1;
  std::uint64_t full_count =
      0;  // commits that asked for Durability::full, since the region was made
};
static_assert(sizeof(State) % 8 == 0);

// Facts that never change in a file's life.
struct Facts {
  std::uint32_t page_bytes = 0;
  std::uint64_t checksum_seed = 0;
  bool may_be_written = true;  // false: made by a newer version in a way that allows reading only
};

// Threads: any; each part says what it needs. Never moves.
class Store {
 public:
  // Opens or creates the file, attaches to its region, and recovers when alone. Throws what
  // Database's constructor does.
  Store(const std::filesystem::path& path, const Options& options);

  // Leaves; the last process writes a checkpoint and marks the file clean.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const std::string& name() const noexcept { return name_; }
  const Facts& facts() const noexcept { return facts_; }
  storage::DataFile& data() noexcept { return data_; }
  shared::Region& region() noexcept { return region_; }
  shared::Control& control() const noexcept { return region_.control(); }
  shared::Readers& readers() noexcept { return readers_; }
  shared::WriterLock& writer_lock() noexcept { return writer_lock_; }
  shared::ByteMutex& checkpoint_lock() noexcept { return checkpoint_lock_; }
  shared::ByteMutex& flush_lock() noexcept { return flush_lock_; }
  pages::Allocator& allocator() noexcept { return allocator_; }

  // Throws Errc::misuse when the file's pages have another size than asked for, wrong_version when
  // it must not be written and is to be.
  void require_fits(const Options& options) const;

  // Pages below `page_count` may be read through it. Throws Errc::no_space when another process,
  // with more address space, has made the file larger than can be seen here.
  pages::PageView view(std::uint64_t page_count) const;

  // For reads that begin now, less `newest`; to be asked for before the state that they read is
  // chosen.
  pages::Verification verification(Verify verify);

  // Throws Errc::no_space when the file has outgrown this process's window. Whoever writes or
  // flushes asks first.
  void require_window() const;

  // Throws Errc::io when the region was lost under us.
  log::Ring ring() const;

  // The state record of `txn`; false when it has been overwritten.
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
  TxnId checkpointed() const noexcept;

  // Lets readers begin at `txn`, unless they begin later already, and wakes who waits for commits.
  void publish(TxnId txn) noexcept;

  // True when a meta agrees with what never changes in this file's life.
  bool has_facts(const format::Meta& meta) const noexcept;

  // The metas as the map shows them, newest valid one first. Throws Errc::corrupt when neither is
  // valid, or when it has become another file's.
  format::MetaChoice read_metas() const;

  // Records that a flush has failed: nothing is acknowledged from now on, in any process (rule 6).
  // Then throws Errc::poisoned naming `error`.
  [[noreturn]] void poison(const std::error_code& error, const char* action);
  void require_healthy() const;

  // Throws Errc::busy when the data file or the lock file has been deleted or replaced: nobody who
  // comes later would meet this process. `_now_and_then` looks at most once in a tick of the
  // system's coarse clock (1 to 10 ms), else it costs no system call.
  void require_in_place() const;
  void require_in_place_now_and_then();

  // Notes pages that cannot be read instead of dying of SIGBUS, from now on, for the whole store.
  // One thread at a time; harmless when it is so already.
  void guard_sigbus();
  bool is_guarded() const noexcept { return is_guarded_.load(std::memory_order_acquire); }

  // Throws Errc::io once a page could not be read: nothing read before is to be believed, nothing
  // stored before is to be made known (see storage/fault_guard.h).
  void require_readable() const {
    if (is_guarded()) [[unlikely]]
      require_nothing_lost();
  }

  bool is_abandoned() const noexcept { return abandoned_.load(std::memory_order_relaxed); }

  // In a forked child: closes descriptors, touches nothing shared.
  void abandon_after_fork() noexcept;

 private:
  void map(const Options& options);
  void recover_readable(bool is_cache_trusted);
  void require_nothing_lost() const;

  storage::DataFile data_;
  std::string name_;
  Facts facts_;
  storage::FaultGuard guard_;  // of the data file; ends before its mappings
  shared::Region region_;
  std::atomic<bool> is_guarded_{false};
  shared::Readers readers_;
  shared::WriterLock writer_lock_;
  shared::ByteMutex checkpoint_lock_;
  shared::ByteMutex flush_lock_;
  pages::Allocator allocator_;
  std::once_flag verified_made_;
  std::unique_ptr<pages::VerifiedPages> verified_;  // made when first asked for
  std::atomic<std::int64_t> looked_in_tick_{0};     // when the files were last seen in their places
  std::atomic<bool> abandoned_{false};
};

// Raises a word that only grows (rule 10).
inline void raise(std::atomic<std::uint64_t>& word, std::uint64_t value) noexcept {
  std::uint64_t current = word.load(std::memory_order_relaxed);
  while (current < value && !word.compare_exchange_weak(current, value)) {
  }
}

}  // namespace quire::txn
