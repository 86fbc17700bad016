// The thread that makes a process's checkpoints: what goes on beside it, and what it leaves alone.
#include <quire/quire.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <unistd.h>

#include "base/test_points.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/log_size.h"

namespace quire::test {
namespace {

using namespace std::chrono_literals;

// Where the thread stands still, when that is wanted.
std::string_view held_at;
std::atomic<bool> is_held{false};
std::atomic<bool> is_there{false};
std::atomic<bool> has_gone_on{false};

void hold(const char* crash_point, std::uint64_t, std::uint64_t) {
  if (crash_point != held_at || !is_held.load()) return;
  is_there.store(true);
  for (int i = 0; i < 20'000 && is_held.load(); ++i) std::this_thread::sleep_for(1ms);
  has_gone_on.store(true);
}

std::atomic<int> handled_signals{0};
void count_signal(int) { handled_signals.fetch_add(1); }

std::ptrdiff_t thread_count() {
  const std::filesystem::directory_iterator threads{"/proc/self/task"};
  return std::distance(begin(threads), end(threads));
}

class BackgroundCheckpoints : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    is_there.store(false);
    is_held.store(false);
    has_gone_on.store(false);
  }

  void TearDown() override {
    test_points::reached = nullptr;
    DatabaseTest::TearDown();
  }

  Database open_held_at(std::string_view point) const {
    held_at = point;
    test_points::reached = hold;
    Database db{file_};
    keep_log_size(db);
    return db;
  }

  static void put(Database& db, std::uint64_t i) {
    Transaction tx = db.begin();
    tx.table().put(big_endian(i % 500), pattern(1000, i));
    tx.commit(Durability::relaxed);
  }

  // Commits until there is another checkpoint.
  static void commit_until_checkpoint(Database& db) {
    const std::uint64_t before = stat(db).checkpoint_number;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
      put(db, i);
      if (i % 50 == 0 && stat(db).checkpoint_number > before) return;
    }
    ADD_FAILURE() << "no checkpoint";
  }

  // Commits until the thread stands where it is held; slowly once it has been asked, because a full
  // log waits for it. A checkpoint that makes the log larger would let nobody write meanwhile.
  static void commit_until_there(Database& db) {
    commit_until_checkpoint(db);
    is_held.store(true);
    for (std::uint64_t i = 0; i < 100'000 && !is_there.load(); ++i) {
      put(db, i);
      const Statistics now = stat(db);
      if (now.log_used_bytes > now.log_bytes / 2) std::this_thread::sleep_for(1ms);
    }
    ASSERT_TRUE(is_there.load());
  }
};

TEST_F(BackgroundCheckpoints, AreMadeWithoutAnybodyAsking) {
  Database db{file_};
  commit_until_checkpoint(db);
  commit_until_checkpoint(db);
  expect_sound(db);
}

TEST_F(BackgroundCheckpoints, LetCommitsPassMeanwhile) {
  Database db = open_held_at("checkpoint: sealed");
  commit_until_there(db);
  const std::uint64_t number = stat(db).checkpoint_number;
  for (std::uint64_t i = 0; i < 50; ++i) db.put(big_endian(i), "beside it");
  EXPECT_EQ(stat(db).checkpoint_number, number);
  EXPECT_FALSE(has_gone_on.load());  // in a commit of this thread it would have
  is_held.store(false);
  commit_until_checkpoint(db);
  expect_sound(db);
}

TEST_F(BackgroundCheckpoints, LeaveTheProgramsSignalsToItsOwnThreads) {
  Database db{file_};
  commit_until_checkpoint(db);
  ASSERT_EQ(thread_count(), 2);
  handled_signals.store(0);
  struct sigaction counting = {};
  counting.sa_handler = count_signal;
  struct sigaction before = {};
  ASSERT_EQ(sigaction(SIGUSR1, &counting, &before), 0);
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &usr1, nullptr), 0);
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(handled_signals.load(), 0);
  ASSERT_EQ(pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr), 0);
  EXPECT_EQ(handled_signals.load(), 1);
  ASSERT_EQ(sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST_F(BackgroundCheckpoints, AreNotTheBusinessOfAForkedChild) {
  std::optional<Database> db{open_held_at("checkpoint: sealed")};
  commit_until_there(*db);
  run_in_child([&] {
    EXPECT_EQ(errc_of([&] { db->begin(); }), Errc::forked);
    db.reset();
  });
  is_held.store(false);
  commit_until_checkpoint(*db);
  expect_sound(*db);
}

TEST_F(BackgroundCheckpoints, DoNotMakeACloseWaitForSomebodyElsesTransaction) {
  Child other{[&](Link& link) {
    Database db{file_};
    link.send(0);
    link.receive();
    Transaction tx = db.begin();
    link.send(1);
    link.receive();
    tx.table().put("other", "1");
    tx.commit();
  }};
  ASSERT_TRUE(other.receive());
  std::optional<Database> db{open_held_at("checkpointer: asked")};
  commit_until_there(*db);
  ASSERT_TRUE(other.send(0));
  ASSERT_TRUE(other.receive());
  is_held.store(false);
  std::this_thread::sleep_for(5ms);
  db.reset();
  ASSERT_TRUE(other.send(1));  // not sooner: it still has the writer lock
  EXPECT_EQ(other.wait(), 0);
  EXPECT_EQ(Database{file_}.get("other"), "1");
}

TEST_F(BackgroundCheckpoints, AreMadeByCommitsWithoutAThreadWhereThatIsAskedFor) {
  Database db{file_, {.background_checkpoints = false}};
  commit_until_checkpoint(db);
  EXPECT_EQ(thread_count(), 1);
  expect_sound(db);
}

}  // namespace
}  // namespace quire::test
