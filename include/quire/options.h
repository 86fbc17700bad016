// How a database is opened. Every default works.
#pragma once

#include <quire/export.h>
#include <quire/reader.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace quire {

// Any bytes, ordered as unsigned bytes, shorter before longer.
using Bytes = std::string_view;

// What `commit` waits for.
enum class Durability : std::uint8_t {
  full,    // returns when the commit is on disk: survives a power cut
  relaxed  // returns when the commit is visible: survives a killed process; a power cut may undo
           // the newest ones
};

// What reads do against bytes that have rotted on the disk. Whatever is chosen, a page proves that
// it is the one meant and contradictions in it are reported; writers verify every page that they
// copy; and check() verifies everything. What is found is Errc::corrupt naming the page.
//
// Pages get their checksums from the checkpoint, values in pages of their own when they are stored;
// what was committed since the last checkpoint is in the log as well, and its pages are not
// verified yet.
enum class Verify : std::uint8_t {
  never,        // a changed byte inside a key or value may be returned
  first_touch,  // the checksum of a page, or of a large value, when this process first reads it
  always        // at every visit of a lookup or cursor: memory is not trusted either
};

// Limits. The longest key for a page size, in bytes: 1942 at 4096, 3990 at 8192, 8086 at 16384,
// 16278 at 32768, 32662 at 65536. Keys may be empty; values may be empty and as large as the file
// can grow.
QUIRE_API std::size_t key_bytes_max(std::uint32_t page_size_bytes) noexcept;
inline constexpr std::size_t kTableNameBytesMax = 255;
inline constexpr std::size_t kTableCountMax = 32000;  // named tables

// Designated initialisers read well: `Database db{"file", {.create_if_missing = false}}`.
struct Options {
  // Create the file when it does not exist; otherwise a missing file is an error.
  bool create_if_missing = true;

  // Refuse every write through this handle. Where the system permits no more than reading (the
  // file, its lock file, the mount), this opens it all the same, and nothing of it is ever changed:
  // beside writers the newest commit is read, otherwise what recovery would make of the file.
  bool read_only = false;

  // Bytes per page: 4096, 8192, 16384, 32768 or 65536. Used at creation; 0 = 4096, or what the file
  // has. A value that contradicts an existing file is an error.
  std::uint32_t page_size = 0;

  // What `Transaction::commit()` waits for when it is not told.
  Durability durability = Durability::full;

  // Checkpoints are made by a thread of this process, which begins when the first one is due, so
  // that commits do not wait for them. Without it, by the commit that finds one due.
  bool background_checkpoints = true;

  // What is verified when data is read.
  Verify verify = Verify::never;

  // Address space to reserve per mapping, in bytes: the size that the file can grow to while it is
  // open. 0 = 1 TiB, halved until the system grants it. Costs no memory and no disk.
  std::uint64_t reserve = 0;

  // A page of the file that the system cannot read (the file was cut under us, the disk fails) ends
  // the process by SIGBUS, as with every mapped file. With this it ends the call with Errc::io
  // naming the page; then every other call does, until all of the process's handles, snapshots and
  // transactions of the file are gone and it is opened anew. Keys and values are read through
  // before they are handed out. What is pointed to still reads as zeros if its page vanishes later:
  // the next call tells. Installs a handler of SIGBUS for the life of the process, which passes
  // faults elsewhere on to the one before it; a handler that the program installs later must do the
  // same. In force for all handles of the file in this process as soon as one asks for it.
  bool guard_sigbus = false;

  // Called by a transaction that would have to make the file larger, or has no room at all, though
  // the end of the oldest snapshot would give it room enough. True: that snapshot may be gone, look
  // again. False: go on without. Of each snapshot a transaction is told once at most; the next
  // oldest follows where the first is gone and has not been enough.
  //
  // Runs on the transaction's thread in the middle of its `put`, `erase`, `commit` or what else
  // follows many puts, so every other writer waits for it. It may end snapshots, its own and
  // others' (by asking or ending their process), and read; `begin`, `checkpoint` and calls on the
  // running transaction are misuse. What it throws passes through that call, and the transaction
  // can then only be rolled back.
  std::function<bool(const ReaderInfo&)> on_slow_reader = nullptr;

  // Open on file systems whose mappings quire does not know to be coherent (network file systems
  // among them).
  bool allow_any_filesystem = false;
};

}  // namespace quire
