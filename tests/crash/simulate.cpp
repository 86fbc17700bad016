// Crashes a simulated machine in as many ways as asked, and says what it has found.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include <CLI/CLI.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_points.h"
#include "crash/simulator.h"

namespace quire::crash {
namespace {

int run_part(const SimulatorOptions& options) {
  try {
    const Counts counts = Simulator(options).run();
    std::cout << counts.workloads << " workloads, " << counts.moments << " moments, "
              << counts.states() << " distinct states judged (" << counts.power_cuts
              << " power cuts, " << counts.kills << " kills, " << counts.damaged << " damaged; "
              << counts.in_recovery << " of them in a recovery, " << counts.faulty
              << " recovered on a bad or full disk)" << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::cout << "FAILED: " << error.what() << std::endl;
    return 1;
  }
}

int run_parts(const SimulatorOptions& options) {
  for (unsigned part = 0; part < options.parts; ++part) {
    std::cout.flush();
    if (::fork() != 0) continue;
    SimulatorOptions own = options;
    own.part = part;
    own.states = options.states / options.parts;
    ::_exit(run_part(own));
  }
  int failed = 0;
  for (int status = 0; ::wait(&status) > 0;) failed |= status;
  return failed != 0 ? 1 : 0;
}

}  // namespace
}  // namespace quire::crash

int main(int argc, char** argv) {
  using namespace quire;
  crash::SimulatorOptions options;
  std::string sabotage;
  bool is_strained = false;
  CLI::App app{"Crashes a simulated machine under quire and judges every recovery.", "simulate"};
  app.add_option("--states", options.states, "Distinct states to judge")->capture_default_str();
  app.add_option("--seconds", options.seconds_max, "Stop after this time, whatever was reached");
  app.add_option("--seed", options.seed, "Of all that is random")->capture_default_str();
  app.add_option("--depth", options.depth, "2: recoveries are crashed too, 3: theirs as well")
      ->capture_default_str();
  app.add_option("--jobs", options.parts, "Processes that share the work")->capture_default_str();
  app.add_option("--round", options.round, "First round; each crashes every moment in more ways");
  app.add_option("--workload", options.only_workload, "Only this one, of one round");
  app.add_flag("--trace", options.is_traced, "Print every moment and what the metas say then");
  app.add_flag("--strain", is_strained, "Checkpoints come early and move the log");
  app.add_option("--sabotage", sabotage, "Builds a mistake in (base/test_points.h)");
  CLI11_PARSE(app, argc, argv);
  test_points::sabotage = sabotage;
  test_points::strain = is_strained;
  if (options.parts > 1) return crash::run_parts(options);
  return crash::run_part(options);
}
