// Reading in order. Nanoseconds for each entry.
#include <limits>
#include <string>

#include "compare/workload.h"

namespace compare {

namespace {

std::function<void(Turn&)> scan(Direction direction) {
  return [=](Turn& turn) {
    Session& session = turn.session();
    session.scan(direction, 10'000);
    turn.report(nanoseconds_each(turn.time(), [&] {
      const Seen seen = session.scan(direction, std::numeric_limits<std::uint64_t>::max());
      require(seen.entry_count >= turn.dataset().entry_count(), "a scan has left out entries");
      return seen.entry_count;
    }));
  };
}

std::function<void(Turn&)> range(std::uint64_t length) {
  return [=](Turn& turn) {
    Session& session = turn.session();
    KeyList& keys = turn.keys(Choice::present);
    turn.report(nanoseconds_each(turn.time(), [&] {
      const Seen seen = session.ranges(keys.next(64), length);
      require(seen.entry_count > 0, "ranges are empty");
      return seen.entry_count;
    }));
  };
}

}  // namespace

void add_scans(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "scan", .about = "all entries", .run = scan(Direction::forward)});
  workloads.push_back({.name = "scan-back",
                       .about = "all entries from the last to the first",
                       .run = scan(Direction::backward)});
  for (const std::uint64_t length : {10u, 100u}) {
    workloads.push_back({.name = "range-" + std::to_string(length),
                         .about = "so many entries from random keys on",
                         .run = range(length)});
  }
}

}  // namespace compare
