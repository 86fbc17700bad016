// A file that gets its name only when it is complete, so that nobody ever opens a half-made one. It
// has no name at all until then where the file system and /proc allow; otherwise a random hidden
// one in the same directory, which only a killed process leaves behind.
//
// Threads: external synchronisation.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include "storage/descriptor.h"

namespace quire::storage {

class NewFile {
 public:
  // An empty file, open read-write, in `directory`, which shall become `path`. Throws Errc::io,
  // Errc::no_space.
  NewFile(Descriptor directory, const std::filesystem::path& path, unsigned mode);
  ~NewFile();  // without `link` nothing stays
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  const Descriptor& descriptor() const noexcept { return file_; }
  const Descriptor& directory() const noexcept { return directory_; }

  // Gives the file its name. False when something has that name already. Throws Errc::io,
  // Errc::no_space.
  [[nodiscard]] bool link();

  // Takes the name away again.
  void unlink() noexcept;

 private:
  bool open_nameless(unsigned mode);
  void open_named(unsigned mode);

  std::filesystem::path path_;
  Descriptor directory_;
  Descriptor file_;
  std::string temporary_name_;  // empty: the file has no name
};

}  // namespace quire::storage
