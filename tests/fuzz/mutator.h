// What libFuzzer calls to change an input; the plain build, which only replays inputs, has none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "fuzz/fuzz_input.h"
#include "fuzz/mutate.h"

#ifdef QUIRE_FUZZER

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size_bytes,
                                        std::size_t max_bytes);

namespace quire::fuzz {

// The encoded input at `data`; the bytes as they were when it takes more than `max_bytes`.
inline std::size_t put_back(const Input& input, std::uint8_t* data, std::size_t size_bytes,
                            std::size_t max_bytes) {
  const std::string encoded = encode(input);
  if (encoded.size() > max_bytes) return size_bytes;
  std::memcpy(data, encoded.data(), encoded.size());
  return encoded.size();
}

// Decodes, lets `mutate(input, random)` change what was decoded, encodes.
template <typename Mutate>
std::size_t mutate_input(std::uint8_t* data, std::size_t size_bytes, std::size_t max_bytes,
                         unsigned seed, Mutate mutate) {
  Random random{seed};
  Input input = decode(data, size_bytes);
  mutate(input, random);
  return put_back(input, data, size_bytes, max_bytes);
}

}  // namespace quire::fuzz

#define QUIRE_FUZZ_MUTATE(mutate)                                                            \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size_bytes, \
                                                 std::size_t max_bytes, unsigned seed) {     \
    return quire::fuzz::mutate_input(data, size_bytes, max_bytes, seed, mutate);             \
  }

#define QUIRE_FUZZ_MUTATE_DATABASE                                                         \
  QUIRE_FUZZ_MUTATE([](quire::fuzz::Input& input, quire::fuzz::Random& random) {           \
    quire::fuzz::mutate_database(input, LLVMFuzzerMutate, random);                         \
  })                                                                                       \
  extern "C" std::size_t LLVMFuzzerCustomCrossOver(                                        \
      const std::uint8_t* first, std::size_t first_bytes, const std::uint8_t* second,      \
      std::size_t second_bytes, std::uint8_t* out, std::size_t max_bytes, unsigned seed) { \
    quire::fuzz::Random random{seed};                                                      \
    quire::fuzz::Input input = quire::fuzz::decode(first, first_bytes);                    \
    quire::fuzz::cross_over(input, quire::fuzz::decode(second, second_bytes), random);     \
    return quire::fuzz::put_back(input, out, 0, max_bytes);                                \
  }

#else

#define QUIRE_FUZZ_MUTATE(mutate)
#define QUIRE_FUZZ_MUTATE_DATABASE

#endif
