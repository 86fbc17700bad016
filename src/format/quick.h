// Lookups in pages as most are: hinted branches and leaves of few entries, with short prefixes. The
// same as BranchView and LeafView would find, by less code; what it gains: btree/README.md, What
// was tried. Other pages are left to the views.
//
// Threads and trust: as in leaf.h, but nothing throws: a page that contradicts itself is not as
// most are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/endian.h"
#include "format/arrays.h"
#include "format/branch.h"
#include "format/leaf.h"
#include "format/page.h"

namespace quire::format {

// The child that `key` belongs to, as the bytes of its pointer; 0: ask BranchView.
[[gnu::always_inline]] inline std::uint64_t quick_child(const std::byte* page,
                                                        std::uint32_t page_bytes,
                                                        const SearchKey& key) noexcept {
  const std::uint32_t count = header_of(page).entry_count;
  const std::uint32_t prefix_bytes = header_of(page).prefix_bytes;
  const BranchArrays arrays(count, prefix_bytes);
  if (count < kHintedCountMin || arrays.end > page_bytes ||
      !key.may_begin_with(page + kArraysOffset, prefix_bytes)) [[unlikely]] {
    return 0;
  }
  const std::uint32_t head = key.quick_head_after(prefix_bytes);
  const auto* hints = reinterpret_cast<const std::uint32_t*>(page + kHintsOffset);
  const auto* heads = reinterpret_cast<const std::uint32_t*>(page + arrays.heads);
  const std::uint32_t low = count_less(hints, head) * count / kHintedCountMin + 1;
  const std::byte* children = page + arrays.child(low);  // loaded while heads are counted
  __builtin_prefetch(children);
  __builtin_prefetch(children + kCacheLineBytes);
  const std::uint32_t less = count_less(heads + low, head);
  const std::uint32_t index = std::min(low + less, count);
  if (less == kHeadsAtOnce || heads[index] == head) [[unlikely]]
    return 0;
  return load_le<std::uint64_t>(page + arrays.child(index - 1));
}

enum class QuickFind : std::uint8_t { found, absent, unknown };  // unknown: ask LeafView

// A value that stands in the leaf.
[[gnu::always_inline]] inline QuickFind quick_find(const std::byte* page, std::uint32_t page_bytes,
                                                   const SearchKey& key,
                                                   std::string_view& value) noexcept {
  const std::uint32_t count = header_of(page).entry_count;
  const std::uint32_t prefix_bytes = header_of(page).prefix_bytes;
  if (count - 1 >= 2 * kHeadsAtOnce || !key.has_quick_head(prefix_bytes)) [[unlikely]]
    return QuickFind::unknown;
  const std::uint32_t head = key.quick_head_after(prefix_bytes);
  const auto* heads = reinterpret_cast<const std::uint32_t*>(page + kArraysOffset);
  const std::uint32_t index = count_less_twice(heads, head);
  if (index >= count || heads[index] != head) return QuickFind::absent;
  const std::uint32_t offset = load_le<std::uint16_t>(page + leaf_offset_at(count, index));
  if (offset < header_of(page).heap_begin || offset + kLeafRecordBytes > page_bytes) [[unlikely]]
    return QuickFind::unknown;
  const std::uint32_t key_bytes = load_le<std::uint16_t>(page + offset);
  const std::uint32_t value_bytes = load_le<std::uint16_t>(page + offset + 2);
  const std::uint32_t value_offset = offset + kLeafRecordBytes + key_bytes;
  if (value_offset + value_bytes > page_bytes || value_bytes >= kValueInPages ||
      !key.is_quickly_equal(page + offset + kLeafRecordBytes, key_bytes)) [[unlikely]] {
    return QuickFind::unknown;
  }
  value = view_of(page + value_offset, value_bytes);
  return QuickFind::found;
}

}  // namespace quire::format
