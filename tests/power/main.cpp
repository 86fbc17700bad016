// Usage: test-power [--cuts N] [--seed S] [GoogleTest's options]
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include "power/options.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const bool is_known = name == "--cuts" || name == "--seed";
    if (!is_known || i + 1 == argc) {
      std::fprintf(stderr, "usage: %s [--cuts N] [--seed S]\n", argv[0]);
      return 2;
    }
    std::uint64_t& place =
        name == "--cuts" ? quire::test::power_options.cuts : quire::test::power_options.seed;
    place = std::strtoull(argv[i + 1], nullptr, 10);
  }
  return RUN_ALL_TESTS();
}
