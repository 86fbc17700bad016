// Real power cuts: several processes work on ext4 and XFS, at a random moment the file system stops
// as if the power had gone, and is mounted anew. Nothing acknowledged may be missing, nothing may
// be there that was never tried, and what is there is whole.
//
//   build/dev/tests/test-power --cuts 50000 --seed 7
//
// runs for long; a seed brings back the choices, but not the moment of a cut within a microsecond.
#include <quire/quire.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "power/history.h"
#include "power/options.h"
#include "power/power_disk.h"
#include "power/workload.h"
#include "support/database_test.h"
#include "support/mounts.h"

namespace quire::test {
namespace {

using Microseconds = std::chrono::microseconds;

constexpr std::uint32_t kPageSizes[] = {4096, 4096, 8192, 65536};

// One file system, one database after the other, and many cuts.
class Machine {
 public:
  Machine(PowerDisk& disk, std::uint64_t seed)
      : disk_(disk), random_(seed), progress_(Progress::make_shared()) {}

  // Commits that survived.
  std::uint64_t commits() const noexcept { return commits_; }

  // Lives once: works, is cut, comes back, is judged. Returns the number of cuts.
  std::uint64_t live_and_die() {
    if (random_.one_in(8)) start_anew();
    std::uint64_t cuts = 1;
    work_until_cut();
    while (random_.one_in(3)) {
      recover_until_cut();
      ++cuts;
    }
    expect_recovers();
    return cuts;
  }

 private:
  std::filesystem::path file() const { return disk_.mount_point() / "db"; }
  Options options() const { return {.page_size = page_bytes_, .guard_sigbus = is_guarded_}; }

  // Of all sizes: most cuts come early, some when the log has gone round.
  Microseconds random_pause() {
    constexpr std::uint64_t kMostMicroseconds[] = {500, 3000, 10'000, 50'000, 200'000};
    return Microseconds{random_.below(kMostMicroseconds[random_.below(5)])};
  }

  // The old database is gone durably, or it might come back.
  void start_anew() {
    std::filesystem::remove(file());
    std::filesystem::remove(lock_file_of(file()));
    const int directory = ::open(disk_.mount_point().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(::fsync(directory), 0);
    ::close(directory);
    model_ = {};
    progress_.attempted = 0;
    progress_.acknowledged = 0;
    page_bytes_ = kPageSizes[random_.below(4)];
  }

  std::vector<Child> start_workers() {
    std::vector<Child> workers;
    for (std::uint64_t i = random_.between(1, 3); i > 0; --i) {
      const std::uint64_t seed = random_.next();
      const std::uint64_t transactions = random_.one_in(4) ? random_.below(40) : 1'000'000;
      workers.push_back(start_worker(progress_, [this, seed, transactions] {
        PowerWriter{file(), options(), progress_, seed}.run_until(transactions);
      }));
    }
    if (random_.one_in(2)) {
      workers.push_back(start_worker(progress_, [this] { read_for_ever(file(), options()); }));
    }
    return workers;
  }

  // A process that meets the disk after the cut is ended by SIGBUS, unless guarded, or by us.
  void end(std::vector<Child>& workers) const {
    for (Child& worker : workers) ::kill(worker.pid(), SIGKILL);
    for (Child& worker : workers) {
      const int code = worker.wait();
      EXPECT_TRUE(code == 0 || code == -SIGKILL || (code == -SIGBUS && !is_guarded_))
          << "worker: " << code;
    }
    workers.clear();
  }

  void work_until_cut() {
    progress_.is_cut = false;
    is_guarded_ = random_.one_in(2);
    std::vector<Child> workers = start_workers();
    if (random_.one_in(4)) {  // before the power, the processes die
      std::this_thread::sleep_for(random_pause());
      end(workers);
      workers = start_workers();
    }
    std::this_thread::sleep_for(random_pause());
    cut(workers);
  }

  // Recovery writes as well; it must not need the power until its end.
  void recover_until_cut() {
    progress_.is_cut = false;
    std::vector<Child> workers;
    workers.push_back(start_worker(progress_, [this] { Database{file(), options()}; }));
    std::this_thread::sleep_for(Microseconds{random_.below(random_.one_in(2) ? 2000 : 8000)});
    cut(workers);
  }

  void cut(std::vector<Child>& workers) {
    progress_.is_cut = true;
    disk_.cut();
    if (random_.one_in(2)) std::this_thread::sleep_for(Microseconds{random_.below(2000)});
    end(workers);
    disk_.unmount();
    disk_.mount();
  }

  void expect_recovers() {
    std::uint64_t count = 0;
    {
      Database db{file(), options()};
      const Snapshot now = db.snapshot();
      count = history::count_in(now.table());
      ASSERT_GE(count, progress_.acknowledged.load()) << "an acknowledged commit is lost";
      ASSERT_LE(count, progress_.attempted.load()) << "a commit that nobody tried";
      ASSERT_GE(count, model_.count()) << "it was there after an earlier recovery";
      commits_ += count - model_.count();
      model_.go_on_to(count);
      model_.expect_equals(now);
      expect_sound(db);
      Transaction tx = db.begin();
      ASSERT_EQ(history::advance(tx), ++count);
      tx.commit(Durability::full);
    }
    Database db{file(), options()};
    model_.go_on_to(count);
    model_.expect_equals(db.snapshot());
    progress_.attempted = count;
    progress_.acknowledged = count;
  }

  PowerDisk& disk_;
  Random random_;
  Progress& progress_;
  HistoryModel model_;
  std::uint32_t page_bytes_ = 0;
  bool is_guarded_ = false;
  std::uint64_t commits_ = 0;
};

class PowerCuts : public ::testing::TestWithParam<const char*> {};

TEST_P(PowerCuts, LoseNothingAcknowledged) {
  if (kSanitized) GTEST_SKIP() << "nothing here that a sanitizer would see elsewhere less quickly";
  const std::uint64_t seed =
      power_options.seed != 0 ? power_options.seed : choose_seed("PowerCuts");
  const ScratchDirectory directory;
  with_private_mounts([&] {
    PowerDisk disk{directory.path(), GetParam()};
    if (!disk.refusal().empty()) GTEST_SKIP() << "no disk to cut: " << disk.refusal();
    Machine machine{disk, seed};
    std::uint64_t cuts = 0;
    while (cuts < power_options.cuts && !HasFailure()) {
      SCOPED_TRACE("--seed " + std::to_string(seed) + ", cut " + std::to_string(cuts));
      ::alarm(kChildSecondsMax);
      try {
        cuts += machine.live_and_die();
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    }
    std::cout << GetParam() << ": " << cuts << " cuts, " << machine.commits() << " commits survived"
              << std::endl;
  });
}

INSTANTIATE_TEST_SUITE_P(Of, PowerCuts, ::testing::Values("ext4", "xfs"),
                         [](const auto& type) { return std::string{type.param}; });

}  // namespace
}  // namespace quire::test
