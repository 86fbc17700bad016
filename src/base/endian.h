// Fixed-width little-endian integers at any address. quire's structures are little-endian on disk
// and in the shared region; on the hosts it supports these are plain loads and stores.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace quire {

static_assert(std::endian::native == std::endian::little,
              "quire maps its structures: little-endian hosts only");

template <std::unsigned_integral T>
inline T load_le(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <std::unsigned_integral T>
inline void store_le(std::byte* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

// The first four bytes of `size` bytes as a big-endian number, short input padded with zeros:
// comparing two of these compares the bytes.
inline std::uint32_t head_of(const char* bytes, std::size_t size) noexcept {
  std::uint32_t head = 0;
  if (size >= 4) {
    std::memcpy(&head, bytes, 4);
  } else if (size > 0) {  // `bytes` may be the null pointer of an empty view
    std::memcpy(&head, bytes, size);
  }
  return __builtin_bswap32(head);
}

}  // namespace quire
