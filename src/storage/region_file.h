// The shared region's file (`<database>.lock`): sparse, mapped once, read-write, at a fixed
// reserved size. Its tables are backed by blocks only as far as they are used, so storing into them
// never raises SIGBUS on a full disk.
//
// Threads: any; `ensure` of one range by one thread at a time (others wait inside).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "storage/descriptor.h"
#include "storage/memory_files.h"

namespace quire::storage {

class RegionFile {
 public:
  // Opens or creates `path`; a new file gets the read and write permissions of the file behind the
  // descriptor `like` and, where the system lets us, its owner and group. A symlink at `path` is
  // refused. Maps nothing. Throws Errc::io, Errc::no_space.
  RegionFile(const std::filesystem::path& path, int like);

  // The region of a database in memory. Throws Errc::io.
  explicit RegionFile(const MemoryFiles& files);

  // Opens an existing one to look at it: `map` maps it read-only, nothing else is called. Throws
  // Errc::io.
  static RegionFile open_to_read(const std::filesystem::path& path);

  // One that no other process sees, in memory. Throws Errc::io.
  static RegionFile in_memory();

  ~RegionFile();
  RegionFile(const RegionFile&) = delete;
  RegionFile& operator=(const RegionFile&) = delete;

  const std::filesystem::path& path() const noexcept;
  FileIdentity identity() const noexcept;
  bool is_replaced() const noexcept;  // as DataFile's

  std::uint64_t size_bytes() const;
  std::size_t read(std::uint64_t offset, std::byte* bytes, std::size_t size_bytes) const;

  // Makes every byte read zero and the file `size_bytes` long. Its first `kept_bytes` are zeroed
  // first and in ascending order by pages; other blocks are given back unless they are few, which
  // are zeroed as well. Only while alone;
  // but who may only read may map a file of that size meanwhile: it never gets shorter, where the
  // file system can punch holes. Throws Errc::no_space.
  void reset(std::uint64_t size_bytes, std::uint64_t kept_bytes);

  // Maps `size_bytes` (shared, MADV_DONTFORK; read-write unless opened to read). Once per object.
  // Throws Errc::no_space, Errc::io.
  std::byte* map(std::uint64_t size_bytes);
  std::byte* base() const noexcept;

  // Backs [offset, offset + size_bytes) with blocks. Throws Errc::no_space.
  void ensure(std::uint64_t offset, std::uint64_t size_bytes);

  int lock_descriptor() const noexcept;
  void abandon_after_fork() noexcept;

 private:
  struct State;
  explicit RegionFile(std::unique_ptr<State> state) noexcept;

  std::unique_ptr<State> state_;
};

}  // namespace quire::storage
