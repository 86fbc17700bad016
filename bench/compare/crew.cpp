// The side of worker.h that starts processes. A job has putters in one process only, so each
// outcome's slots are neighbours.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare/board.h"
#include "compare/worker.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): unistd.h has it for GNU only

namespace compare {

namespace {

constexpr std::chrono::seconds kPatience(120);  // until all are ready

class BoardFile {
 public:
  BoardFile() : descriptor_(::memfd_create("board", 0)) {
    require(descriptor_ >= 0 && ::ftruncate(descriptor_, sizeof(Board)) == 0, "no board");
  }
  BoardFile(const BoardFile&) = delete;
  BoardFile& operator=(const BoardFile&) = delete;
  ~BoardFile() { ::close(descriptor_); }
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

// Processes that were started; those that are still there in the end are killed.
class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    for (const pid_t process : processes_) {
      ::kill(process, SIGKILL);
      ::waitpid(process, nullptr, 0);
    }
  }

  void start(const std::vector<std::string>& arguments) {
    std::vector<char*> pointers;
    for (const auto& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    pid_t process = 0;
    require(
        ::posix_spawn(&process, "/proc/self/exe", nullptr, nullptr, pointers.data(), environ) == 0,
        "cannot start a process");
    processes_.push_back(process);
  }

  // Throws when one has ended otherwise than it should.
  void wait(bool are_killed) {
    for (; !processes_.empty(); processes_.pop_back()) {
      int status = 0;
      ::waitpid(processes_.back(), &status, 0);
      const bool is_well = are_killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                                      : WIFEXITED(status) && WEXITSTATUS(status) == 0;
      require(is_well || processes_.empty(), "a process has failed");
    }
  }

  bool has_ended_early() {
    for (const pid_t process : processes_) {
      siginfo_t info{};
      ::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid != 0) return true;
    }
    return false;
  }

 private:
  std::vector<pid_t> processes_;
};

std::vector<std::string> arguments_of(const Turn& turn, const Opening& opening,
                                      const std::string& peer, const Job& job,
                                      std::size_t first_slot, int board) {
  const auto number = [](auto value) { return std::to_string(static_cast<std::uint64_t>(value)); };
  return {"bench-compare",
          "--worker",
          peer,
          opening.directory.string(),
          number(job.durability),
          number(opening.shape),
          number(turn.dataset().value_bytes()),
          number(turn.dataset().entry_count()),
          number(job.action),
          number(job.put_count),
          number(first_slot),
          number(job.thread_count),
          number(job.putter_count),
          number(board)};
}

Outcome outcome_of(const MappedBoard& board, std::size_t first_slot, std::size_t slot_count,
                   double nanoseconds) {
  Outcome outcome;
  std::uint64_t count = 0;
  for (std::size_t i = first_slot; i < first_slot + slot_count; ++i) {
    const Slot& slot = board->slots[i];
    count += slot.count;
    outcome.private_bytes = std::max(outcome.private_bytes, slot.private_bytes);
    outcome.mapped_bytes = std::max(outcome.mapped_bytes, slot.mapped_bytes);
    outcome.latencies.insert(outcome.latencies.end(), slot.latencies,
                             slot.latencies + slot.latency_count);
  }
  std::sort(outcome.latencies.begin(), outcome.latencies.end());
  outcome.nanoseconds_each = nanoseconds / static_cast<double>(std::max<std::uint64_t>(count, 1));
  return outcome;
}

}  // namespace

std::vector<Outcome> run_jobs(Turn& turn, const std::vector<Job>& jobs) {
  turn.fixture().close();
  const BoardFile file;
  const MappedBoard board(file.descriptor());
  Crew crew;
  std::size_t slots = 0;
  for (const Job& job : jobs) {
    for (unsigned i = 0; i < job.process_count; ++i) {
      crew.start(arguments_of(turn, turn.fixture().opening(job.durability),
                              turn.fixture().peer().name, job, slots, file.descriptor()));
      slots += job.thread_count + job.putter_count;
    }
  }
  require(slots <= kSlotsMax, "too many threads for the board");
  const auto patience = Clock::now() + kPatience;
  while (board->ready < slots) {
    require(!crew.has_ended_early() && Clock::now() < patience, "a process does not begin");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const bool end_by_themselves =
      jobs.front().action == Action::load || jobs.front().action == Action::die;
  const auto start = Clock::now();
  board->go = 1;
  if (!end_by_themselves) std::this_thread::sleep_for(turn.time());
  board->stop = 1;
  const std::chrono::duration<double, std::nano> worked = Clock::now() - start;
  crew.wait(jobs.front().action == Action::die);
  std::vector<Outcome> outcomes;
  std::size_t first_slot = 0;
  for (const Job& job : jobs) {
    for (const unsigned threads : {job.thread_count, job.putter_count}) {
      if (threads == 0) continue;
      const std::size_t slot_count = std::size_t{job.process_count} * threads;
      outcomes.push_back(outcome_of(board, first_slot, slot_count, worked.count()));
      first_slot += slot_count;
    }
  }
  return outcomes;
}

}  // namespace compare
