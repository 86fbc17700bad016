// Random numbers that a printed seed brings back, and bytes that a number brings back.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

namespace quire::test {

// splitmix64: small, fast, good enough to choose operations with.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // In [0, bound); 0 for bound 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }

  // In [first, last].
  std::uint64_t between(std::uint64_t first, std::uint64_t last) noexcept {
    return first + below(last - first + 1);
  }

  // True once in `n` calls on average.
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

// $QUIRE_SEED replays a run; otherwise the clock decides. Printed, so that a failure can be
// replayed.
inline std::uint64_t choose_seed(const char* test) {
  const char* given = std::getenv("QUIRE_SEED");
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10)
                                              : static_cast<std::uint64_t>(now) % 1'000'000'007;
  std::cout << test << ": QUIRE_SEED=" << seed << std::endl;
  return seed;
}

// `size_bytes` bytes that follow from the seed; different seeds differ in every 8 bytes.
inline std::string pattern(std::size_t size_bytes, std::uint64_t seed) {
  std::string bytes(size_bytes, '\0');
  Random random{seed};
  for (std::size_t at = 0; at < size_bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size_bytes - at));
  }
  return bytes;
}

// Eight bytes that sort as the number does.
inline std::string big_endian(std::uint64_t number) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(number >> (56 - 8 * i) & 0xff);
  return bytes;
}

}  // namespace quire::test
