// Edits the metas of a closed database file, with their checksums, as a newer or hostile program
// might.
#pragma once

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>

#include "format/meta.h"
#include "support/database_test.h"

namespace quire::test {

inline format::Meta meta_of(const std::string& file, int slot) {
  format::Meta meta;
  std::memcpy(&meta, file.data() + format::kMetaOffset[slot], sizeof meta);
  return meta;
}

inline void set_meta(std::string& file, int slot, const format::Meta& meta) {
  std::memcpy(file.data() + format::kMetaOffset[slot], &meta, sizeof meta);
}

// Applies `edit` to both metas and seals them again.
template <typename Edit>
void edit_metas(const std::filesystem::path& path, Edit&& edit) {
  std::string file = read_file(path);
  for (int slot = 0; slot < 2; ++slot) {
    format::Meta meta = meta_of(file, slot);
    edit(meta);
    meta.checksum = format::meta_checksum(meta);
    set_meta(file, slot, meta);
  }
  write_file(path, file);
}

}  // namespace quire::test
