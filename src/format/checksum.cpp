#include "format/checksum.h"

#include <new>

#include <xxhash.h>

namespace quire::format {

std::uint64_t checksum(const std::byte* bytes, std::size_t size_bytes,
                       std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes, size_bytes, seed);
}

namespace {

XXH3_state_t* state_of(void* state) noexcept { return static_cast<XXH3_state_t*>(state); }

}  // namespace

void RunningChecksum::Freer::operator()(void* state) const noexcept {
  XXH3_freeState(state_of(state));
}

RunningChecksum::RunningChecksum(std::uint64_t seed) : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_64bits_reset_withSeed(state_of(state_.get()), seed);
}

void RunningChecksum::add(const std::byte* bytes, std::size_t size_bytes) noexcept {
  XXH3_64bits_update(state_of(state_.get()), bytes, size_bytes);
}

std::uint64_t RunningChecksum::value() const noexcept {
  return XXH3_64bits_digest(state_of(state_.get()));
}

}  // namespace quire::format
