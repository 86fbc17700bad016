// An input of the log's target: the file is the ring, the program says where its log begins.
#pragma once

#include <cstddef>

#include "fuzz/fuzz_input.h"
#include "fuzz/mutate.h"
#include "fuzz/seal.h"

namespace quire::fuzz {

// A multiple of 4096, as rings are.
std::size_t ring_bytes_of(const Input& input);

LogStart log_start_of(const Input& input);

Input make_ring(std::size_t size_bytes, const LogStart& start);

void mutate_log_input(Input& input, const RawMutation& raw, Random& random);

}  // namespace quire::fuzz
