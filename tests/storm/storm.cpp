// Processes that write and read one database and are killed, stopped and overtaken at every step of
// what they do, while all that they see is compared with what was promised.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_points.h"
#include "storm/points_of.h"
#include "storm/worker.h"
#include "support/random.h"
#include "support/scratch.h"

namespace quire::storm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kHangSeconds{120};
constexpr std::chrono::milliseconds kTick{2};
constexpr std::uint64_t kManyCommits = 500;
constexpr std::uint64_t kSeasonKinds = 3;  // one of them parks
constexpr std::uint64_t kEndsOneIn = 100;  // deaths, after which all the others let go
constexpr std::uint64_t kStrainedEndsOneIn = 12;
constexpr std::uint64_t kExtraTimes = 2;  // how much longer to go on for points where nobody died

struct StormOptions {
  std::uint64_t kills = 10'000;
  std::uint64_t season_kills = 400;
  std::uint64_t seconds = 0;  // 0: no limit
  std::uint64_t seed = 1;
  unsigned writers = 3;
  unsigned readers = 4;
  std::string sources;
};

struct Child {
  Orders orders;
  bool is_slow_reader;
  Clock::time_point started;
};

// A database file of its own for a part of the storm, and the processes that use it.
class Storm {
 public:
  explicit Storm(const StormOptions& options)
      : options_(options), random_(options.seed), start_(Clock::now()) {
    // The children of children that die are ours to wait for.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t child_ends;
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child_ends, nullptr);
  }

  int run() {
    std::cout << "seed " << options_.seed << std::endl;
    while (!is_over()) run_season();
    const std::vector<std::string> spared = spared_points();
    if (!has_failed() && options_.seconds == 0 && !spared.empty()) {
      world_->fail("nobody was ever killed at " + std::to_string(spared.size()) +
                   " crash points, the first one is: " + spared.front());
    }
    report(spared);
    return has_failed() ? 1 : 0;
  }

 private:
  bool has_failed() const { return world_->has_failed.load() != 0; }

  bool is_over() const {
    if (has_failed()) return true;
    if (options_.seconds != 0 && Clock::now() - start_ >= std::chrono::seconds(options_.seconds)) {
      return true;
    }
    if (killed_ < options_.kills) return false;
    return killed_ >= options_.kills * kExtraTimes || spared_points().empty();
  }

  void run_season() {
    const test::ScratchDirectory directory;
    file_ = directory.file("db");
    ledger_ = std::make_unique<Shared<Ledger>>();
    begin_alone("nobody can make the first state: a hang");
    prepare(**ledger_, file_);
    end_alone();
    has_slow_reader_ = false;
    is_parking_season_ = season_count_++ % kSeasonKinds == 1;
    const std::uint64_t season_ends = killed_ + options_.season_kills;
    while (!is_over() && killed_ < season_ends && !(*ledger_)->is_nearly_full()) {
      fill_ranks();
      wait_a_tick();
    }
    let_all_go();
    if (!has_failed()) judge_end();
  }

  void fill_ranks() {
    std::map<Role, unsigned> alive;
    for (const auto& [pid, child] : children_) ++alive[child.orders.fate.role];
    for (; alive[Role::writer] < options_.writers; ++alive[Role::writer]) start(Role::writer);
    for (; alive[Role::reader] < options_.readers; ++alive[Role::reader]) start(Role::reader);
    if (alive[Role::checker] == 0 && random_.one_in(60)) start(Role::checker);
  }

  void start(Role role) {
    Orders orders;
    orders.work_count = role == Role::checker ? 1 : random_.one_in(8) ? 30 : random_.between(1, 8);
    orders.is_read_only = role == Role::reader && random_.one_in(3);
    const bool is_slow_reader = role == Role::reader && !std::exchange(has_slow_reader_, true);
    orders.fate = is_slow_reader ? slow_reader() : choose_fate(role);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      sigset_t nothing;
      sigemptyset(&nothing);
      ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
      work(*world_, **ledger_, file_, orders);
    }
    children_[pid] = {orders, is_slow_reader, Clock::now()};
    ++started_[static_cast<std::size_t>(role)];
  }

  // Once in a season, or always: while it stands still, more pages are freed than there are places
  // to note them.
  Fate slow_reader() {
    Fate fate;
    fate.ends_at = "snapshot: registered";
    fate.only_stands_still = true;
    fate.commits_to_see = kManyCommits;
    return fate;
  }

  Fate choose_fate(Role role) {
    Fate fate;
    fate.role = role;
    fate.seed = random_.next();
    if (const Point* slow = choose_point(role); slow != nullptr && random_.one_in(4)) {
      fate.slow_at = slow->name.data();
    }
    if (random_.one_in(12)) return fate;
    if (random_.one_in(8)) {
      fate.dies_after_micros = random_.between(1, 20'000);
      return fate;
    }
    fate.only_stands_still = random_.one_in(16);
    const Point* end = choose_point(role);
    if (end == nullptr) return fate;
    fate.ends_at = end->name.data();
    const std::size_t index = static_cast<std::size_t>(role);
    const std::uint64_t usual =
        end->reached[index].load() / std::max<std::uint64_t>(started_[index], 1);
    fate.ends_on_visit =
        random_.one_in(2) ? 1 : random_.between(1, std::min<std::uint64_t>(1 + usual, 30));
    return fate;
  }

  static bool is_about_parking(const Point& point) {
    return std::string_view{point.name.data()}.starts_with("park:");
  }

  // One of the crash points that this role has reached: mostly any, else one of those where the
  // fewest have died, so that all get their share. Null: none is known.
  const Point* choose_point(Role role) {
    const std::uint64_t known = std::min<std::uint64_t>(world_->point_count.load(), kPointsMax);
    const std::uint64_t fewest_wanted = random_.one_in(4) ? 1 : 0;
    const bool wants_parking = is_parking_season_ && random_.one_in(2);
    std::uint64_t fewest = ~std::uint64_t{0};
    std::vector<const Point*> choice;
    for (std::uint64_t index = 0; index < known; ++index) {
      const Point& point = world_->points[index];
      if (point.reached[static_cast<std::size_t>(role)].load() == 0) continue;
      if (wants_parking && role == Role::writer && !is_about_parking(point)) continue;
      const std::uint64_t kills = point.kills.load() * fewest_wanted;
      if (kills < fewest) choice.clear();
      fewest = std::min(fewest, kills);
      if (kills == fewest) choice.push_back(&point);
    }
    return choice.empty() ? nullptr : choice[random_.below(choice.size())];
  }

  // Until a child ends or stands still, or a moment has passed.
  void wait_a_tick() {
    sigset_t child_ends;
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    const timespec limit{0, std::chrono::nanoseconds(kTick).count()};
    ::sigtimedwait(&child_ends, nullptr, &limit);
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0;) {
      if (WIFSTOPPED(status)) continue;
      const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      note_end(pid, status);
      if (was_killed) trouble_others();
    }
    let_stopped_go_on();
    look_for_hangs();
  }

  void note_end(pid_t pid, int status) {
    const auto ended = children_.find(pid);
    if (is_parking_season_ && ended != children_.end() && ended->second.is_slow_reader) {
      has_slow_reader_ = false;
    }
    children_.erase(pid);
    stopped_.erase(pid);
    auto mine = static_cast<std::uint32_t>(pid);
    world_->held.pid.compare_exchange_strong(mine, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      ++killed_;
    } else if (WIFSIGNALED(status)) {
      world_->fail("a process ended by signal " + std::to_string(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
      world_->fail("a process ended with exit code " + std::to_string(WEXITSTATUS(status)));
    }
  }

  void trouble_others() {
    const bool may_end_all =
        world_->held.commits_wanted.load() == 0;  // else somebody waits for them
    const std::uint64_t ends_one_in = is_strained() ? kStrainedEndsOneIn : kEndsOneIn;
    if (random_.one_in(ends_one_in) && may_end_all) let_all_go();
    if (random_.one_in(50) && may_end_all) kill_all();
    if (random_.one_in(20)) kill_any();
    if (random_.one_in(8)) stop_any();
  }

  // 0: nobody.
  pid_t any_child() {
    if (children_.empty()) return 0;
    auto chosen = children_.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random_.below(children_.size())));
    const bool is_held = chosen->first == static_cast<pid_t>(world_->held.pid.load());
    return is_held ? 0 : chosen->first;  // it has its own end
  }

  void kill_any() {
    if (const pid_t pid = any_child(); pid != 0) ::kill(pid, SIGKILL);
  }

  // For a while, wherever it is.
  void stop_any() {
    const pid_t pid = any_child();
    if (pid == 0) return;
    ::kill(pid, SIGSTOP);
    ++stops_;
    stopped_[pid] =
        Clock::now() + std::chrono::milliseconds(random_.one_in(8) ? random_.between(100, 250)
                                                                   : random_.between(1, 20));
  }

  void let_stopped_go_on() {
    for (auto stopped = stopped_.begin(); stopped != stopped_.end();) {
      const bool is_due = stopped->second <= Clock::now();
      if (is_due) ::kill(stopped->first, SIGCONT);
      stopped = is_due ? stopped_.erase(stopped) : std::next(stopped);
    }
    Held& held = world_->held;
    const auto pid = static_cast<pid_t>(held.pid.load());
    if (pid == 0 || held.snapshots_wanted.load() == 0 ||
        world_->snapshots.load() < held.snapshots_wanted.load() ||
        world_->full_commits.load() < held.commits_wanted.load()) {
      return;
    }
    release_held(random_.one_in(4) ? SIGKILL : SIGCONT);
  }

  void release_held(int signal) {
    Held& held = world_->held;
    const auto pid = static_cast<pid_t>(held.pid.load());
    held.snapshots_wanted.store(0);
    held.commits_wanted.store(0);
    if (pid != 0) ::kill(pid, signal);
    held.pid.store(0);
  }

  // The last one closes the file, or recovery has to.
  void let_all_go() {
    for (const auto& [pid, due] : stopped_) ::kill(pid, SIGCONT);
    stopped_.clear();
    while (!children_.empty()) {
      release_held(SIGCONT);
      if (has_failed()) {
        for (const auto& [pid, child] : children_) ::kill(pid, SIGKILL);
      }
      wait_for_one();
      look_for_hangs();
    }
    for (int status = 0; ::waitpid(-1, &status, 0) > 0;) {
    }
  }

  void wait_for_one() {
    sigset_t child_ends;
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    const timespec limit{0, std::chrono::nanoseconds(kTick).count()};
    ::sigtimedwait(&child_ends, nullptr, &limit);
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) note_end(pid, status);
  }

  // Whoever comes next recovers.
  void kill_all() {
    for (const auto& [pid, child] : children_) ::kill(pid, SIGKILL);
    let_all_go();
  }

  void look_for_hangs() {
    for (const auto& [pid, child] : children_) {
      if (Clock::now() - child.started < kHangSeconds) continue;
      const char* held_at = world_->held.point.load();
      world_->fail(world_->held.pid.load() != 0
                       ? "nobody goes on while a process stands still at " + std::string(held_at)
                       : "a process of role " +
                             std::to_string(static_cast<int>(child.orders.fate.role)) + " hangs");
    }
  }

  void judge_end() {
    begin_alone("nobody can judge the season's end: a hang");
    try {
      judge(*world_, **ledger_, file_);
    } catch (const std::exception& error) {
      world_->fail(error.what());
    }
    end_alone();
  }

  // What this process does itself nobody watches but its alarm.
  static void begin_alone(const char* failure) {
    static const char* said = nullptr;
    said = failure;
    struct sigaction action = {};
    action.sa_handler = [](int) {
      constexpr char kFailed[] = "FAILED: ";
      [[maybe_unused]] ssize_t written = ::write(STDOUT_FILENO, kFailed, sizeof kFailed - 1);
      written = ::write(STDOUT_FILENO, said, std::strlen(said));
      written = ::write(STDOUT_FILENO, "\n", 1);
      ::_exit(1);
    };
    ::sigaction(SIGALRM, &action, nullptr);
    ::alarm(static_cast<unsigned>(kHangSeconds.count()));
  }
  static void end_alone() { ::alarm(0); }

  // Crash points in the sources at which nobody was killed yet.
  std::vector<std::string> spared_points() const {
    std::vector<std::string> spared;
    if (options_.sources.empty()) return spared;
    for (const std::string& name : points_) {
      if (world_->point(name)->kills.load() == 0) spared.push_back(name);
    }
    return spared;
  }

  void report(const std::vector<std::string>& spared) const {
    const std::uint64_t known = std::min<std::uint64_t>(world_->point_count.load(), kPointsMax);
    std::uint64_t nested = 0;
    std::uint64_t at_points = 0;
    std::uint64_t held = 0;
    std::printf("   reached   kills  nested  stops  crash point\n");
    for (std::uint64_t index = 0; index < known; ++index) {
      const Point& point = world_->points[index];
      nested += point.nested_kills.load();
      at_points += point.kills.load();
      held += point.stops.load();
      std::printf("%10llu %7llu %7llu %6llu  %s\n",
                  static_cast<unsigned long long>(point.reached_by_all()),
                  static_cast<unsigned long long>(point.kills.load()),
                  static_cast<unsigned long long>(point.nested_kills.load()),
                  static_cast<unsigned long long>(point.stops.load()), point.name.data());
    }
    const auto spent = std::chrono::duration<double>(Clock::now() - start_).count();
    std::cout << killed_ + world_->forked_kills.load() << " kills in " << spent
              << " s: " << at_points << " at " << known << " crash points, " << nested
              << " of them of processes that were clearing up after another\n"
              << stops_ << " stops at any instruction, " << held << " until others had gone on\n"
              << "inside transactions " << world_->thread_ends.load() << " ends of threads, "
              << world_->forks.load() << " forks, " << world_->execs.load() << " execs\n"
              << world_->commits.load() << " commits, " << world_->snapshots.load()
              << " snapshots, " << world_->checks.load() << " checks of the whole file\n";
    for (const std::string& name : spared) std::cout << "nobody was killed at \"" << name << "\"\n";
    if (has_failed()) std::cout << "FAILED: " << world_->failure.data() << std::endl;
  }

  StormOptions options_;
  test::Random random_;
  Clock::time_point start_;
  std::vector<std::string> points_ = points_of(options_.sources);
  Shared<World> world_;
  std::unique_ptr<Shared<Ledger>> ledger_;
  std::filesystem::path file_;
  std::map<pid_t, Child> children_;
  std::map<pid_t, Clock::time_point> stopped_;  // until when
  std::array<std::uint64_t, kRoleCount> started_{};
  bool has_slow_reader_ = false;
  bool is_parking_season_ = false;  // a reader stands still all the time
  std::uint64_t season_count_ = 0;
  std::uint64_t killed_ = 0;
  std::uint64_t stops_ = 0;
};

}  // namespace
}  // namespace quire::storm

int main(int argc, char** argv) {
  using namespace quire;
  storm::StormOptions options;
  std::string sabotage;
  bool is_strained = false;
  std::string looked_at;
  CLI::App app{"Kills processes at every step of what they do with one database.", "storm"};
  app.add_option("--kills", options.kills, "Processes to kill")->capture_default_str();
  app.add_option("--season", options.season_kills, "Kills after which a new file is begun")
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Stop after this time, however many were killed");
  app.add_option("--seed", options.seed, "Of all that is random")->capture_default_str();
  app.add_option("--writers", options.writers, "Writing processes at a time")
      ->capture_default_str();
  app.add_option("--readers", options.readers, "Reading processes at a time")
      ->capture_default_str();
  app.add_option("--sources", options.sources,
                 "Fail unless somebody died at every crash point there");
  app.add_flag("--strain", is_strained,
               "Checkpoints come early and move the log; all let go often");
  app.add_option("--sabotage", sabotage, "Builds a mistake in (base/test_points.h)");
  app.add_option("--look", looked_at, "Only look at this database file");
  CLI11_PARSE(app, argc, argv);
  if (!looked_at.empty()) return storm::look(looked_at);
  test_points::sabotage = sabotage;
  test_points::strain = is_strained;
  return storm::Storm(options).run();
}
