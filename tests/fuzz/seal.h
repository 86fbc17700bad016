// Recomputes the checksums of a file after an edit, so that a fuzzer gets past them: extent
// references in leaves and log records, tree pages, space map pages, the chain of log records,
// metas.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fuzz/fuzz_input.h"

namespace quire::fuzz {

void seal_file(FileBytes& file);

// The records of a ring, from position `from` on. `renumber` gives them consecutive transaction ids
// as well.
struct LogStart {
  std::uint64_t position = 0;
  std::uint64_t chain = 0;
  std::uint64_t txn = 0;
  std::uint32_t epoch = 0;
  std::uint64_t seed = 0;
};
void seal_ring(std::byte* ring, std::size_t ring_bytes, const LogStart& start, bool renumber);

}  // namespace quire::fuzz
