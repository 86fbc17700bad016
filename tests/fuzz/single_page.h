// An input of the pages' target: the file is two pages of one size.
#pragma once

#include <cstdint>

#include "fuzz/fuzz_input.h"
#include "fuzz/mutate.h"

namespace quire::fuzz {

// Makes the file two pages of a valid size, which it returns.
std::uint32_t normalise_pages(Input& input);

void mutate_single_pages(Input& input, const RawMutation& raw, Random& random);

}  // namespace quire::fuzz
