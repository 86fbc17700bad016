// A file that is looked at and never changed: opened O_RDONLY and mapped once, as long as it is
// now. For looking into a damaged database without an engine that would repair it.
//
// Threads: any, once constructed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "storage/descriptor.h"
#include "storage/fault_guard.h"
#include "storage/mapping.h"

namespace quire::storage {

class StillFile {
 public:
  // Holds a shared lock on `attached_byte`, so that nobody begins to write while it is looked at.
  // With `guards_faults` what the disk cannot give reads as zeros (see fault_guard.h); otherwise it
  // raises SIGBUS. Throws Errc::busy when somebody has locked that byte already, Errc::io.
  StillFile(const std::filesystem::path& path, std::uint64_t attached_byte, bool guards_faults);

  // Null for an empty file.
  const std::byte* base() const noexcept { return mapping_.base(); }
  std::uint64_t size_bytes() const noexcept { return size_bytes_; }

 private:
  Descriptor file_;
  Mapping mapping_;
  FaultGuard guard_;  // before the mapping goes
  std::uint64_t size_bytes_ = 0;
};

}  // namespace quire::storage
