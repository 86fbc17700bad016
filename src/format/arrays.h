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

// Hint `index` is a copy of the head with this number; behind the last hint: count. A constant
// divides, and no branch depends on where a key lies.
inline constexpr std::uint32_t hinted_index(std::uint32_t count, std::uint32_t index) noexcept {
  return (index + 1) * count / kHintedCountMin;
}

// Within [first, count]; `first` is 0 or 1.
inline HeadRange hinted_range(const std::byte* page, std::uint32_t first, std::uint32_t count,
                              std::uint32_t head) noexcept {
  HeadRange range{first, count};
  if (count >= kHintedCountMin) [[likely]] {
    const auto* hints = reinterpret_cast<const std::uint32_t*>(page + kHintsOffset);
    static_assert(kHintCount == kHeadsAtOnce);
    const std::uint32_t less = count_less(hints, head);
    range.low = less * count / kHintedCountMin + (first | static_cast<std::uint32_t>(less != 0));
    range.high = hinted_index(count, less);
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
  return count < kHintedCountMin ? 0 : heads[hinted_index(count, hint_index)];
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

// A key that is looked for: its first 8 bytes stand in a register, so that pages with short
// prefixes are searched without looking at it again. As valid as the key's bytes.
class SearchKey {
 public:
  explicit SearchKey(std::string_view key) noexcept : bytes_(key) {
    if (key.size() >= 8) [[likely]] {
      std::memcpy(&word_, key.data(), 8);
    } else if (!key.empty()) {
      std::memcpy(&word_, key.data(), key.size());
    }
    word_ = __builtin_bswap64(word_);
    prefix_bytes_max_ = key.size() > 8 ? 4 : std::min<std::uint32_t>(bytes_size(), 7);
  }

  std::string_view bytes() const noexcept { return bytes_; }

  // Whether `quick_head_after` is allowed: prefix and head stand in the register.
  bool has_quick_head(std::uint32_t prefix_bytes) const noexcept {
    return prefix_bytes <= prefix_bytes_max_;
  }
  std::uint32_t quick_head_after(std::uint32_t prefix_bytes) const noexcept {
    return static_cast<std::uint32_t>(word_ << prefix_bytes * 8 >> 32);
  }

  // True when it has a quick head behind these bytes, with which it begins. At least 8 bytes can be
  // read there.
  bool may_begin_with(const std::byte* prefix, std::uint32_t prefix_bytes) const noexcept {
    std::uint64_t word;
    std::memcpy(&word, prefix, sizeof word);
    const std::uint64_t differs = word_ ^ __builtin_bswap64(word);
    return has_quick_head(prefix_bytes) && differs >> 1 >> (63 - prefix_bytes * 8) == 0;
  }

  // True for equal keys of 8 to 16 bytes; false for others and when they differ.
  bool is_quickly_equal(const std::byte* key, std::size_t key_bytes) const noexcept {
    if (key_bytes != bytes_.size() || key_bytes - 8 > 8) return false;
    const auto differs = [&](std::size_t at) {
      std::uint64_t left;
      std::uint64_t right;
      std::memcpy(&left, key + at, 8);
      std::memcpy(&right, bytes_.data() + at, 8);
      return left ^ right;
    };
    return (differs(0) | differs(key_bytes - 8)) == 0;
  }

  // Requires as many bytes.
  std::uint32_t head_after(std::uint32_t prefix_bytes) const noexcept {
    if (prefix_bytes <= prefix_bytes_max_) [[likely]] {
      return static_cast<std::uint32_t>(word_ << prefix_bytes * 8 >> 32);
    }
    return head_of(bytes_.data() + prefix_bytes, bytes_.size() - prefix_bytes);
  }

  // Order to the `prefix_bytes` at `prefix`, as far as these go. At least 8 bytes can be read
  // there.
  int compare_prefix(const std::byte* prefix, std::uint32_t prefix_bytes) const noexcept {
    if (prefix_bytes <= prefix_bytes_max_) [[likely]] {
      std::uint64_t word;
      std::memcpy(&word, prefix, sizeof word);
      const std::uint64_t differs = word_ ^ __builtin_bswap64(word);
      if (differs >> 1 >> (63 - prefix_bytes * 8) == 0) [[likely]]
        return 0;
    }
    return bytes_.substr(0, prefix_bytes).compare(view_of(prefix, prefix_bytes));
  }

 private:
  std::uint32_t bytes_size() const noexcept { return static_cast<std::uint32_t>(bytes_.size()); }

  std::string_view bytes_;
  std::uint64_t word_ = 0;          // big-endian, padded with zeros
  std::uint32_t prefix_bytes_max_;  // such a prefix and the head behind it stand in `word_`
};

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
