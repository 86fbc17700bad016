// From bytes in a file to a running database: creation, and recovery by whoever is alone (rules 4,
// 5, 15).
#pragma once

#include <quire/options.h>

#include <filesystem>

#include "txn/store.h"

namespace quire::txn {

// Makes a database in which nothing has happened yet. False when the path exists already, as
// whatever. Throws as ensure_file.
[[nodiscard]] bool create_file(const std::filesystem::path& path, const Options& options);

// A new database in memory. Throws Errc::misuse (page size), no_space, io.
storage::MemoryFiles create_in_memory(const Options& options);

// For who is about to store the next meta: a restored backup becomes a database of its own with its
// first change. Its transactions have the numbers, and often the pages, of other ones in the
// database that it comes from, so an increment of either must not fit the other.
void begin_own_history(format::Meta& meta);

// The file's canonical path; created when missing and allowed. Throws Errc::io, no_space,
// unsupported_filesystem, misuse (page size).
std::filesystem::path ensure_file(const std::filesystem::path& path, const Options& options);

// The newest valid meta, read without mapping anything. Throws Errc::not_a_database, wrong_version,
// corrupt.
format::MetaChoice read_metas_unmapped(const storage::DataFile& data);

// Where the file ends by what both metas say after a clean close; nothing while it is in use.
// Throws as `read_metas_unmapped`.
std::optional<std::uint64_t> closed_bytes(const storage::DataFile& data);

// Lets the disk decide what the file holds, before anything is mapped, when a flush has failed, may
// have failed, or left no region to say so (rule 6). False when a flush was interrupted and
// somebody maps the file, so that its pages cannot be dropped: then recovery has to make them all
// dirty. Throws Errc::busy when that is not enough because a flush has failed; io.
[[nodiscard]] bool drop_untrusted_cache(storage::DataFile& data, const shared::Region& region);

// Fills the region from the file: newest meta, space map, log. Ends with a checkpoint of a new
// epoch unless the file was closed cleanly. The caller is alone and has mapped the file. Throws
// Errc::corrupt, io, no_space.
Recovered recover(Store& store, bool is_cache_trusted);

}  // namespace quire::txn
