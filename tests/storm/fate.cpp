#include "storm/fate.h"

#include <atomic>
#include <string_view>
#include <unordered_map>

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/test_points.h"
#include "support/random.h"

namespace quire::storm {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kSnapshotsToSee = 20;

// What this process is about, as the crash points that it has passed tell. Its checkpointer passes
// some too, on a thread of its own.
struct Standing {
  std::atomic<bool> is_alone;        // others wait until it has opened, or closed, the database
  std::atomic<bool> is_clearing_up;  // after somebody who died
  std::atomic<bool> has_writer_lock;
};

World* the_world = nullptr;
Fate the_fate;
std::atomic<std::uint64_t> visits_left;  // of the point where it ends
Standing standing;

void keep_standing(std::string_view name) {
  if (name == "region: emptied"sv) standing.is_alone = standing.is_clearing_up = true;
  if (name == "close: data file locked"sv || name == "close: lock file let go"sv) {
    standing.is_alone = true;
  }
  if (name == "open: ready"sv) standing.is_alone = standing.is_clearing_up = false;
  if (name == "rollback: death found"sv) standing.is_clearing_up = true;
  if (name == "rollback: death settled"sv) standing.is_clearing_up = false;
  if (name == "writer: lock taken"sv) standing.has_writer_lock = true;
  if (name == "writer: left"sv) standing.has_writer_lock = false;
}

bool clears_up_at(std::string_view name) {
  return standing.is_clearing_up || name.starts_with("reader: dead"sv) ||
         name.starts_with("redirty:"sv);
}

void die_at(Point* point, std::string_view name) {
  if (point != nullptr) {
    point->kills.fetch_add(1);
    if (clears_up_at(name)) point->nested_kills.fetch_add(1);
  }
  ::kill(::getpid(), SIGKILL);
}

// Whoever stands still, readers go on. So do writers beside a reader, and beside a leader of a
// flush that has let the next writer in.
bool leaves_writers_alone(std::string_view name) {
  if (standing.has_writer_lock) return false;
  return name.starts_with("flush:"sv) ||
         (the_fate.role == Role::reader &&
          (name.starts_with("reader: slot"sv) || name.starts_with("reader: published"sv) ||
           name.starts_with("snapshot:"sv)));
}

void stand_still_at(Point* point, const char* name) {
  Held& held = the_world->held;
  std::uint32_t nobody = 0;
  if (standing.is_alone || point == nullptr ||
      !held.pid.compare_exchange_strong(nobody, static_cast<std::uint32_t>(::getpid()))) {
    return;
  }
  point->stops.fetch_add(1);
  held.point.store(point->name.data());
  held.commits_wanted.store(
      leaves_writers_alone(name) ? the_world->full_commits.load() + the_fate.commits_to_see : 0);
  held.snapshots_wanted.store(the_world->snapshots.load() + kSnapshotsToSee);
  ::raise(SIGSTOP);
}

void pause_at(std::string_view name) {
  thread_local test::Random pauses{the_fate.seed + 1};
  if (the_fate.slow_at != nullptr && name == the_fate.slow_at) {
    ::usleep(static_cast<useconds_t>(pauses.below(1500)));
  }
  if (pauses.one_in(200)) ::usleep(static_cast<useconds_t>(pauses.below(1000)));
  if (pauses.one_in(40'000)) ::usleep(150'000);  // longer than anybody waits for another
}

void reached(const char* name, std::uint64_t, std::uint64_t) {
  thread_local std::unordered_map<const char*, Point*> known;
  const auto [entry, is_new] = known.try_emplace(name, nullptr);
  if (is_new) entry->second = the_world->point(name);
  Point* const point = entry->second;
  keep_standing(name);
  if (point != nullptr) {
    point->reached[static_cast<std::size_t>(the_fate.role)].fetch_add(1, std::memory_order_relaxed);
  }
  if (the_fate.ends_at != nullptr && std::string_view{name} == the_fate.ends_at &&
      visits_left.fetch_sub(1) == 1) {
    if (the_fate.only_stands_still) {
      stand_still_at(point, name);
    } else {
      die_at(point, name);
    }
  }
  pause_at(name);
}

void die_after(std::uint64_t micros) {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer = {};
  ::timer_create(CLOCK_MONOTONIC, &event, &timer);
  itimerspec when = {};
  constexpr std::uint64_t kMicrosPerSecond = 1'000'000;
  when.it_value.tv_sec = static_cast<time_t>(micros / kMicrosPerSecond);
  when.it_value.tv_nsec = static_cast<long>(micros % kMicrosPerSecond * 1000 + 1);
  ::timer_settime(timer, 0, &when, nullptr);
}

}  // namespace

void meet(World& world, const Fate& fate) {
  the_world = &world;
  the_fate = fate;
  visits_left = fate.ends_on_visit;
  standing.is_alone = standing.is_clearing_up = standing.has_writer_lock = false;
  test_points::reached = reached;
  if (fate.dies_after_micros != 0) die_after(fate.dies_after_micros);
}

void meet_nothing_more() noexcept { test_points::reached = nullptr; }

void never_stand_still() noexcept {
  if (the_fate.only_stands_still) the_fate.ends_at = nullptr;
}

}  // namespace quire::storm
