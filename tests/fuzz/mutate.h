// Edits that know what stands in a file: the mutators of the fuzz targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "fuzz/fuzz_input.h"
#include "fuzz/layout.h"
#include "support/random.h"

namespace quire::fuzz {

using test::Random;

// Changes up to `size_bytes` bytes at will and returns how many there are now, at most `max_bytes`:
// LLVMFuzzerMutate.
using RawMutation =
    std::function<std::size_t(std::uint8_t* data, std::size_t size_bytes, std::size_t max_bytes)>;

// Replaces a number of `width` bytes by one that is likely to hurt.
void hurt_number(std::byte* at, std::size_t width, Random& random);

// One edit each. `page` is a branch or a leaf.
void mutate_page(std::byte* page, std::uint32_t page_bytes, Random& random);
void mutate_meta(const Layout& layout, FileBytes& file, Random& random);
void mutate_log(const Layout& layout, Random& random);
void mutate_tree(const Layout& layout, Random& random);  // pointers, births, whole pages, space map

// One edit of one record of a ring that begins at `position`.
void mutate_ring(std::byte* ring, std::size_t ring_bytes, std::uint64_t position, Random& random);

// A few edits of a database file or of the program, then the checksums.
void mutate_database(Input& input, const RawMutation& raw, Random& random);

// Edits of a lock file where its words stand, and of the program.
void mutate_lock_file(Input& input, const RawMutation& raw, Random& random);

// Pages of `other` take the place of pages of `input`, or its program that of the program.
void cross_over(Input& input, const Input& other, Random& random);

}  // namespace quire::fuzz
