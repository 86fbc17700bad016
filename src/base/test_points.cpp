#include "base/test_points.h"

#ifdef QUIRE_TEST_POINTS

namespace quire::test_points {

void (*reached)(const char* crash_point, std::uint64_t offset, std::uint64_t size_bytes) = nullptr;
std::string_view sabotage;
bool strain = false;

}  // namespace quire::test_points

#endif
