// Bytes that go out or come in one behind the other: into a file that is being made, or through a
// descriptor of the caller's, which may be a pipe.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "storage/descriptor.h"
#include "storage/new_file.h"

namespace quire::storage {

class OutStream {
 public:
  // Into a new file that `complete` gives its name. Throws Errc::io, no_space,
  // unsupported_filesystem.
  OutStream(const std::filesystem::path& path, bool allow_any_filesystem);

  // Through a descriptor, which stays open.
  explicit OutStream(int descriptor);

  // Throws Errc::io, Errc::no_space.
  void write(const std::byte* bytes, std::size_t size_bytes);

  // So many zeros; in a new file a hole.
  void skip(std::uint64_t size_bytes);

  std::uint64_t written_bytes() const noexcept { return offset_; }

  // Of a new file: on disk, and then under its name. Throws Errc::misuse when the name exists,
  // Errc::io, no_space; then it has none.
  void complete();

 private:
  std::filesystem::path path_;
  std::optional<NewFile> file_;
  int descriptor_ = -1;
  std::uint64_t offset_ = 0;
};

class InStream {
 public:
  explicit InStream(const std::filesystem::path& path);  // throws Errc::io
  explicit InStream(int descriptor);                     // which stays open

  // Fewer bytes only at the end. Throws Errc::io.
  std::size_t read(std::byte* bytes, std::size_t size_bytes);

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  Descriptor file_;
  int descriptor_ = -1;
};

// Gives a file that has a name another one, in the place of the file that has that now, and makes
// it durable. Throws Errc::io, no_space; then either name may be the one that it has.
void replace_file(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace quire::storage
