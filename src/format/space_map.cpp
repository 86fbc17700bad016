#include "format/space_map.h"

#include "format/checksum.h"

namespace quire::format {

void seal_map_page(std::byte* map_page, PageId page, std::uint32_t index, std::uint64_t checkpoint,
                   std::uint32_t page_bytes, std::uint64_t seed) noexcept {
  auto* header = reinterpret_cast<MapPageHeader*>(map_page);
  *header = {};
  header->checkpoint = checkpoint;
  header->page = page.value;
  header->index = index;
  header->checksum = page_checksum(map_page, page_bytes, seed);
}

const char* judge_map_page(const std::byte* map_page, PageId page, std::uint32_t index,
                           std::uint64_t checkpoint, std::uint32_t page_bytes,
                           std::uint64_t seed) noexcept {
  const auto* header = reinterpret_cast<const MapPageHeader*>(map_page);
  if (header->kind != PageKind::map) return "not a space map page";
  if (header->page != page.value || header->index != index)
    return "a space map page of another place";
  if (header->checkpoint != checkpoint) return "a space map page of another checkpoint";
  if (header->checksum != page_checksum(map_page, page_bytes, seed))
    return "space map checksum mismatch";
  return nullptr;
}

}  // namespace quire::format
