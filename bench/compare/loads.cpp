// Filling an empty store, to the durable end.
#include "compare/workload.h"

namespace compare {

namespace {

std::function<void(Turn&)> load(Order order) {
  return [=](Turn& turn) {
    const double seconds = turn.fixture().load(order);
    turn.report(seconds * 1e9 / static_cast<double>(turn.dataset().entry_count()));
    turn.fixture().close();
    turn.report(static_cast<double>(disk_bytes(turn.fixture().directory())), Unit::bytes, "size");
  };
}

}  // namespace

void add_loads(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "load-sorted",
                       .about = "all entries in the order of their keys",
                       .run = load(Order::sorted)});
  workloads.push_back(
      {.name = "load-random", .about = "all entries in random order", .run = load(Order::random)});
}

}  // namespace compare
