// What stands between two states of a file, as a stream: a header, runs of pages, an end.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/meta.h"

namespace quire::format {

inline constexpr std::uint64_t kIncrementMagic = 0x0a1a0d2b72697571;  // "quir+\r\x1a\n", as stored
inline constexpr std::uint32_t kIncrementVersion = 1;

struct IncrementHeader {
  std::uint64_t magic = kIncrementMagic;
  std::uint32_t version = kIncrementVersion;
  std::uint32_t reserved = 0;
  std::uint64_t from_txn = 0;    // state that it begins from
  std::uint64_t page_count = 0;  // pages that follow, in all runs
  Meta meta;                     // of the state that it leads to, but for its maps and its log
  std::uint64_t checksum = 0;    // XXH3 of the bytes before this field, seed 0
};
static_assert(sizeof(IncrementHeader) == 304);
static_assert(offsetof(IncrementHeader, from_txn) == 16);
static_assert(offsetof(IncrementHeader, page_count) == 24);
static_assert(offsetof(IncrementHeader, meta) == 32);
static_assert(offsetof(IncrementHeader, checksum) == 296);

std::uint64_t increment_checksum(const IncrementHeader& header) noexcept;

// Behind the header come runs: a StoredRun and its pages; one of no pages ends them. Then 8 bytes:
// XXH3 of everything before, header included, with the seed of the meta.

}  // namespace quire::format
