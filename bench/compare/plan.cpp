#include "compare/plan.h"

namespace compare {

namespace {

// Data come one after the other, so that no more than those of one kind lie in memory.
struct Chapter {
  KeyShape shape;
  std::size_t value_bytes;
  unsigned scale;  // times the main number of entries
  bool in_memory;
  bool is_quick;
  bool few_peers;
  std::vector<std::string> workloads;
};

std::vector<Chapter> chapters() {
  return {
      {KeyShape::random,
       100,
       1,
       false,
       true,
       false,
       {"load-sorted", "load-random", "get-hit", "get-hit-each", "get-miss", "get-skewed",
        "get-many-8", "get-many-32", "get-many-128", "scan", "scan-back", "range-10", "range-100",
        "put-durable", "put-1000-durable", "put-relaxed", "put-1000-relaxed",
        "erase-1000-relaxed"}},
      {KeyShape::random, 100, 1, true, true, true, {"put-relaxed", "put-1000-relaxed"}},
      {KeyShape::integer, 100, 1, false, true, true, {"get-hit", "get-miss", "scan"}},
      {KeyShape::url, 100, 1, false, true, true, {"get-hit", "get-miss", "scan"}},
      {KeyShape::random, 8, 1, false, false, true, {"load-random", "get-hit", "scan"}},
      {KeyShape::random, 1000, 1, false, false, true, {"load-random", "get-hit", "scan"}},
      {KeyShape::random,
       100,
       10,
       false,
       false,
       true,
       {"load-sorted", "load-random", "get-hit", "get-miss", "get-many-32", "scan", "scan-back",
        "range-100", "put-relaxed"}},
  };
}

}  // namespace

std::string Step::data_label() const {
  return Dataset(shape, value_bytes, entry_count).label() + (in_memory ? "/shm" : "");
}

std::vector<Step> plan(std::uint64_t entry_count) {
  std::vector<Step> steps;
  for (const Chapter& chapter : chapters()) {
    for (const std::string& workload : chapter.workloads) {
      const bool loads_much = chapter.scale > 1 && workload.starts_with("load");
      steps.push_back({.workload = workload,
                       .shape = chapter.shape,
                       .value_bytes = chapter.value_bytes,
                       .entry_count = entry_count * chapter.scale,
                       .in_memory = chapter.in_memory,
                       .is_quick = chapter.is_quick,
                       .repetitions_max = loads_much ? 1u : 1000u,
                       .few_peers = chapter.few_peers});
    }
  }
  return steps;
}

}  // namespace compare
