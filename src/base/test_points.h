// Where tests reach into the running code. A crash point names a step after which a process may be
// killed, stopped or overtaken; a sabotage is a mistake built in on purpose, to see that the tests
// notice it. Both exist only in the library that tests/crash links (QUIRE_TEST_POINTS); everywhere
// else they compile to nothing.
//
// Threads: the hooks are set while no database is open.
#pragma once

#include <string_view>

namespace quire {

#ifdef QUIRE_TEST_POINTS

namespace test_points {
extern void (*reached)(const char* crash_point);  // null: go on
extern std::string_view sabotage;                 // the one that is in force; empty: none
}  // namespace test_points

inline void crash_point(const char* name) {
  if (test_points::reached != nullptr) test_points::reached(name);
}

inline bool sabotaged(std::string_view name) noexcept { return test_points::sabotage == name; }

#else

constexpr void crash_point(const char*) noexcept {}
constexpr bool sabotaged(std::string_view) noexcept { return false; }

#endif

}  // namespace quire
