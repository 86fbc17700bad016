// Which file systems keep mappings coherent between processes.
#pragma once

#include <cstdint>
#include <string_view>

namespace quire::storage {

struct FilesystemKind {
  std::string_view name;  // "ext4", "NFS", "unknown"
  bool is_supported;      // shared mappings are coherent and flushes mean something
  bool is_memory;         // lives in memory: there is no disk to flush to or to read back
};

// Judges the f_type of statfs(2). Pure.
FilesystemKind filesystem_kind(std::uint64_t type) noexcept;

}  // namespace quire::storage
