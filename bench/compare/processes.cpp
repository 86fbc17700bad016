// Several at once: readers, readers beside a writer, committers; and how much memory one takes.
#include <string>

#include "compare/worker.h"

namespace compare {

namespace {

// Stores that only one process may open get threads in the place of processes.
Job job_for(const Turn& turn, Action action, Durability durability, unsigned count) {
  const bool processes = turn.peer().many_processes;
  return {.action = action,
          .durability = durability,
          .process_count = processes ? count : 1,
          .thread_count = processes ? 1 : count};
}

std::function<void(Turn&)> readers(unsigned count) {
  return [=](Turn& turn) {
    turn.fixture().store(Durability::relaxed);
    const auto outcomes = run_jobs(turn, {job_for(turn, Action::get, Durability::relaxed, count)});
    turn.report(outcomes[0].nanoseconds_each);
  };
}

std::function<void(Turn&)> readers_and_writer(unsigned count) {
  return [=](Turn& turn) {
    turn.fixture().store(Durability::relaxed);
    std::vector<Job> jobs{job_for(turn, Action::get, Durability::relaxed, count)};
    if (turn.peer().many_processes) {
      jobs.push_back(job_for(turn, Action::put, Durability::relaxed, 1));
    } else {
      jobs.front().putter_count = 1;
    }
    const auto outcomes = run_jobs(turn, jobs);
    turn.report(outcomes[0].nanoseconds_each);
    turn.report(outcomes[1].nanoseconds_each, Unit::nanoseconds, "writer");
    come_to_rest(turn.fixture().directory());
  };
}

std::function<void(Turn&)> committers(unsigned processes, unsigned threads) {
  return [=](Turn& turn) {
    turn.fixture().store(Durability::full);
    const auto outcomes = run_jobs(turn, {{.action = Action::put,
                                           .durability = Durability::full,
                                           .process_count = processes,
                                           .thread_count = threads}});
    turn.report(outcomes[0].nanoseconds_each);
    const auto& latencies = outcomes[0].latencies;
    if (latencies.empty()) return;
    turn.report(latencies[latencies.size() / 2], Unit::nanoseconds, "p50");
    turn.report(latencies[latencies.size() * 99 / 100], Unit::nanoseconds, "p99");
    come_to_rest(turn.fixture().directory());
  };
}

void report_memory(Turn& turn, const Outcome& outcome) {
  turn.report(static_cast<double>(outcome.private_bytes), Unit::bytes);
  turn.report(static_cast<double>(outcome.mapped_bytes), Unit::bytes, "mapped");
}

void memory_of_load(Turn& turn) {
  turn.fixture().empty();
  report_memory(turn, run_jobs(turn, {{.action = Action::load}})[0]);
}

void memory_of_get(Turn& turn) {
  turn.fixture().store(Durability::full);
  report_memory(turn, run_jobs(turn, {{.action = Action::get}})[0]);
}

}  // namespace

void add_processes(std::vector<Workload>& workloads) {
  for (const unsigned count : {1u, 2u, 4u}) {
    const std::string name = "readers-" + std::to_string(count);
    workloads.push_back({.name = name,
                         .about = "so many processes look up random keys (threads where a store "
                                  "is for one process); time of all together for each",
                         .run = readers(count)});
    workloads.push_back({.name = name + "-and-writer",
                         .about = "the same while another one commits single relaxed puts",
                         .run = readers_and_writer(count),
                         .changes = true});
  }
  for (const unsigned count : {1u, 8u}) {
    const std::string name = "committers-" + std::to_string(count);
    workloads.push_back({.name = name + "-threads",
                         .about = "so many threads commit single durable puts",
                         .run = committers(1, count),
                         .changes = true});
    workloads.push_back({.name = name + "-processes",
                         .about = "so many processes commit single durable puts",
                         .run = committers(count, 1),
                         .changes = true,
                         .many_processes = true});
  }
  workloads.push_back({.name = "memory-get",
                       .about = "memory of a process that looks up random keys, at most: its own, "
                                "and of mapped files",
                       .run = memory_of_get});
  workloads.push_back({.name = "memory-load",
                       .about = "the same of one that loads",
                       .run = memory_of_load,
                       .changes = true});
}

}  // namespace compare
