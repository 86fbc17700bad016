// Opening, closing, recovering; beginning to read.
#include <string>

#include "compare/worker.h"

namespace compare {

namespace {

constexpr std::uint64_t kSnapshotsAtATime = 1000;
constexpr std::uint64_t kRecordsToReplay = 50'000;

void open_and_close(Turn& turn) {
  turn.fixture().store(Durability::full);
  turn.fixture().close();
  const Opening opening = turn.fixture().opening(Durability::full);
  const auto open = turn.peer().open;
  open(opening);
  turn.report(nanoseconds_each(turn.time(), [&] {
    open(opening);
    return 1;
  }));
}

void snapshots(Turn& turn) {
  Session& session = turn.session();
  session.snapshots(kSnapshotsAtATime);
  turn.report(nanoseconds_each(turn.time(), [&] {
    session.snapshots(kSnapshotsAtATime);
    return kSnapshotsAtATime;
  }));
}

// A process puts and is killed; then the clock runs while the store is opened. What the store has
// written out for good before that is not replayed: the puts are few enough for a log that holds
// them all where that is larger than a few megabytes.
void recover(Turn& turn) {
  turn.fixture().store(Durability::relaxed).settle();
  const std::uint64_t count = std::min(kRecordsToReplay, turn.dataset().entry_count());
  run_jobs(turn, {{.action = Action::die, .durability = Durability::relaxed, .put_count = count}});
  const Opening opening = turn.fixture().opening(Durability::relaxed);
  const auto start = Clock::now();
  const auto store = turn.peer().open(opening);
  const std::chrono::duration<double, std::nano> took = Clock::now() - start;
  turn.report(took.count() / static_cast<double>(count));
  come_to_rest(turn.fixture().directory());
}

}  // namespace

void add_openings(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "snapshot",
                       .about = "begins and ends a snapshot, reading nothing",
                       .run = snapshots});
  workloads.push_back({.name = "open-close",
                       .about = "opens and closes a store that was closed in order",
                       .run = open_and_close});
  workloads.push_back({.name = "recover",
                       .about = "opens a store whose process was killed after single relaxed "
                                "puts; time for each of them",
                       .run = recover,
                       .changes = true});
}

}  // namespace compare
