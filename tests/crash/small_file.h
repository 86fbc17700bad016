// A database file as small as the format allows, so that a simulated drive is quick to compare and
// copy: pages of 4 KiB, a log of 64 KiB, ids from a number of choice on.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "crash/drive.h"
#include "format/meta.h"
#include "format/record.h"
#include "format/space_map.h"

namespace quire::crash {

inline std::vector<Page> small_file(std::uint64_t first_txn) {
  constexpr std::uint32_t kReservedPages = format::kReservedBytes / kPageBytes;
  constexpr std::uint32_t kFilePages = 168;
  std::vector<Page> file(kFilePages);
  format::Meta meta;
  meta.page_bytes = kPageBytes;
  meta.file_id.fill(7);
  meta.checksum_seed = 11;
  meta.sequence = meta.checkpoint = 1;
  meta.txn = meta.id_base = first_txn;
  meta.page_count = kFilePages;
  meta.map[0] = {kReservedPages, 1};
  meta.map[1] = {kReservedPages + 1, 1};
  meta.log = {kReservedPages + 2, static_cast<std::uint32_t>(format::kLogBytesMin / kPageBytes)};
  meta.epoch = 1;
  meta.clean = 1;
  for (int slot = 0; slot < 2; ++slot) {
    meta.checksum = format::meta_checksum(meta);
    std::memcpy(file[format::kMetaOffset[slot] / kPageBytes].data(), &meta, sizeof meta);
    ++meta.sequence;
  }
  std::byte* map = file[meta.map[0].first_page].data();
  for (std::uint32_t bit = 0; bit < meta.log.first_page + meta.log.page_count; ++bit) {
    format::map_words(map)[bit / 64] |= std::uint64_t{1} << bit % 64;
  }
  format::seal_map_page(map, PageId{meta.map[0].first_page}, 0, meta.checkpoint, kPageBytes,
                        meta.checksum_seed);
  return file;
}

}  // namespace quire::crash
