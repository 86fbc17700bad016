// The file that a fuzzer opens: in memory where possible, at the same path in every run of this
// process, without a lock file until it is opened.
#pragma once

#include <cstddef>
#include <filesystem>

#include "fuzz/fuzz_input.h"
#include "support/scratch.h"

namespace quire::fuzz {

class Disk {
 public:
  Disk();

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path lock_path() const;

  // The file holds exactly these bytes afterwards, the lock file is gone.
  void store(const FileBytes& bytes);

  // The lock file holds exactly these bytes.
  void store_lock_file(const FileBytes& bytes);

  FileBytes load() const;

 private:
  test::ScratchDirectory directory_;
  std::filesystem::path path_;
};

}  // namespace quire::fuzz
