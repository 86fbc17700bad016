// Copies of a database that is in use, page by page: whole ones, and of what has changed since one.
// (`copy` in inspect.h makes a packed one, entry by entry.)
#pragma once

#include <quire/database.h>
#include <quire/export.h>

#include <cstdint>
#include <filesystem>
#include <functional>

namespace quire {

struct BackupOptions {
  // Called now and then with bytes done and bytes in all; what it throws ends the backup.
  std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> on_progress = nullptr;

  bool allow_any_filesystem = false;
};

struct BackupReport {
  std::uint64_t txn = 0;         // commit that was copied: what the next increment begins from
  std::uint64_t page_count = 0;  // pages of trees and values among what was written
  std::uint64_t written_bytes = 0;
};

// Writes the snapshot as a database file, each page at its place, so that increments can be applied
// to it; writers go on meanwhile. To a path (which must not exist; the file gets its name when it
// is complete and on disk), or to a descriptor, from its beginning to its end without seeking: a
// pipe will do, and what comes out of it, stored in a file, is a database. What is free is written
// as zeros to a descriptor and not at all to a path. Verifies the pages that it reads.
//
// Memory: two bits per page of the file. Cost: reads each page and value once.
// Errors: Errc::corrupt; Errc::io, no_space, unsupported_filesystem of the target; Errc::misuse
// when the path exists: that file stays. After any other nothing is left at the path.
QUIRE_API BackupReport backup(const Snapshot& source, const std::filesystem::path& target,
                              const BackupOptions& options = {});
QUIRE_API BackupReport backup(const Snapshot& source, int descriptor,
                              const BackupOptions& options = {});

// Writes what the snapshot has and the state of commit `txn` had not: pages and values born later,
// and where the trees begin. That state need not exist any more. Cost: reads what it writes.
// Errors as `backup`; Errc::misuse when `txn` is beyond the snapshot; Errc::read_only in
// a process that may only read, over a log that nobody has replayed.
QUIRE_API BackupReport backup_since(const Snapshot& source, std::uint64_t txn,
                                    const std::filesystem::path& target,
                                    const BackupOptions& options = {});
QUIRE_API BackupReport backup_since(const Snapshot& source, std::uint64_t txn, int descriptor,
                                    const BackupOptions& options = {});

// Makes a backup what `backup` of the increment's snapshot would have made. `database` must be what
// `backup` or the last increment has made and nobody has written to since, of the same database and
// of the commit that the increment begins from; nobody has it open. (A backup that took the place
// of its source and was written to is another database: begin with a new backup.) The result is
// built beside it, verified as a whole, flushed, and then takes its name at once: a death on the
// way changes nothing, and needs as much room as the file.
//
// Errors: Errc::misuse when the increment is not for this file as it is; Errc::corrupt when it is
// damaged or cut short; Errc::busy while somebody has the file open; Errc::not_a_database,
// wrong_version, io, no_space. After io or no_space the file is as before or the new state as a
// whole, as its commit tells (the last flush may have failed); after any other as before.
QUIRE_API BackupReport apply_increment(const std::filesystem::path& database,
                                       const std::filesystem::path& increment,
                                       const BackupOptions& options = {});
QUIRE_API BackupReport apply_increment(const std::filesystem::path& database, int descriptor,
                                       const BackupOptions& options = {});

}  // namespace quire
