#include "compare/workload.h"

namespace compare {

namespace {

constexpr std::size_t kKeyCount = 1'000'000;
constexpr std::size_t kKeysBetweenRepetitions = 137'000;

}  // namespace

KeyList& Keys::of(Choice choice) {
  auto& list = lists_[static_cast<std::size_t>(choice)];
  if (!list) {
    const auto count = std::min<std::uint64_t>(kKeyCount, 10 * dataset_.entry_count());
    list = std::make_unique<KeyList>(choose_keys(dataset_, choice, count, 7));
  }
  return *list;
}

KeyList& Turn::keys(Choice choice) {
  KeyList& list = keys_.of(choice);
  list.seek(repetition_ * kKeysBetweenRepetitions);
  return list;
}

std::vector<Workload> all_workloads() {
  std::vector<Workload> workloads;
  add_loads(workloads);
  add_reads(workloads);
  add_scans(workloads);
  add_writes(workloads);
  add_processes(workloads);
  add_large(workloads);
  add_openings(workloads);
  add_space(workloads);
  add_parts(workloads);
  return workloads;
}

}  // namespace compare
