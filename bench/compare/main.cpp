// bench-compare: quire and its peers side by side. See bench/README.md.
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fnmatch.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compare/plan.h"
#include "compare/runner.h"
#include "compare/targets.h"
#include "compare/worker.h"
#include "compare/workload.h"

namespace compare {

namespace {

struct Arguments {
  std::vector<std::string> workloads;
  std::string peers = "all";
  std::uint64_t entry_count = 1'000'000;
  unsigned repetitions = 5;
  unsigned milliseconds = 0;
  std::filesystem::path disk;
  std::filesystem::path memory = "/dev/shm";
  std::filesystem::path csv;
  std::filesystem::path report;
  bool keep = false;
  bool quick = false;
  bool list = false;
};

// "get-hit", "get-*", "get-hit/16+100/10M"
bool matches(const Step& step, const std::string& pattern) {
  return step.workload == pattern || ::fnmatch(pattern.c_str(), step.workload.c_str(), 0) == 0 ||
         ::fnmatch(pattern.c_str(), step.series().c_str(), 0) == 0;
}

std::vector<Step> chosen_steps(const Arguments& arguments) {
  std::vector<Step> steps;
  for (const Step& step : plan(arguments.entry_count)) {
    const bool is_named =
        arguments.workloads.empty() ||
        std::any_of(arguments.workloads.begin(), arguments.workloads.end(),
                    [&](const std::string& pattern) { return matches(step, pattern); });
    if (is_named && (step.is_quick || !arguments.quick)) steps.push_back(step);
  }
  require(!steps.empty(), "no workload has such a name; --list shows them");
  return steps;
}

std::vector<Peer> chosen_peers(const Arguments& arguments) {
  if (arguments.peers == "all") return all_peers();
  std::vector<Peer> peers;
  std::istringstream names(arguments.peers);
  for (std::string name; std::getline(names, name, ',');) {
    const auto found = std::find_if(all_peers().begin(), all_peers().end(),
                                    [&](const Peer& peer) { return peer.name == name; });
    require(found != all_peers().end(), "built without a peer " + name);
    peers.push_back(*found);
  }
  return peers;
}

void list() {
  for (const auto& workload : all_workloads()) {
    std::cout << workload.name << ": " << workload.about << '\n';
  }
  std::cout << '\n';
  for (const Step& step : plan(1'000'000)) {
    std::cout << step.series() << (step.is_quick ? "" : " (not in a quick run)") << '\n';
  }
  std::cout << '\n';
  for (const Peer& peer : all_peers()) std::cout << peer.name << ": " << peer.settings << '\n';
}

std::string machine() {
  utsname system{};
  ::uname(&system);
  return std::string(system.sysname) + " " + system.release + ", " + system.machine + ", " +
         std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + " processors";
}

bool measure(const Arguments& arguments, Results& results) {
  const std::string own_name = "quire-compare-" + std::to_string(::getpid());
  const auto parent =
      arguments.disk.empty() ? std::filesystem::temp_directory_path() : arguments.disk;
  const Scratch disk(arguments.keep ? parent : parent / own_name, arguments.keep);
  const Scratch memory(arguments.memory / own_name);
  RunOptions options{.steps = chosen_steps(arguments),
                     .peers = chosen_peers(arguments),
                     .repetitions = arguments.repetitions,
                     .time = std::chrono::milliseconds(arguments.quick ? 100 : 300),
                     .disk = disk.directory(),
                     .memory = memory.directory(),
                     .keep = arguments.keep,
                     .after_step = [&] {
                       if (!arguments.csv.empty()) results.write(arguments.csv);
                     }};
  if (arguments.milliseconds != 0) options.time = std::chrono::milliseconds(arguments.milliseconds);
  results.note(machine());
  for (const Peer& peer : options.peers) results.note(peer.name + ": " + peer.settings);
  return run(options, results);
}

int compare_all(const Arguments& arguments) {
  if (arguments.list) {
    list();
    return 0;
  }
  Results results;
  bool is_complete = true;
  if (!arguments.report.empty()) {
    results.read(arguments.report);
  } else {
    if (!arguments.csv.empty() && std::filesystem::exists(arguments.csv))
      results.read(arguments.csv);
    is_complete = measure(arguments, results);
  }
  results.print_table(std::cout);
  std::cout << '\n';
  print_targets(results, std::cout);
  return is_complete ? 0 : 1;
}

}  // namespace

}  // namespace compare

int main(int argc, char** argv) {
  if (compare::is_worker(argc, argv)) return compare::work(argc, argv);
  compare::Arguments arguments;
  CLI::App app{
      "Runs quire and its peers on the same workloads, in turns, and says how they compare."};
  app.add_option("workload", arguments.workloads,
                 "names or patterns, also of series as in get-hit/16+100/10M; default: all");
  app.add_option("--peers", arguments.peers, "only these, with commas between them");
  app.add_option("--entries", arguments.entry_count, "of the main data; large data: ten times")
      ->check(CLI::Range(std::uint64_t{1000}, std::uint64_t{1'000'000'000}));
  app.add_option("--repetitions", arguments.repetitions, "turns of each peer");
  app.add_option("--time", arguments.milliseconds, "of a turn in milliseconds");
  app.add_option("--scratch", arguments.disk, "directory for stores, on the disk to measure");
  app.add_option("--memory", arguments.memory, "directory for stores in memory");
  app.add_option("--csv", arguments.csv,
                 "write samples to this file; added to those that it has already");
  app.add_option("--report", arguments.report, "measure nothing, report what is in this file");
  app.add_flag("--keep", arguments.keep, "leave filled stores in --scratch, and take those there");
  app.add_flag("--quick", arguments.quick, "short turns, and large data left out");
  app.add_flag("--list", arguments.list, "say what there is");
  CLI11_PARSE(app, argc, argv);
  try {
    return compare::compare_all(arguments);
  } catch (const std::exception& error) {
    std::cerr << "bench-compare: " << error.what() << '\n';
    return 1;
  }
}
