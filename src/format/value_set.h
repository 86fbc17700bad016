// The values of a key in a multimap: as a packed set in the leaf while they are few, else as a
// reference to a tree of their own, whose keys they are.
//
//   0         u16 count          never 0
//   2         u16 end[count]     of each value, counted from the first value's first byte
//   2 + 2n    the values, ascending, one behind the other
//
// Threads and trust: as in leaf.h; `page` is the leaf that holds the bytes, and is named by Damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/endian.h"
#include "format/damage.h"
#include "format/page.h"

namespace quire::format {

inline constexpr std::uint32_t kSetHeaderBytes = 2;
inline constexpr std::uint32_t kSetSlotBytes = 2;  // besides each value's bytes

// Longest set of a key: what may stand in a leaf beside it. At least sub_tree_bytes.
inline constexpr std::uint32_t set_bytes_max(std::uint32_t key_bytes,
                                             std::uint32_t page_bytes) noexcept {
  const std::uint32_t beside_key = page_room_bytes(page_bytes) / 2 - 10 - key_bytes;
  return beside_key < page_bytes / 4 ? beside_key : page_bytes / 4;
}

// A set that is read. A small value; valid as long as the page's memory.
class ValueSet {
 public:
  // Judges count and length.
  ValueSet(const std::byte* page, std::string_view bytes);

  std::uint32_t count() const noexcept { return count_; }
  std::string_view bytes() const noexcept { return bytes_; }
  std::string_view value(std::uint32_t index) const;

  // The first value that is not less than `value`, or count(), and whether it is that very value.
  struct Position {
    std::uint32_t index;
    bool found;
  };
  Position lower_bound(std::string_view value) const;

  // Throws Damage unless all values are in order and inside.
  void judge() const;

  std::uint32_t bytes_with(std::string_view value) const noexcept {
    return static_cast<std::uint32_t>(bytes_.size() + value.size()) + kSetSlotBytes;
  }

 private:
  std::uint32_t end(std::uint32_t index) const noexcept {
    return load_le<std::uint16_t>(reinterpret_cast<const std::byte*>(bytes_.data()) +
                                  kSetHeaderBytes + std::size_t{index} * kSetSlotBytes);
  }

  const std::byte* page_;
  std::string_view bytes_;
  std::uint32_t count_;
  std::uint32_t values_;  // where the first one begins
};

// Builds a set at `at` by appending values in order. `count` says how many will come.
class ValueSetWriter {
 public:
  ValueSetWriter(std::byte* at, std::uint32_t count) noexcept;
  void append(std::string_view value) noexcept;
  std::string_view bytes() const noexcept;

 private:
  std::byte* at_;
  std::uint32_t count_;
  std::uint32_t written_ = 0;
  std::uint32_t end_ = 0;
};

// Put the set `set` with `value` before value `index`, or without value `index` (not its only one),
// to `at`, outside of it.
std::string_view set_with(const ValueSet& set, std::uint32_t index, std::string_view value,
                          std::byte* at);
std::string_view set_without(const ValueSet& set, std::uint32_t index, std::byte* at);

// A reference to a tree of values, as it stands in a leaf.
//
//   0   root: page pointer      16  branch pages, 4     24  height, 1
//   8   entries, 8              20  leaf pages, 4       25  zero, 3
inline constexpr std::uint32_t kSubTreeBytes = 28;
static_assert(kSubTreeBytes != sizeof(ExtentRef), "the two are told apart by their lengths");
static_assert(is_inline(key_bytes_max(kPageBytesMin), kSubTreeBytes, kPageBytesMin));
static_assert(set_bytes_max(key_bytes_max(kPageBytesMin), kPageBytesMin) >= kSubTreeBytes);

// Nothing where the bytes contradict themselves.
std::optional<TreeRoot> decode_sub_tree(std::string_view bytes) noexcept;

// Requires a tree with entries and without extents.
void encode_sub_tree(const TreeRoot& tree, std::byte* at) noexcept;

}  // namespace quire::format
