#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace quire {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "quire: assertion failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace quire
