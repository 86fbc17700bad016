#include "compare/plan.h"

#include <algorithm>

namespace compare {

namespace {

using Names = std::vector<std::string>;

// Data come one after the other, so that no more than those of one kind lie in memory.
struct Chapter {
  KeyShape shape;
  std::size_t value_bytes;
  double scale;  // times the main number of entries
  bool in_memory;
  bool is_quick;
  Names peers;
  Names workloads;
};

// Those that targets are about, and those of them whose large stores fit into memory together.
const Names kNamedPeers = {"quire", "lmdb", "lmdb-writemap", "leveldb", "rocksdb", "wiredtiger"};
const Names kPeersOfMuch = {"quire", "lmdb", "lmdb-writemap", "leveldb", "rocksdb"};

const Names kReads = {"get-hit",     "get-hit-each", "get-miss",  "get-skewed", "get-many-8",
                      "get-many-32", "get-many-128", "scan",      "scan-back",  "range-10",
                      "range-100",   "snapshot",     "open-close"};
const Names kWrites = {"put-durable", "put-1000-durable", "put-relaxed", "put-1000-relaxed",
                       "erase-1000-relaxed"};
const Names kTogether = {"readers-1",
                         "readers-2",
                         "readers-4",
                         "readers-1-and-writer",
                         "readers-2-and-writer",
                         "readers-4-and-writer",
                         "committers-1-threads",
                         "committers-8-threads",
                         "committers-1-processes",
                         "committers-8-processes"};
const Names kAmounts = {"recover", "device-put-durable", "device-put-1000-durable", "memory-get",
                        "churn",   "memory-load"};
const Names kShapes = {"get-hit", "get-miss", "scan"};
const Names kSizes = {"load-random", "get-hit", "scan"};
const Names kLarge = {"get-large", "put-large"};
const Names kMuch = {"load-batches", "load-sorted", "load-random", "get-hit",
                     "get-miss",     "get-many-32", "scan",        "scan-back",
                     "range-100",    "open-close",  "put-relaxed"};

Names all_of(std::initializer_list<Names> lists) {
  Names all;
  for (const Names& names : lists) all.insert(all.end(), names.begin(), names.end());
  return all;
}

std::vector<Chapter> chapters() {
  using enum KeyShape;
  return {
      {random,
       100,
       1,
       false,
       true,
       {},
       all_of(
           {{"load-batches", "load-sorted", "load-random"}, kReads, kWrites, kTogether, kAmounts})},
      {random, 100, 0, false, true, {"quire"}, {"allocate-run"}},
      {random, 100, 1, true, true, kNamedPeers, {"put-relaxed", "put-1000-relaxed"}},
      {integer, 100, 1, false, true, kNamedPeers, kShapes},
      {url, 100, 1, false, true, kNamedPeers, kShapes},
      {random, 8, 1, false, false, kNamedPeers, kSizes},
      {random, 1000, 1, false, false, kNamedPeers, kSizes},
      {random, 64 << 10, 2e-3, false, true, kNamedPeers, kLarge},
      {random, 1 << 20, 128e-6, false, true, kNamedPeers, kLarge},
      {random, 16 << 20, 16e-6, false, false, kNamedPeers, kLarge},
      {random, 100, 10, false, false, kPeersOfMuch, kMuch},
  };
}

constexpr std::uint64_t kLargeEntriesMin = 4;

std::uint64_t entries_of(const Chapter& chapter, std::uint64_t entry_count) {
  return std::max(kLargeEntriesMin,
                  static_cast<std::uint64_t>(static_cast<double>(entry_count) * chapter.scale));
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
                       .entry_count = entries_of(chapter, entry_count),
                       .in_memory = chapter.in_memory,
                       .is_quick = chapter.is_quick,
                       .repetitions_max = loads_much ? 1u : 1000u,
                       .peers = chapter.peers});
    }
  }
  return steps;
}

}  // namespace compare
