// How long wait_for_commit takes to notice a commit of another process: from right before a relaxed
// commit is begun to the waiter's first instruction afterwards. Beside it what committing costs
// while nobody waits and while somebody does; in turns, medians.
#include <quire/quire.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWakes = 2000;
constexpr int kCommitsPerTurn = 20'000;
constexpr int kTurns = 9;

std::int64_t now() { return Clock::now().time_since_epoch().count(); }

void commit_now(quire::Database& db, std::int64_t stamp) {
  quire::Transaction tx = db.begin();
  tx.table().put("stamp", {reinterpret_cast<const char*>(&stamp), sizeof stamp});
  tx.commit(quire::Durability::relaxed);
}

// Commits the time, now and then, until it is killed.
[[noreturn]] void commit_for_ever(const std::filesystem::path& file) {
  quire::Database db{file};
  for (;;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    commit_now(db, now());
  }
}

std::vector<double> measure_wakes(const std::filesystem::path& file) {
  const pid_t committer = ::fork();
  if (committer == 0) commit_for_ever(file);
  std::vector<double> microseconds;
  {
    quire::Database db{file};
    std::uint64_t seen = db.snapshot().txn();
    while (microseconds.size() < kWakes) {
      const auto newest = db.wait_for_commit(seen);
      const std::int64_t woken = now();
      seen = newest.value_or(seen);
      std::int64_t stamp = 0;
      const std::string value = db.get("stamp").value_or(std::string(sizeof stamp, '\0'));
      std::memcpy(&stamp, value.data(), sizeof stamp);
      if (stamp != 0) microseconds.push_back(static_cast<double>(woken - stamp) / 1000);
    }
  }
  ::kill(committer, SIGKILL);
  ::waitpid(committer, nullptr, 0);
  std::sort(microseconds.begin(), microseconds.end());
  return microseconds;
}

double microseconds_per_commit(quire::Database& db) {
  const auto begin = Clock::now();
  for (int i = 0; i < kCommitsPerTurn; ++i) commit_now(db, i);
  const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
  return took.count() / kCommitsPerTurn;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure_committing(const std::filesystem::path& file) {
  quire::Database db{file};
  std::vector<double> unwatched;
  std::vector<double> watched;
  for (int turn = 0; turn < kTurns; ++turn) {
    unwatched.push_back(microseconds_per_commit(db));
    const pid_t watcher = ::fork();
    if (watcher == 0) {
      const quire::Database own{file};
      for (std::uint64_t seen = 0;;) seen = own.wait_for_commit(seen).value_or(seen);
    }
    watched.push_back(microseconds_per_commit(db));
    ::kill(watcher, SIGKILL);
    ::waitpid(watcher, nullptr, 0);
  }
  std::printf("relaxed commit: %.2f us when nobody waits, %.2f us when somebody does\n",
              median(unwatched), median(watched));
}

}  // namespace

// Usage: bench-wake [FILE]
int main(int argc, char** argv) {
  const std::filesystem::path file = argc > 1 ? argv[1]
                                              : std::filesystem::temp_directory_path() /
                                                    ("quire-bench-" + std::to_string(::getpid()));
  const std::vector<double> wakes = measure_wakes(file);
  std::printf("wake-up after a commit of another process: p50 %.1f us, p99 %.1f us (%d wakes)\n",
              wakes[wakes.size() / 2], wakes[wakes.size() * 99 / 100], kWakes);
  measure_committing(file);
  std::filesystem::remove(file);
  std::filesystem::remove(file.string() + ".lock");
  return 0;
}
