// The database file as bytes: three open descriptions (one per flushing role, rule 6), two mappings
// of one reserved address window, growth, flush. Knows nothing of pages.
//
// Threads: base pointers, sizes and flush calls from any thread; flushes of one role are serialised
// by the caller; `grow` by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <system_error>

#include "storage/descriptor.h"
#include "storage/filesystem.h"
#include "storage/memory_files.h"

namespace quire::storage {

class DataFile {
 public:
  // private_view: what is stored, grown and flushed stays in this process's memory and is gone with
  // the object; pages that nothing was stored into show the file. For looking at a file that would
  // have to be changed first.
  enum class Access { read_write, read_only, private_view };

  // Opens an existing file (following symlinks) and learns identity and file system; maps nothing
  // yet. Throws Errc::io (absent, no permission, a directory, ...), Errc::unsupported_filesystem
  // unless `allow_any_filesystem`. All but read_write access open read-write, too, where that is
  // permitted: on overlayfs they would otherwise keep seeing the file as it was before its first
  // change.
  DataFile(const std::filesystem::path& path, Access access, bool allow_any_filesystem);

  // The data file of a database in memory, read_write; keeps the descriptors. Throws Errc::io.
  explicit DataFile(MemoryFiles files);

  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  // Creates `path` holding `image` (written, flushed, then linked under its name and the directory
  // flushed), so that nobody ever sees a half-made file. `zeroed_bytes` at `zeroed_offset` are
  // written as zeros in 4 KiB writes (see `write_zeros`), the rest of `size_bytes` is allocated. A
  // dangling symlink is followed. False when the name exists already: open that one. Throws
  // Errc::no_space, Errc::io, Errc::unsupported_filesystem; then nothing is left behind, except
  // after an error of the directory's flush: by then others may have opened the file.
  struct Image {
    std::uint64_t size_bytes = 0;
    struct Piece {
      std::uint64_t offset;
      const std::byte* bytes;
      std::size_t size_bytes;
    };
    const Piece* pieces = nullptr;
    std::size_t piece_count = 0;
    std::uint64_t zeroed_offset = 0;
    std::uint64_t zeroed_bytes = 0;
  };
  [[nodiscard]] static bool create(const std::filesystem::path& path, const Image& image,
                                   bool allow_any_filesystem);

  // The same into a file in memory: nothing to flush, nobody else who makes it.
  static void create(const MemoryFiles& files, const Image& image);

  // Absolute and, where possible, without symlinks: the same for everybody who opens the file by
  // any symlink. Of a file in memory just a name for messages.
  const std::filesystem::path& path() const noexcept;
  FileIdentity identity() const noexcept;
  FilesystemKind filesystem() const noexcept;

  // False when only O_RDONLY descriptions were permitted.
  bool is_opened_for_writing() const noexcept;

  // The files of a database in memory; null for one that has a name.
  const MemoryFiles* memory_files() const noexcept;

  // False where there is no disk below: flushes do nothing then, and commits need not ask for them.
  bool has_disk() const noexcept;

  // True for Access::private_view.
  bool is_private() const noexcept;

  // True when the path names another file now, or the file was deleted. A file that was renamed, or
  // a path that this process cannot follow (any more), says nothing: false. One or two system
  // calls.
  bool is_replaced() const noexcept;

  // Makes the name durable by flushing the directory. Each process calls it before
  // its first commit is acknowledged: the creator may have died between naming the file and
  // flushing, or be about to. A directory that this process may not read is left alone.
  [[nodiscard]] std::error_code flush_name();

  // Size now, asked of the system; of a private view, its own.
  std::uint64_t size_bytes() const;

  // Reads without mapping; short reads past the end give fewer bytes. Returns the number read.
  // Throws Errc::io.
  std::size_t read(std::uint64_t offset, std::byte* bytes, std::size_t size_bytes) const;

  // Writes a range of the file, without its mapping unless a limit of this process (ulimit -f) is
  // in the way; one that was set within the last tick of the system's coarse clock (1 to 10 ms) is
  // not seen. Throws Errc::io, Errc::no_space: some of it may have been written.
  void write(std::uint64_t offset, const std::byte* bytes, std::size_t size_bytes);

  // The same for pages inside the file, in writes of at most 16 KiB: the page cache keeps what is
  // written at once as one folio, which is dirty as a whole when one page of it changes. The disk
  // begins with what is complete, so that the flush to come finds less to do; errors of that are
  // the flush's.
  void write_pages(std::uint64_t offset, const std::byte* bytes, std::size_t size_bytes);

  // A description of its own that can only read, for the file's bytes to be sent by the system;
  // opened when it is first asked for, closed with the object. Any thread. Throws Errc::io.
  int sending_descriptor();

  // The reader of a long range goes on: takes what is behind it out of the page tables, so that the
  // process does not grow, and has the system load what comes next. A private view stays as it is.
  void read_on(std::uint64_t behind_offset, std::uint64_t behind_bytes, std::uint64_t next_offset,
               std::uint64_t next_bytes) noexcept;

  // Reserves address space and maps the file twice (read-only for everyone, read-write for the
  // writer's code; in a single-mapping build both are the same). `reserve_bytes` 0 = 1 TiB; raised
  // to the file's size, halved until the system grants it. The window is fixed until the object
  // ends, the file grows under it. Read-only access maps only the first, a private view only the
  // second, as copy_on_write. Once per object. Throws
  // Errc::no_space.
  void map(std::uint64_t reserve_bytes);

  // Valid for [0, size_bytes()) while the object lives, but never beyond `reserved_bytes()`: a
  // process that reserved more may grow the file further. Null before `map` and after
  // `abandon_after_fork`.
  const std::byte* read_base() const noexcept;
  std::byte* write_base() const noexcept;  // null in read-only access
  std::uint64_t reserved_bytes() const noexcept;

  // Extends the file to `size_bytes` with allocated blocks and makes the new size and blocks
  // durable (rule 7). A file that is that long already, because a grower died or met a full disk
  // half-way, is only flushed. Throws Errc::no_space, also beyond `reserved_bytes()` (file as
  // before, or longer but unused: harmless). Any error of the flush is returned, not thrown: the
  // caller poisons (rule 6).
  [[nodiscard]] std::error_code grow(std::uint64_t size_bytes);

  // Cuts the file, for whoever is alone and no page beyond may be looked at by anybody (rule 7). A
  // power cut before the next flush may bring the old length back. False when the system refuses:
  // the file is as before.
  bool shrink(std::uint64_t size_bytes) noexcept;

  // Of a private view that is not mapped yet: what it shows ends where the file ends now, or after
  // `bytes_max`, if that is less.
  void limit_view(std::uint64_t bytes_max);

  // Gives every hole of the file its blocks: a copy may have come with holes, and storing into one
  // on a full disk would raise SIGBUS. Cheap when there are none. Throws Errc::no_space.
  void fill_holes();

  // Writes zeros over a range in 4 KiB writes (so that the page cache holds it in small folios:
  // larger ones make every flush of one page write all of the folio), and flushes nothing. Throws
  // Errc::no_space and Errc::io if it cannot write.
  void write_zeros(std::uint64_t offset, std::uint64_t size_bytes);

  // Make a range durable: MS_SYNC through the read-write mapping (log) or the read-only one
  // (pages). Offsets may be unaligned; whole system pages are flushed. Zero on success; an error
  // means data may be lost: poison (rule 6).
  [[nodiscard]] std::error_code flush_log(std::uint64_t offset, std::uint64_t size_bytes);
  [[nodiscard]] std::error_code flush_pages(std::uint64_t offset, std::uint64_t size_bytes);

  // Flushes the whole file and its size through the description of the pages role.
  [[nodiscard]] std::error_code flush_all();

  // Drops the file from the page cache so that later reads show the disk; dirty pages are written
  // first (should that fail, `flush_all` reports it). False when some pages stay (another process
  // maps them). True without doing anything on file systems that live in memory. Call before `map`.
  // Throws Errc::io.
  [[nodiscard]] bool drop_cache();

  // Descriptor that carries this object's byte locks; a description of its own, which no mapping
  // keeps alive: the locks end with the object. Opened read-write if `is_opened_for_writing()`;
  // otherwise it takes shared locks only.
  int lock_descriptor() const noexcept;

  // In a forked child: forgets everything without unmapping, unlocking or flushing (mappings are
  // not inherited); closes the descriptors.
  void abandon_after_fork() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quire::storage
