#include "base/test_points.h"

#ifdef QUIRE_TEST_POINTS

namespace quire::test_points {

void (*reached)(const char* crash_point) = nullptr;
std::string_view sabotage;

}  // namespace quire::test_points

#endif
