#include "compare/runner.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

#include "compare/fixture.h"
#include "compare/workload.h"

namespace compare {

namespace {

// The stores of all peers with one kind of data.
class Stage {
 public:
  Stage(const Step& step, const RunOptions& options)
      : dataset_(step.shape, step.value_bytes, step.entry_count),
        keys_(dataset_),
        root_(step.in_memory ? options.memory : options.disk),
        is_kept_(options.keep && !step.in_memory) {
    if (!is_kept_) return;
    root_ /= dataset_.label();
    std::filesystem::create_directories(root_);
  }

  Fixture& fixture(const Peer& peer) {
    auto& fixture = fixtures_[peer.name];
    if (!fixture) {
      fixture = std::make_unique<Fixture>(peer, dataset_, root_ / peer.name, is_kept_);
    }
    return *fixture;
  }
  Keys& keys() noexcept { return keys_; }

 private:
  Dataset dataset_;
  Keys keys_;
  std::filesystem::path root_;
  bool is_kept_;
  std::map<std::string, std::unique_ptr<Fixture>> fixtures_;
};

class Runner {
 public:
  Runner(const RunOptions& options, Results& results) : options_(options), results_(results) {}

  bool run() {
    for (const Step& step : options_.steps) {
      if (!stage_ || label_ != step.data_label()) {
        stage_.reset();
        stage_ = std::make_unique<Stage>(step, options_);
        label_ = step.data_label();
      }
      run(step);
      options_.after_step();
    }
    return is_complete_;
  }

 private:
  void run(const Step& step) {
    const auto workloads = all_workloads();
    const auto workload = std::find_if(workloads.begin(), workloads.end(),
                                       [&](const auto& one) { return one.name == step.workload; });
    require(workload != workloads.end(), "no workload " + step.workload);
    std::vector<const Peer*> peers;
    for (const Peer& peer : options_.peers) {
      if (takes_part(peer, step, *workload) && prepare(peer, step)) peers.push_back(&peer);
    }
    const unsigned repetitions = std::min(options_.repetitions, step.repetitions_max);
    for (unsigned repetition = 0; repetition < repetitions && !peers.empty(); ++repetition) {
      std::cerr << step.series() << ' ' << repetition + 1 << " of " << repetitions << '\n';
      const auto first = static_cast<std::ptrdiff_t>(repetition % peers.size());
      std::rotate(peers.begin(), peers.begin() + first, peers.end());
      if (workload->reference) {
        turn(*peers.front(), workload->reference_name, step, workload->reference, repetition);
      }
      for (const Peer*& peer : peers) {
        if (workload->changes) stage_->fixture(*peer).will_change();
        if (!turn(*peer, peer->name, step, workload->run, repetition)) peer = nullptr;
      }
      std::erase(peers, nullptr);
    }
  }

  static bool takes_part(const Peer& peer, const Step& step, const Workload& workload) {
    if (workload.many_processes && !peer.many_processes) return false;
    const auto& cannot = peer.cannot;
    if (std::find(cannot.begin(), cannot.end(), step.workload) != cannot.end()) return false;
    const auto& names = step.peers;
    if (!names.empty() && std::find(names.begin(), names.end(), peer.name) == names.end()) {
      return false;
    }
    const bool only_reads = !workload.changes && !step.workload.starts_with("load");
    return !(only_reads && peer.only_writes_differ);
  }

  // Fills the store before the clock runs, unless that is what is to be measured.
  bool prepare(const Peer& peer, const Step& step) {
    if (step.workload.starts_with("load")) return true;
    try {
      stage_->fixture(peer).store(Durability::full);
      return true;
    } catch (const std::exception& error) {
      complain(peer.name, step, error);
      return false;
    }
  }

  bool turn(const Peer& peer, const std::string& name, const Step& step,
            const std::function<void(Turn&)>& work, unsigned repetition) {
    try {
      Turn turn(stage_->fixture(peer), stage_->keys(), repetition, options_.time);
      work(turn);
      for (const auto& figure : turn.figures()) {
        const std::string metric = figure.metric.empty() ? "" : ":" + figure.metric;
        results_.add({step.series() + metric, name, figure.unit, figure.value});
      }
      return true;
    } catch (const std::exception& error) {
      complain(name, step, error);
      stage_->fixture(peer).spoil();
      return false;
    }
  }

  void complain(const std::string& name, const Step& step, const std::exception& error) {
    const std::string text = name + " left out of " + step.series() + ": " + error.what();
    std::cerr << text << '\n';
    results_.note(text);
    is_complete_ = false;
  }

  const RunOptions& options_;
  Results& results_;
  std::unique_ptr<Stage> stage_;
  std::string label_;  // of the data in it
  bool is_complete_ = true;
};

}  // namespace

bool run(const RunOptions& options, Results& results) { return Runner(options, results).run(); }

}  // namespace compare
