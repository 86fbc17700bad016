#include "fuzz/small_file.h"

#include <cstring>

#include "format/meta.h"
#include "format/record.h"
#include "format/space_map.h"

namespace quire::fuzz {

FileBytes small_file(std::uint32_t page_bytes, std::uint32_t page_count) {
  const auto reserved_pages = static_cast<std::uint32_t>(format::kReservedBytes / page_bytes);
  format::Meta meta;
  meta.page_bytes = page_bytes;
  meta.file_id.fill(0x5e);
  meta.checksum_seed = kSmallFileSeed;
  meta.sequence = 1;
  meta.checkpoint = 1;
  meta.txn = meta.id_base = 1;
  meta.page_count = page_count;
  meta.map[0] = {reserved_pages, 1};
  meta.map[1] = {reserved_pages + 1, 1};
  meta.log = {reserved_pages + 2, static_cast<std::uint32_t>(format::kLogBytesMin / page_bytes)};
  meta.epoch = 1;
  meta.clean = 1;

  FileBytes file(std::size_t{page_count} * page_bytes);
  std::byte* map = file.data() + std::size_t{reserved_pages} * page_bytes;
  for (std::uint32_t bit = 0; bit < meta.log.first_page + meta.log.page_count; ++bit) {
    format::map_words(map)[bit / 64] |= std::uint64_t{1} << bit % 64;
  }
  format::seal_map_page(map, PageId{reserved_pages}, 0, meta.checkpoint, page_bytes,
                        meta.checksum_seed);
  for (int slot = 0; slot < 2; ++slot, ++meta.sequence) {
    meta.checksum = format::meta_checksum(meta);
    std::memcpy(file.data() + format::kMetaOffset[slot], &meta, sizeof meta);
  }
  return file;
}

}  // namespace quire::fuzz
