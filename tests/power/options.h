// What the command line says about how long power is cut.
#pragma once

#include <cstdint>

namespace quire::test {

struct PowerOptions {
  std::uint64_t cuts = 160;  // on each file system
  std::uint64_t seed = 0;    // 0: $QUIRE_SEED, or the clock
};
inline PowerOptions power_options;

}  // namespace quire::test
