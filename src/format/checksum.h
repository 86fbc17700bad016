// XXH3-64 with a seed: the only hash in the file. The seed is random per file, so that bytes
// prepared elsewhere do not verify by accident; it is not a defence against somebody who can read
// the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace quire::format {

std::uint64_t checksum(const std::byte* bytes, std::size_t size_bytes, std::uint64_t seed) noexcept;

// The same of bytes that come one after the other. Threads: external synchronisation.
class RunningChecksum {
 public:
  explicit RunningChecksum(std::uint64_t seed);

  void add(const std::byte* bytes, std::size_t size_bytes) noexcept;

  // Of everything so far.
  std::uint64_t value() const noexcept;

 private:
  struct Freer {
    void operator()(void* state) const noexcept;
  };
  std::unique_ptr<void, Freer> state_;  // of the library that hashes
};

}  // namespace quire::format
