// Runs steps of the plan: peers take turns within each repetition, so that whatever else the
// machine does hits all of them.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "compare/plan.h"
#include "compare/results.h"
#include "compare/store.h"

namespace compare {

struct RunOptions {
  std::vector<Step> steps;
  std::vector<Peer> peers;
  unsigned repetitions = 5;
  std::chrono::milliseconds time{300};  // of each turn
  std::filesystem::path disk;           // where stores are made
  std::filesystem::path memory;         // a file system in memory
  bool keep = false;                    // what was filled for the next run
  std::function<void()> after_step = [] {};
};

// Says on stderr what it is doing. A peer that fails at a workload is left out of it, and said so;
// false then.
bool run(const RunOptions& options, Results& results);

}  // namespace compare
