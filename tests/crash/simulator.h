// Runs workloads on a machine, crashes them at every moment in many ways, and judges what is there
// when the database is opened again.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "crash/images.h"
#include "crash/machine.h"
#include "crash/workload.h"

namespace quire::crash {

struct SimulatorOptions {
  std::uint64_t seed = 1;
  std::uint64_t states = 100'000;  // distinct ones to judge
  std::uint64_t seconds_max = 0;   // 0: no limit
  unsigned depth = 2;  // 1: crashes of workloads, 2: crashes of recoveries from those as well, ...
  unsigned part = 0;   // this process takes every `parts`-th workload, from the part-th on
  unsigned parts = 1;
  std::int64_t only_workload = -1;  // of `round`, to replay
  std::uint64_t round = 0;          // the first one
  bool is_traced = false;           // prints every moment
};

struct Counts {
  std::uint64_t workloads = 0;
  std::uint64_t moments = 0;      // at which a crash was tried
  std::uint64_t power_cuts = 0;   // distinct files left by a power cut
  std::uint64_t kills = 0;        // distinct page caches left by killed processes
  std::uint64_t damaged = 0;      // distinct files with one damaged place
  std::uint64_t in_recovery = 0;  // of all these, how many crashed a recovery
  std::uint64_t faulty = 0;       // whose first recovery met a bad or full disk
  std::uint64_t states() const noexcept { return power_cuts + kills + damaged; }
};

class Simulator {
 public:
  explicit Simulator(const SimulatorOptions& options);

  // Until there are `states` states or the time is over. Throws Failure: what is not as promised,
  // and how to see it again.
  Counts run();

 private:
  struct Base {
    std::vector<Page> pages;
    Model model;
  };
  // A recovery that is being judged, and what may come out of it.
  struct Case {
    const Cut* cut;
    const History* history;
    Damage damage;
    bool is_kill;
    bool has_torn_meta;
    unsigned depth;
    std::uint64_t hash;  // of the state that was left
  };

  Base make_base(std::uint64_t first_txn);
  std::vector<Step> steps_of(std::uint64_t workload, Random& random) const;
  void run_workload(std::uint64_t workload, std::uint64_t round);
  void explore(const std::vector<Cut>& cuts, const History& history, unsigned depth);
  void explore_power(const Cut& cut, const History& history, unsigned depth);
  void explore_kill(const Cut& cut, const History& history, unsigned depth);
  void judge_image(const Image& image, const Case& which);
  void judge(const Case& which);
  void recover_into_a_fault(const Case& which);
  std::size_t open_and_find(const Case& which, std::uint64_t* hash);
  void expect_sound(const char* when, bool may_miss_a_meta);
  bool write_and_erase(const Case& which, std::uint64_t hash);
  void judge_recorded(const Case& which);
  bool is_new(std::uint64_t hash) { return seen_.insert(hash).second; }
  void trace(const std::string& place);
  void find_torn_metas();
  void watch_torn_metas();
  void record(std::vector<Cut>* cuts, const History* history, const Window* fixed);

  SimulatorOptions options_;
  Machine machine_;
  std::vector<Base> bases_;
  Random random_;
  Counts counts_;
  std::uint64_t growth_ = 1;  // each round looks at more moments, and at more ways to crash at each
  std::unordered_set<std::uint64_t> seen_;
  std::vector<std::pair<std::size_t, ContentId>> torn_metas_;  // of the recovery that is recorded
  bool is_torn_meta_touched_ = false;
  std::uint64_t checkpoints_before_ = 0;
};

}  // namespace quire::crash
