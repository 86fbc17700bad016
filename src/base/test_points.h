// Where tests reach into the running code. A crash point names a step after which a process may be
// killed, stopped or overtaken; a sabotage is a mistake built in on purpose, to see that the tests
// notice it. Under strain it does often what it does seldom. They exist only in the library that
// tests/crash links (QUIRE_TEST_POINTS); everywhere else they compile to nothing.
//
// Threads: the hooks are set while no database is open.
#pragma once

#include <cstdint>
#include <string_view>

namespace quire {

#ifdef QUIRE_TEST_POINTS

namespace test_points {
// Null: go on. `offset` and `size_bytes` only where the step is about a range of the file.
extern void (*reached)(const char* crash_point, std::uint64_t offset, std::uint64_t size_bytes);
extern std::string_view sabotage;  // the one that is in force; empty: none
extern bool strain;                // what is seldom done is done often
}  // namespace test_points

inline void crash_point(const char* name, std::uint64_t offset = 0, std::uint64_t size_bytes = 0) {
  if (test_points::reached != nullptr) test_points::reached(name, offset, size_bytes);
}

inline bool sabotaged(std::string_view name) noexcept { return test_points::sabotage == name; }
inline bool is_strained() noexcept { return test_points::strain; }

#else

constexpr void crash_point(const char*, std::uint64_t = 0, std::uint64_t = 0) noexcept {}
constexpr bool sabotaged(std::string_view) noexcept { return false; }
constexpr bool is_strained() noexcept { return false; }

#endif

}  // namespace quire
