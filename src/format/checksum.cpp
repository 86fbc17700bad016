#include "format/checksum.h"

#include <xxhash.h>

namespace quire::format {

std::uint64_t checksum(const std::byte* bytes, std::size_t size_bytes,
                       std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes, size_bytes, seed);
}

}  // namespace quire::format
