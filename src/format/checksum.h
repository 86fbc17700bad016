// XXH3-64 with a seed: the only hash in the file. The seed is random per file, so that bytes
// prepared elsewhere do not verify by accident; it is not a defence against somebody who can read
// the file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quire::format {

std::uint64_t checksum(const std::byte* bytes, std::size_t size_bytes, std::uint64_t seed) noexcept;

}  // namespace quire::format
