// What no store shows from outside: parts of quire.
#include "compare/workload.h"
#include "micro/pages_in_memory.h"

namespace compare {

namespace {

// Of 1 MiB, where a million pages are free of which no two are neighbours.
void allocate_run(Turn& turn) {
  constexpr std::uint32_t kHoles = 1'000'000;
  constexpr std::uint32_t kRunPages = 256;
  quire::bench::AllocatorInMemory allocator(2 * kHoles + 64 * kRunPages);
  quire::bench::scatter(allocator.get(), kHoles);
  std::chrono::nanoseconds taken{};
  std::uint64_t count = 0;
  for (const auto start = Clock::now(); Clock::now() - start < turn.time(); ++count) {
    const auto before = Clock::now();
    const auto first = allocator.get().allocate_run(kRunPages);
    taken += Clock::now() - before;
    require(first.has_value(), "no run is free");
    allocator.get().free_later({*first, kRunPages}, allocator.txn(), false);
    allocator.commit_and_sweep();
  }
  turn.report(static_cast<double>(taken.count()) / static_cast<double>(count));
}

}  // namespace

void add_parts(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "allocate-run",
                       .about = "quire's allocator alone: a run of 1 MiB in a file with a million "
                                "free pages of which no two are neighbours",
                       .run = allocate_run});
}

}  // namespace compare
