// What leaves and branches have in common: the search among heads, the hints in the second cache
// line, and the moving of packed arrays. Pure functions over memory; nothing here trusts what the
// arrays contain.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/endian.h"
#include "format/page.h"

namespace quire::format {

inline PageHeader& header_of(std::byte* page) noexcept {
  return *reinterpret_cast<PageHeader*>(page);
}

inline const PageHeader& header_of(const std::byte* page) noexcept {
  return *reinterpret_cast<const PageHeader*>(page);
}

// Pages with fewer entries have no hints.
inline constexpr std::uint32_t kHintedCountMin = kHintCount + 1;

// Index in [first, count] of the first head that is not less than `head`, given that heads [first,
// count) rise. If they do not, the answer is still in that range.
inline std::uint32_t lower_bound_head(const std::byte* page, const std::uint32_t* heads,
                                      std::uint32_t first, std::uint32_t count,
                                      std::uint32_t head) noexcept {
  std::uint32_t low = first;
  std::uint32_t high = count;
  if (count >= kHintedCountMin) {
    const auto* hints = reinterpret_cast<const std::uint32_t*>(page + kHintsOffset);
    std::uint32_t less = 0;
    for (std::uint32_t i = 0; i < kHintCount; ++i) less += hints[i] < head ? 1 : 0;
    const std::uint32_t step = count / kHintedCountMin;
    if (less > 0) low = less * step + 1;
    if (less < kHintCount) high = (less + 1) * step;
  }
  const std::uint32_t* at = heads + low;
  for (std::uint32_t left = high - low; left > 0;) {
    const std::uint32_t half = (left + 1) / 2;
    at += at[half - 1] < head ? half : 0;
    left -= half;
  }
  return static_cast<std::uint32_t>(at - heads);
}

inline std::uint32_t hint_for(const std::uint32_t* heads, std::uint32_t count,
                              std::uint32_t hint_index) noexcept {
  const std::uint32_t index = (hint_index + 1) * (count / kHintedCountMin);
  return count < kHintedCountMin ? 0 : heads[index];
}

inline void store_hints(std::byte* page, const std::uint32_t* heads, std::uint32_t count) noexcept {
  auto* hints = reinterpret_cast<std::uint32_t*>(page + kHintsOffset);
  for (std::uint32_t i = 0; i < kHintCount; ++i) hints[i] = hint_for(heads, count, i);
}

// Moves an array of `count` elements of `width` bytes from `from` to `to` >= `from`, leaving room
// for one more before element `index`.
inline void open_gap(std::byte* to, const std::byte* from, std::size_t width, std::size_t count,
                     std::size_t index) noexcept {
  std::memmove(to + (index + 1) * width, from + index * width, (count - index) * width);
  std::memmove(to, from, index * width);
}

// Moves an array of `count` elements of `width` bytes from `from` to `to` <= `from`, leaving
// element `index` out.
inline void close_gap(std::byte* to, const std::byte* from, std::size_t width, std::size_t count,
                      std::size_t index) noexcept {
  std::memmove(to, from, index * width);
  std::memmove(to + index * width, from + (index + 1) * width, (count - index - 1) * width);
}

// memcpy that takes the null pointer of an empty view.
inline void copy_bytes(std::byte* to, std::string_view bytes) noexcept {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

inline std::string_view view_of(const std::byte* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

// Leading bytes that both share.
inline std::uint32_t common_prefix_bytes(std::string_view a, std::string_view b) noexcept {
  const std::size_t limit = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (; i + 8 <= limit; i += 8) {
    std::uint64_t left;
    std::uint64_t right;
    std::memcpy(&left, a.data() + i, 8);
    std::memcpy(&right, b.data() + i, 8);
    if (left != right) {
      return static_cast<std::uint32_t>(i) +
             static_cast<std::uint32_t>(std::countr_zero(left ^ right)) / 8;
    }
  }
  while (i < limit && a[i] == b[i]) ++i;
  return static_cast<std::uint32_t>(i);
}

}  // namespace quire::format
