// Work in processes of their own: this program starts itself anew for each, so that no store has
// to survive a fork.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compare/store.h"
#include "compare/workload.h"

namespace compare {

enum class Action : std::uint8_t {
  get,   // random keys, one snapshot for some hundred
  put,   // single random overwrites
  load,  // everything into an empty store, in random order; ends by itself
  die    // puts all entries again, one in a transaction, and kills itself; for `put_count` of them
};

// Some processes, and threads in each, that do the same.
struct Job {
  Action action = Action::get;
  Durability durability = Durability::full;
  unsigned process_count = 1;
  unsigned thread_count = 1;    // of each process
  unsigned putter_count = 0;    // and further threads of each, which put
  std::uint64_t put_count = 0;  // Action::die
};

struct Outcome {
  double nanoseconds_each = 0;      // of all of a job together
  std::vector<double> latencies;    // of put, in nanoseconds, sorted; a sample where they are many
  std::uint64_t private_bytes = 0;  // at most, of the process that had the most
  std::uint64_t mapped_bytes = 0;
};

// Closes the fixture's store, lets all jobs work on it at the same time for the turn's length, and
// returns what each has done, and behind a job with putters what those have done. Jobs that end by
// themselves are waited for.
std::vector<Outcome> run_jobs(Turn& turn, const std::vector<Job>& jobs);

// What such a process runs: `main` with these arguments.
bool is_worker(int argc, char** argv);
int work(int argc, char** argv);

}  // namespace compare
