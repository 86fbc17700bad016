// One database file as far as reading it goes, in one process: what those who may write and those
// who may only read have in common.
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
#include "pages/page_view.h"
#include "pages/verification.h"
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

Facts read_facts(const storage::DataFile& data);

// Throws Errc::misuse when the file's pages have another size than asked for, wrong_version when it
// must not be written and is to be.
void require_fits(const Facts& facts, const std::string& name, const Options& options);

// Threads: any. Never moves.
class File {
 public:
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  const std::string& name() const noexcept { return name_; }
  const Facts& facts() const noexcept { return facts_; }
  storage::DataFile& data() noexcept { return data_; }
  const storage::DataFile& data() const noexcept { return data_; }

  void require_fits(const Options& options) const { txn::require_fits(facts_, name_, options); }

  // Pages below `page_count` may be read through it. Throws Errc::no_space when another process,
  // with more address space, has made the file larger than can be seen here.
  pages::PageView view(std::uint64_t page_count) const;

  // For reads that begin now, less `newest`; to be asked for before the state that they read is
  // chosen.
  pages::Verification verification(Verify verify);

  // The last checkpoint, of the state that reads would begin at now.
  virtual TxnId checkpointed() const noexcept = 0;

  // The log, to be read, where its run of pages stands in the region as `log_run`. Throws Errc::io
  // when the region was lost under us.
  log::Ring ring_at(std::uint64_t log_run) const;

  // True when a meta agrees with what never changes in this file's life.
  bool has_facts(const format::Meta& meta) const noexcept;

  // The metas as the map shows them, newest valid one first. Throws Errc::corrupt when neither is
  // valid, or when it has become another file's.
  format::MetaChoice read_metas() const;

  // Notes pages that cannot be read instead of dying of SIGBUS, from now on, for the whole file.
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

 protected:
  // Opens the file and reads its facts; maps nothing yet. Throws what Database's constructor does.
  File(const std::filesystem::path& path, storage::DataFile::Access access, const Options& options);

  // The same for a database in memory.
  explicit File(storage::MemoryFiles files);

  // Once, by the constructor of who inherits, when its region is there.
  void map(const Options& options);

  const storage::FaultGuard& guard() const noexcept { return guard_; }

 private:
  // The region beside the file: its guard and its path, and what is done with it as with the file.
  virtual const storage::FaultGuard& region_guard() const noexcept = 0;
  virtual std::string region_path() const = 0;
  virtual void guard_region() = 0;
  virtual void abandon_region() noexcept = 0;

  void require_nothing_lost() const;

  storage::DataFile data_;
  std::string name_;
  Facts facts_;
  storage::FaultGuard guard_;  // of the data file; ends before its mappings
  std::atomic<bool> is_guarded_{false};
  std::once_flag verified_made_;
  std::unique_ptr<pages::VerifiedPages> verified_;  // made when first asked for
  std::atomic<bool> abandoned_{false};
};

}  // namespace quire::txn
