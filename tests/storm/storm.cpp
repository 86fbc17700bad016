// Processes that write and read one database and are killed, stopped and overtaken at every step of
// what they do, while all that they see is compared with what was promised.
#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_points.h"
#include "storm/worker.h"
#include "support/random.h"
#include "support/scratch.h"

namespace quire::storm {
namespace {

constexpr unsigned kHangSeconds = 60;

struct StormOptions {
  std::uint64_t kills = 3000;
  std::uint64_t seconds = 0;  // 0: no limit
  std::uint64_t seed = 1;
  unsigned writers = 4;
  unsigned readers = 4;
};

class Storm {
 public:
  explicit Storm(const StormOptions& options)
      : options_(options),
        random_(options.seed),
        file_(directory_.file("db")),
        world_(*make_world()) {}

  int run() {
    prepare(file_);
    const auto start = std::chrono::steady_clock::now();
    while (!is_over(start)) {
      fill_ranks();
      wait_for_one();
      if (random_.one_in(60)) let_all_go();
      if (random_.one_in(60)) kill_all();
      if (random_.one_in(40)) kill_any();
    }
    let_all_go();
    if (world_.has_failed.load() == 0) judge_end();
    report();
    return world_.has_failed.load() == 0 ? 0 : 1;
  }

 private:
  bool is_over(std::chrono::steady_clock::time_point start) const {
    const auto spent = std::chrono::steady_clock::now() - start;
    return world_.has_failed.load() != 0 || killed_ >= options_.kills ||
           (options_.seconds != 0 && spent >= std::chrono::seconds(options_.seconds));
  }

  void fill_ranks() {
    std::map<Role, unsigned> alive;
    for (const auto& [pid, role] : children_) ++alive[role];
    for (; alive[Role::writer] < options_.writers; ++alive[Role::writer]) start(Role::writer);
    for (; alive[Role::reader] < options_.readers; ++alive[Role::reader]) start(Role::reader);
    if (alive[Role::checker] == 0 && random_.one_in(8)) start(Role::checker);
  }

  void start(Role role) {
    Orders orders;
    orders.role = role;
    orders.seed = random_.next();
    orders.work_count = role == Role::checker ? 1 : random_.one_in(4) ? 40 : random_.between(1, 8);
    const std::uint64_t known = std::min<std::uint64_t>(world_.point_count.load(), kPointsMax);
    if (known > 0 && random_.one_in(2)) {
      orders.slow_at = world_.points[random_.below(known)].name.data();
    }
    if (known > 0 && !random_.one_in(8)) {
      orders.kill_at = least_killed(known);
      orders.kill_on_visit = random_.one_in(2) ? 1 : random_.between(1, 30);
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      work(world_, file_, orders);
    }
    children_[pid] = role;
  }

  // Of a few crash points the one with the fewest kills: all get their share.
  const char* least_killed(std::uint64_t known) {
    const Point* chosen = &world_.points[random_.below(known)];
    for (int tries = 0; tries < 2; ++tries) {
      const Point& other = world_.points[random_.below(known)];
      if (other.kills.load() < chosen->kills.load()) chosen = &other;
    }
    return chosen->name.data();
  }

  void wait_for_one() {
    int status = 0;
    ::alarm(kHangSeconds);
    const pid_t pid = ::waitpid(-1, &status, 0);
    ::alarm(0);
    if (pid < 0) return;
    children_.erase(pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      ++killed_;
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      std::uint32_t nobody = 0;
      if (world_.has_failed.compare_exchange_strong(nobody, 1)) {
        std::snprintf(world_.failure.data(), world_.failure.size(), "a process ended by signal %d",
                      WTERMSIG(status));
      }
    }
  }

  // The last one closes the file, or recovery has to.
  void let_all_go() {
    while (!children_.empty()) wait_for_one();
  }

  void kill_any() {
    auto victim = children_.begin();
    if (victim == children_.end()) return;
    std::advance(victim, static_cast<std::ptrdiff_t>(random_.below(children_.size())));
    ::kill(victim->first, SIGKILL);
  }

  // Whoever comes next recovers.
  void kill_all() {
    for (const auto& [pid, role] : children_) ::kill(pid, SIGKILL);
    let_all_go();
  }

  void judge_end() {
    try {
      judge(world_, file_);
    } catch (const std::exception& error) {
      world_.has_failed.store(1);
      std::snprintf(world_.failure.data(), world_.failure.size(), "%s", error.what());
    }
  }

  void report() const {
    const std::uint64_t known = std::min<std::uint64_t>(world_.point_count.load(), kPointsMax);
    std::uint64_t fewest = ~std::uint64_t{0};
    for (std::uint64_t index = 0; index < known; ++index) {
      const Point& point = world_.points[index];
      fewest = std::min(fewest, point.kills.load());
      std::printf("  %8llu times %6llu kills  %s\n",
                  static_cast<unsigned long long>(point.reached.load()),
                  static_cast<unsigned long long>(point.kills.load()), point.name.data());
    }
    std::cout << killed_ << " kills at " << known << " crash points, " << world_.commits.load()
              << " commits, " << world_.snapshots.load() << " snapshots, " << world_.checks.load()
              << " checks of the whole file\n";
    if (world_.has_failed.load() != 0) {
      std::cout << "FAILED: " << world_.failure.data() << "\n  seed " << options_.seed << std::endl;
    }
  }

  StormOptions options_;
  test::Random random_;
  test::ScratchDirectory directory_;
  std::filesystem::path file_;
  World& world_;
  std::map<pid_t, Role> children_;
  std::uint64_t killed_ = 0;
};

}  // namespace
}  // namespace quire::storm

int main(int argc, char** argv) {
  using namespace quire;
  storm::StormOptions options;
  std::string sabotage;
  CLI::App app{"Kills processes at every step of what they do with one database.", "storm"};
  app.add_option("--kills", options.kills, "Processes to kill")->capture_default_str();
  app.add_option("--seconds", options.seconds, "Stop after this time, however many were killed");
  app.add_option("--seed", options.seed, "Of all that is random")->capture_default_str();
  app.add_option("--writers", options.writers, "Writing processes at a time");
  app.add_option("--readers", options.readers, "Reading processes at a time");
  app.add_option("--sabotage", sabotage, "Builds a mistake in (base/test_points.h)");
  CLI11_PARSE(app, argc, argv);
  test_points::sabotage = sabotage;
  return storm::Storm(options).run();
}
