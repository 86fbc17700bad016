// Which workloads run on which data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compare/data.h"

namespace compare {

struct Step {
  std::string workload;
  KeyShape shape = KeyShape::random;
  std::size_t value_bytes = 100;
  std::uint64_t entry_count = 0;
  bool in_memory = false;  // on the file system in memory
  bool is_quick = false;   // part of the quick run
  unsigned repetitions_max = 1000;
  std::vector<std::string> peers = {};  // only these; empty: all

  std::string data_label() const;  // "16+100/1M", "16+100/1M/shm"
  std::string series() const { return workload + "/" + data_label(); }
};

// All of them; `entry_count` is that of the main data, ten times as many that of the large ones.
std::vector<Step> plan(std::uint64_t entry_count);

}  // namespace compare
