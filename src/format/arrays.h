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
#include "format/count_less.h"
#include "format/page.h"

namespace quire::format {

inline PageHeader& header_of(std::byte* page) noexcept {
  return *reinterpret_cast<PageHeader*>(page);
}

inline const PageHeader& header_of(const std::byte* page) noexcept {
  return *reinterpret_cast<const PageHeader*>(page);
}

// What is loaded from memory at once, for prefetching; on most machines.
inline constexpr std::uint32_t kCacheLineBytes = 64;

// Pages with fewer entries have no hints.
inline constexpr std::uint32_t kHintedCountMin = kHintCount + 1;

// Where a head stands, as far as the hints tell: the first head that is not less than it has an
// index in [low, high].
struct HeadRange {
  std::uint32_t low;
  std::uint32_t high;
};

// Within [first, count].
inline HeadRange hinted_range(const std::byte* page, std::uint32_t first, std::uint32_t count,
                              std::uint32_t head) noexcept {
  HeadRange range{first, count};
  if (count >= kHintedCountMin) {
    const auto* hints = reinterpret_cast<const std::uint32_t*>(page + kHintsOffset);
    static_assert(kHintCount == kHeadsAtOnce);
    const std::uint32_t less = count_less(hints, head);
    const std::uint32_t step = count / kHintedCountMin;
    range.low = less * step + (less > 0 ? 1 : first);
    range.high = less < kHintCount ? (less + 1) * step : count;
  }
  return range;
}

// Index of the first head that is not less than `head`, given that heads rise. If they do not, the
// answer is still in [first, count]. No branch depends on heads: it would be guessed wrong half the
// time.
inline std::uint32_t lower_bound_head(const std::uint32_t* heads, HeadRange range,
                                      std::uint32_t count, std::uint32_t head) noexcept {
  const std::uint32_t* at = heads + range.low;
  std::uint32_t left = range.high - range.low;
  // A page with hints has more bytes behind its heads than are read too many here.
  const std::uint32_t counted = count >= kHintedCountMin ? kHeadsAtOnce : 0;
  while (left > counted) {
    const std::uint32_t half = (left + 1) / 2;
    at += half & (0u - static_cast<std::uint32_t>(at[half - 1] < head));
    left -= half;
  }
  const std::uint32_t less = counted == 0 ? 0 : std::min(count_less(at, head), left);
  return static_cast<std::uint32_t>(at - heads) + less;
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

// Short keys without a call.
inline bool is_equal(std::string_view a, std::string_view b) noexcept {
  constexpr std::size_t kShortBytes = 64;
  if (a.size() != b.size()) return false;
  if (a.size() < 8 || a.size() > kShortBytes) return a == b;
  const auto word_differs = [&](std::size_t at) {
    std::uint64_t left;
    std::uint64_t right;
    std::memcpy(&left, a.data() + at, 8);
    std::memcpy(&right, b.data() + at, 8);
    return left ^ right;
  };
  std::uint64_t differs = word_differs(a.size() - 8);
  for (std::size_t at = 0; at + 8 < a.size(); at += 8) differs |= word_differs(at);
  return differs == 0;
}

// Order of a key to the `prefix_bytes` at `prefix`, as far as these go; mostly without a call. At
// least 8 bytes can be read at `prefix`.
inline int compare_prefix(std::string_view key, const std::byte* prefix,
                          std::uint32_t prefix_bytes) noexcept {
  if (prefix_bytes > 8 || key.size() < 8) {
    return key.substr(0, prefix_bytes).compare(view_of(prefix, prefix_bytes));
  }
  const auto first_bytes = [&](const void* bytes) {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    return prefix_bytes == 0 ? 0 : __builtin_bswap64(word) >> (64 - prefix_bytes * 8);
  };
  const std::uint64_t left = first_bytes(key.data());
  const std::uint64_t right = first_bytes(prefix);
  return left < right ? -1 : left > right ? 1 : 0;
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
