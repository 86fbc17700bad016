// Filling an empty store, to the durable end.
#include "compare/changes.h"
#include "compare/workload.h"

namespace compare {

namespace {

constexpr std::size_t kBatch = 10'000;

void report(Turn& turn, std::chrono::duration<double, std::nano> taken) {
  turn.report(taken.count() / static_cast<double>(turn.dataset().entry_count()));
  turn.report(static_cast<double>(disk_bytes(turn.fixture().directory())), Unit::bytes, "size");
}

std::function<void(Turn&)> load(Order order) {
  return
      [=](Turn& turn) { report(turn, std::chrono::duration<double>(turn.fixture().load(order))); };
}

void load_in_batches(Turn& turn) {
  turn.fixture().empty();
  const std::uint64_t entry_count = turn.dataset().entry_count();
  Batches batches(turn.dataset(), std::min<std::uint64_t>(kBatch, entry_count));
  std::chrono::nanoseconds taken{};
  {
    const auto store = turn.peer().open(turn.fixture().opening(Durability::relaxed));
    const auto session = store->session();
    const auto start = Clock::now();
    for (std::uint64_t i = 0; i < entry_count; i += kBatch) session->put(batches.from(i));
    store->settle();
    taken = Clock::now() - start;
    come_to_rest(turn.fixture().directory());
  }
  report(turn, taken);
  turn.fixture().spoil();
}

}  // namespace

void add_loads(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "load-batches",
                       .about = "all entries in random order in relaxed transactions of 10,000",
                       .run = load_in_batches});
  workloads.push_back({.name = "load-sorted",
                       .about = "all entries in the order of their keys",
                       .run = load(Order::sorted)});
  workloads.push_back({.name = "load-random",
                       .about = "all entries in random order, in one transaction where the store "
                                "has such",
                       .run = load(Order::random)});
}

}  // namespace compare
