// Pages: the 64-byte header that every tree page starts with, pointers to pages, and the numbers
// that follow from the page size. The byte tables are in README.md; the asserts below pin them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/endian.h"
#include "base/id.h"

namespace quire::format {

inline constexpr std::uint32_t kPageBytesMin = 4096;
inline constexpr std::uint32_t kPageBytesMax = 65536;
inline constexpr std::uint32_t kPageBytesDefault = 4096;

inline constexpr bool is_page_size(std::uint64_t bytes) noexcept {
  return bytes >= kPageBytesMin && bytes <= kPageBytesMax && std::has_single_bit(bytes);
}

// The metas stand at fixed offsets in different 64 KiB blocks; nothing else lives in the first two
// blocks.
inline constexpr std::uint64_t kMetaOffset[2] = {0, 65536};
inline constexpr std::uint64_t kReservedBytes = 131072;

// What a page holds. 0 is never valid, so a page of zeros is never taken for one. Values are on
// disk.
enum class PageKind : std::uint8_t {
  none = 0,
  branch = 1,
  leaf = 2,
  map = 3,
  // Reserved: 4 multimap sub-tree leaf, 5 fixed-width leaf, 6 fixed-width branch.
};

// Bits of PageHeader::flags. Unknown bits make a page unreadable. Reserved: 1 fingerprints.
inline constexpr std::uint16_t kPageFlagsKnown = 0;

// First cache line of every branch, leaf and map page.
struct PageHeader {
  std::uint64_t checksum;  // XXH3 of the page's bytes [8, page size); made by the checkpoint (valid
                           // iff birth <= C)
  std::uint64_t birth;     // transaction that wrote the page
  std::uint32_t page;      // its own number: finds misdirected pages
  PageKind kind;
  std::uint8_t level;  // 0 = leaf
  std::uint16_t flags;
  std::uint16_t entry_count;
  std::uint16_t prefix_bytes;  // leading bytes that all keys or separators of the page share
  std::uint32_t heap_begin;    // lowest byte of the heap, which ends with the page
  std::uint32_t heap_live;     // bytes of the heap that are referred to; the rest is holes
  std::uint32_t reserved[7];   // zero
};
static_assert(sizeof(PageHeader) == 64);
static_assert(offsetof(PageHeader, checksum) == 0);
static_assert(offsetof(PageHeader, birth) == 8);
static_assert(offsetof(PageHeader, page) == 16);
static_assert(offsetof(PageHeader, kind) == 20);
static_assert(offsetof(PageHeader, level) == 21);
static_assert(offsetof(PageHeader, flags) == 22);
static_assert(offsetof(PageHeader, entry_count) == 24);
static_assert(offsetof(PageHeader, prefix_bytes) == 26);
static_assert(offsetof(PageHeader, heap_begin) == 28);
static_assert(offsetof(PageHeader, heap_live) == 32);

// The second cache line of branches and leaves: head number (i + 1) × entry_count / 17 for i in
// [0, 16).
inline constexpr std::uint32_t kHintCount = 16;
inline constexpr std::uint32_t kHintsOffset = 64;

// Where the arrays of branches and leaves begin.
inline constexpr std::uint32_t kArraysOffset = 128;

// Deepest tree; levels run from kTreeHeightMax - 1 (root) down to 0.
inline constexpr std::uint32_t kTreeHeightMax = 20;

// Page number and low half of the birth of the page meant. The birth finds stale and misdirected
// pages for the price of a compare; whether a page may be reused is decided by the 64-bit birth in
// its header (rule 1), never by this.
struct PagePtr {
  std::uint32_t page = 0;
  std::uint32_t birth_low = 0;
  explicit operator bool() const noexcept { return page != 0; }
  friend bool operator==(const PagePtr&, const PagePtr&) = default;
};
static_assert(sizeof(PagePtr) == 8);

inline PagePtr pointer_to(PageId page, TxnId birth) noexcept {
  return {page.value, static_cast<std::uint32_t>(birth.value)};
}

// A tree's root and what it holds. Part of metas, of catalogue entries and of the shared region's
// states.
struct TreeRoot {
  PagePtr root;  // none: the tree is empty and every other field is zero
  std::uint64_t entry_count = 0;
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t extent_pages = 0;
  std::uint8_t height = 0;  // levels; the root's level is height - 1
  std::uint8_t reserved[7] = {};
};
static_assert(sizeof(TreeRoot) == 48);
static_assert(offsetof(TreeRoot, entry_count) == 8);
static_assert(offsetof(TreeRoot, branch_pages) == 16);
static_assert(offsetof(TreeRoot, leaf_pages) == 24);
static_assert(offsetof(TreeRoot, extent_pages) == 32);
static_assert(offsetof(TreeRoot, height) == 40);

// A value that lives in pages of its own: whole, contiguous, without header, the last page padded
// with zeros.
struct ExtentRef {
  std::uint64_t size_bytes = 0;
  std::uint32_t first_page = 0;
  std::uint32_t page_count = 0;
  std::uint64_t birth = 0;
  std::uint64_t checksum = 0;  // of the value's bytes
};
static_assert(sizeof(ExtentRef) == 32);
static_assert(offsetof(ExtentRef, first_page) == 8);
static_assert(offsetof(ExtentRef, page_count) == 12);
static_assert(offsetof(ExtentRef, birth) == 16);
static_assert(offsetof(ExtentRef, checksum) == 24);

// Bytes that two entries of equal size may take together in a leaf of this page size: the arrays'
// and heap's room.
inline constexpr std::uint32_t page_room_bytes(std::uint32_t page_bytes) noexcept {
  return page_bytes - kArraysOffset;
}

// Longest key: two entries with such keys and extent references fit one leaf, so every overfull
// page can be split in two (42 = head 4, offset 2, record header 4, extent reference 32).
inline constexpr std::uint32_t key_bytes_max(std::uint32_t page_bytes) noexcept {
  return page_room_bytes(page_bytes) / 2 - 42;
}

// A value stays in the leaf when it takes at most a quarter of the page and its whole entry at most
// half of the room.
inline constexpr bool is_inline(std::uint64_t key_bytes, std::uint64_t value_bytes,
                                std::uint32_t page_bytes) noexcept {
  return value_bytes <= page_bytes / 4 &&
         key_bytes + value_bytes + 10 <= page_room_bytes(page_bytes) / 2;
}

static_assert(key_bytes_max(4096) >= 1900);
static_assert(key_bytes_max(65536) >= 32000);

// Checksum of a page as the checkpoint stores it.
std::uint64_t page_checksum(const std::byte* page, std::uint32_t page_bytes,
                            std::uint64_t seed) noexcept;

}  // namespace quire::format
