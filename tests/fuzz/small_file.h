// A fresh database with a log of 64 KiB instead of 1 MiB, the same bytes every time: what seeds
// begin with, so that inputs stay small.
#pragma once

#include <cstdint>

#include "fuzz/fuzz_input.h"

namespace quire::fuzz {

inline constexpr std::uint64_t kSmallFileSeed = 0x5eed5eed5eed5eed;

FileBytes small_file(std::uint32_t page_bytes, std::uint32_t page_count);

}  // namespace quire::fuzz
