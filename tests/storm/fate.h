// What happens to a process of a storm at crash points: it dies, stands still until others have
// gone on, or pauses so that others overtake it there.
//
// Threads: `meet` and the others by one at a time; crash points are passed by any.
#pragma once

#include <cstdint>

#include "storm/world.h"

namespace quire::storm {

struct Fate {
  Role role = Role::reader;
  std::uint64_t seed = 0;
  const char* slow_at = nullptr;    // crash point at which it pauses each time; null: none
  const char* ends_at = nullptr;    // crash point at which it dies or stands still; null: none
  std::uint64_t ends_on_visit = 1;  // 1: the first time that it is reached
  bool only_stands_still = false;
  std::uint64_t commits_to_see = 2;     // while it stands still, where others can commit
  std::uint64_t dies_after_micros = 0;  // at whatever instruction; 0: does not
};

// Lets it happen to this process from now on, and not any more.
void meet(World& world, const Fate& fate);
void meet_nothing_more() noexcept;

// In a child that was forked on the way: it may die, but nobody would let it go on.
void never_stand_still() noexcept;

}  // namespace quire::storm
