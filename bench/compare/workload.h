// A workload is a function that lets one peer work for a while and reports what it cost. Files
// `WORKLOADS.cpp` hold groups of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compare/data.h"
#include "compare/fixture.h"
#include "compare/results.h"

namespace compare {

using Clock = std::chrono::steady_clock;

// What all peers' turns on one dataset share.
class Keys {
 public:
  explicit Keys(const Dataset& dataset) : dataset_(dataset) {}
  KeyList& of(Choice choice);

 private:
  const Dataset& dataset_;
  std::unique_ptr<KeyList> lists_[3];
};

// One peer's turn at one workload: who works where, for how long, and where the figures go.
class Turn {
 public:
  Turn(Fixture& fixture, Keys& keys, unsigned repetition, std::chrono::nanoseconds time)
      : fixture_(fixture), keys_(keys), repetition_(repetition), time_(time) {}

  Fixture& fixture() noexcept { return fixture_; }
  const Peer& peer() const noexcept { return fixture_.peer(); }
  const Dataset& dataset() const noexcept { return fixture_.dataset(); }
  Session& session(Durability durability = Durability::full) {
    return fixture_.session(durability);
  }
  // The same keys in the same order for every peer, others in each repetition.
  KeyList& keys(Choice choice);
  Random random() const noexcept { return Random(repetition_ + 100); }
  bool is_first() const noexcept { return repetition_ == 0; }
  std::chrono::nanoseconds time() const noexcept { return time_; }

  void report(double value, Unit unit = Unit::nanoseconds, std::string metric = {}) {
    figures_.push_back({std::move(metric), value, unit});
  }

  struct Figure {
    std::string metric;  // of several: behind a colon in the name of the series
    double value;
    Unit unit;
  };
  const std::vector<Figure>& figures() const noexcept { return figures_; }

 private:
  Fixture& fixture_;
  Keys& keys_;
  unsigned repetition_;
  std::chrono::nanoseconds time_;
  std::vector<Figure> figures_;
};

struct Workload {
  std::string name;
  std::string about;
  std::function<void(Turn&)> run;
  bool changes = false;         // the entries: comes after those that do not
  bool many_processes = false;  // only for peers that can
  // What the machine does without any store, measured in the same turns.
  std::string reference_name = {};
  std::function<void(Turn&)> reference = nullptr;
};

std::vector<Workload> all_workloads();
void add_reads(std::vector<Workload>& workloads);
void add_scans(std::vector<Workload>& workloads);
void add_writes(std::vector<Workload>& workloads);
void add_loads(std::vector<Workload>& workloads);
void add_large(std::vector<Workload>& workloads);
void add_openings(std::vector<Workload>& workloads);
void add_parts(std::vector<Workload>& workloads);
void add_space(std::vector<Workload>& workloads);
void add_processes(std::vector<Workload>& workloads);

// Calls `body`, which says how many operations it has done, until the time is over.
// Returns nanoseconds for each.
template <typename Body>
double nanoseconds_each(std::chrono::nanoseconds time, Body body) {
  std::uint64_t count = 0;
  const auto start = Clock::now();
  auto now = start;
  do {
    count += static_cast<std::uint64_t>(body());
    now = Clock::now();
  } while (now - start < time);
  return std::chrono::duration<double, std::nano>(now - start).count() /
         static_cast<double>(std::max<std::uint64_t>(count, 1));
}

}  // namespace compare
