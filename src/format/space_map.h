// The space map: one bit per page of the file, set when the page is in use by the checkpoint, in
// pages that each carry their index, the checkpoint's number and a checksum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/page.h"

namespace quire::format {

struct MapPageHeader {
  std::uint64_t checksum = 0;    // XXH3 of the page's bytes [8, page size)
  std::uint64_t checkpoint = 0;  // number of the checkpoint that it belongs to
  std::uint32_t page = 0;        // its own number
  PageKind kind = PageKind::map;
  std::uint8_t reserved_bytes[3] = {};
  std::uint32_t index = 0;  // place in its map: bits of pages from index × map_page_bits() on
  std::uint32_t reserved[9] = {};
};
static_assert(sizeof(MapPageHeader) == 64);
static_assert(offsetof(MapPageHeader, checkpoint) == 8);
static_assert(offsetof(MapPageHeader, page) == 16);
static_assert(offsetof(MapPageHeader, kind) == 20);
static_assert(offsetof(MapPageHeader, index) == 24);

// Pages that one map page has bits for; a multiple of 64.
inline constexpr std::uint64_t map_page_bits(std::uint32_t page_bytes) noexcept {
  return (std::uint64_t{page_bytes} - sizeof(MapPageHeader)) * 8;
}

// Map pages that a file of `page_count` pages needs.
inline constexpr std::uint64_t map_pages_needed(std::uint64_t page_count,
                                                std::uint32_t page_bytes) noexcept {
  return (page_count + map_page_bits(page_bytes) - 1) / map_page_bits(page_bytes);
}

// The bits of a map page as 64-bit words.
inline std::uint64_t* map_words(std::byte* map_page) noexcept {
  return reinterpret_cast<std::uint64_t*>(map_page + sizeof(MapPageHeader));
}
inline const std::uint64_t* map_words(const std::byte* map_page) noexcept {
  return reinterpret_cast<const std::uint64_t*>(map_page + sizeof(MapPageHeader));
}

// Makes a page whose bits are set already a valid map page.
void seal_map_page(std::byte* map_page, PageId page, std::uint32_t index, std::uint64_t checkpoint,
                   std::uint32_t page_bytes, std::uint64_t seed) noexcept;

// Null when the page is what it should be, else the reason.
const char* judge_map_page(const std::byte* map_page, PageId page, std::uint32_t index,
                           std::uint64_t checkpoint, std::uint32_t page_bytes,
                           std::uint64_t seed) noexcept;

}  // namespace quire::format
