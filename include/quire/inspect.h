// Looking at a database from outside: statistics, integrity, readers, copies. What kvtool and tests
// use.
#pragma once

#include <quire/database.h>
#include <quire/export.h>
#include <quire/reader.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quire {

struct TableStatistics {
  std::string name;               // "" = the default table
  std::uint64_t entry_count = 0;  // of a multimap: keys
  std::uint64_t branch_page_count = 0;
  std::uint64_t leaf_page_count = 0;
  std::uint64_t extent_page_count = 0;  // of a multimap: pages of the trees of values
  std::uint32_t height = 0;             // levels; 0 = empty
  bool is_multimap = false;
  std::uint64_t pair_count = 0;  // of a multimap
};

struct Statistics {
  std::uint32_t page_size_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t used_pages = 0;     // by the newest commit, the log, the space maps and the metas
  std::uint64_t pending_pages = 0;  // freed, but some snapshot or the last checkpoint may need them
  std::uint64_t free_pages = 0;
  std::uint64_t txn = 0;             // newest commit that readers see
  std::uint64_t durable_lsn = 0;     // log position up to which a power cut loses nothing
  std::uint64_t checkpoint_txn = 0;  // commit that the last checkpoint holds
  std::uint64_t checkpoint_number = 0;
  std::uint64_t log_bytes = 0;       // size of the log
  std::uint64_t log_used_bytes = 0;  // of it in use since the last checkpoint
  std::uint64_t process_count = 0;   // attached now
  std::uint64_t reader_count = 0;    // snapshots open now, in all processes
  std::string format_version;
  std::vector<TableStatistics> tables;  // the default table first, then by name
};

// Figures of now. Takes the writer lock for a moment; cost grows with the number of tables, not of
// entries.
QUIRE_API Statistics stat(const Database& database);

// What a file says of itself to who does not open it.
struct FileFacts {
  bool is_in_use = false;      // some process has it open
  bool was_closed = false;     // the last one left in order: opening it has nothing to recover
  bool has_lock_file = false;  // beside it; harmless when nobody has the file open
  int whole_metas = 0;         // of two
  std::uint32_t page_size_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t checkpoint_txn = 0;  // commit that is there without the log
  std::string filesystem;            // "ext4", "NFS", "unknown"
  bool is_filesystem_supported = false;
};

// Opens nothing but the file, to read its two metas; changes and waits for nothing. Throws
// Errc::io, not_a_database, wrong_version, corrupt (both metas are damaged).
QUIRE_API FileFacts look_at(const std::filesystem::path& file);

// How full the pages of one table are.
struct TreeStatistics {
  struct Level {
    std::uint64_t page_count = 0;
    std::uint64_t entry_count = 0;  // children of branches
    std::uint64_t used_bytes = 0;   // of what its pages have room for
    std::uint64_t room_bytes = 0;
  };
  std::vector<Level> levels;                       // the leaves first, the root last
  std::array<std::uint64_t, 10> leaves_by_fill{};  // up to a tenth full, up to two, ...
  std::uint64_t extent_count = 0;                  // large values
  std::uint64_t extent_bytes = 0;
  std::uint64_t extent_room_bytes = 0;  // of the pages that they stand in
};

// Reads every page of the table ("": the default table), but no large value. One that does not
// exist is empty. A multimap's trees of values count at their own levels. `on_progress` is told now
// and then how many pages of about how many were read; what it throws ends the call. Errors as
// TableView's.
QUIRE_API TreeStatistics stat_tree(
    const Snapshot& snapshot, Bytes table = {},
    const std::function<void(std::uint64_t done, std::uint64_t total)>& on_progress = nullptr);

// Keys with first <= key < limit; nothing: no limit. A single key is limited by itself with a zero
// byte behind it.
struct AffectedKeys {
  std::string table;  // "" = the default table
  std::optional<std::string> first;
  std::optional<std::string> limit;
};

struct Fault {
  std::uint64_t page = 0;
  std::string reason;

  // Whose entries it may have damaged, changed or hidden; nothing when it touches no entries (a
  // count, a meta, the space map) or those of tables that can no longer be named (the catalogue).
  std::optional<AffectedKeys> keys = {};
};

struct CheckReport {
  std::uint64_t txn = 0;          // commit that was checked
  std::uint64_t page_count = 0;   // pages looked at
  std::uint64_t entry_count = 0;  // entries in all tables
  std::vector<Fault> faults;      // none: all is well; at most 1000 are kept
  std::uint64_t fault_count = 0;
  bool ok() const noexcept { return fault_count == 0; }
};

// Judges the whole database: both metas and the space map, every page's fields, checksums and
// births, key order and separators, counts, every extent's bytes, the log, and that reachable +
// free + pending pages add up to all pages, none used twice. Holds the writer lock meanwhile; reads
// everything. Damage is reported, not thrown. A process that may only read judges, while others
// have the file open, all but that account: metas, the checkpoint's space map, trees, extents and
// the log of one snapshot.
// `on_progress` is told now and then how many pages of about how many were looked at; it must
// neither throw nor use the database.
QUIRE_API CheckReport
check(const Database& database,
      const std::function<void(std::uint64_t done, std::uint64_t total)>& on_progress = nullptr);

// Snapshots open now, in all processes, oldest first. Waits for nobody, also not for a stopped
// writer; what changes meanwhile may be missing, and `pinned_bytes` may be a little off (0 where
// this process may only read). Cost grows with the snapshots and with what waits for them.
QUIRE_API std::vector<ReaderInfo> readers(const Database& database);

// Writes every table of the snapshot into a new database at `target` (which must not exist),
// packed. Writers go on meanwhile. Verifies what it reads. `on_progress` is told now and then how
// many entries of how many are copied. Until it is whole the file has ".new" behind its name: a
// process that is killed leaves it so. Throws Errc::busy when there is such a file, misuse when
// there is one at `target`, and what Database and Table::put throw; then no file is left.
QUIRE_API void copy(
    const Snapshot& source, const std::filesystem::path& target, const Options& options = {},
    const std::function<void(std::uint64_t done, std::uint64_t total)>& on_progress = nullptr);

struct CompactReport {
  bool is_done = false;            // nothing is left to be moved, or nothing can be
  std::uint64_t used_bytes = 0;    // up to the last page in use when the step began
  std::uint64_t wanted_bytes = 0;  // where the file could end about
};

// One step of making the file smaller while others read and write: waits for the running
// transaction, moves up to about `step_bytes`, but 64 pages at least, from its end to free pages
// before, and commits that as a checkpoint; to be called until it is done. Writers wait for one
// step, readers for nothing. The file is cut when the last process closes it; until then its end is
// free to be used again. What snapshots keep is moved around, not moved: what it occupies becomes
// free when they end. Cost: reads the trees' branches, and the leaves of tables with large values.
// Throws as Transaction::commit and Database::checkpoint.
QUIRE_API CompactReport compact(Database& database, std::uint64_t step_bytes = 16 << 20);

struct SalvageReport {
  std::uint64_t table_count = 0;          // named tables in the target
  std::uint64_t entry_count = 0;          // entries in all its tables
  std::uint64_t missing_entry_count = 0;  // at least so many are lost with damaged pages

  std::vector<Fault> losses;  // what could not be copied, and which keys it held; at most 1000
  std::uint64_t loss_count = 0;
  std::vector<std::string> doubts;  // what holds for everything that was copied
  bool is_complete() const noexcept { return loss_count == 0 && doubts.empty(); }
};

// Copies everything that can still be read from a database, also from one that cannot be opened,
// into a new one at `target` (which must not exist). Only pages, values and log records whose
// checksums are right are copied; what is damaged is gone around, leaves that nothing points to any
// more are looked for, and tables whose names are lost come out as "salvaged-" and a page number.
// Never writes to `source`; with Options::guard_sigbus what its disk cannot read counts as damaged.
// `on_progress` is told now and then how many pages of about how many were read.
// Throws Errc::busy while a process has it open, not_a_database, wrong_version, corrupt when
// nothing can be made out of it, and what Database and Table::put throw for the target; then no
// target is left. Like `copy` it gives the target its name when it is whole.
QUIRE_API SalvageReport
salvage(const std::filesystem::path& source, const std::filesystem::path& target,
        const Options& options = {},
        const std::function<void(std::uint64_t done, std::uint64_t total)>& on_progress = nullptr);

QUIRE_API const char* version() noexcept;  // "0.1.0"

}  // namespace quire
