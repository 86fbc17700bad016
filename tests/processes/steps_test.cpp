// Processes that stop or die at a step of their own choice, and what the others make of it.
#include <quire/quire.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_points.h"
#include "shared/layout.h"
#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using namespace std::chrono_literals;

std::string_view awaited_point;
int signal_there = SIGSTOP;

void end_at_point(const char* crash_point, std::uint64_t, std::uint64_t) {
  if (crash_point != awaited_point) return;
  awaited_point = {};
  ::raise(signal_there);
}

// Bytes of the file that were made dirty again.
std::uint64_t redirtied_bytes = 0;

void count_redirtied(const char* crash_point, std::uint64_t, std::uint64_t size_bytes) {
  if (std::string_view{crash_point} == "redirty: begins") redirtied_bytes += size_bytes;
}

class Steps : public DatabaseTest {
 protected:
  void TearDown() override {
    test_points::reached = nullptr;
    DatabaseTest::TearDown();
  }

  // A child that opens the file, and stops or dies when `body` gets to `point`.
  template <typename Body>
  Child ending_at(std::string_view point, int signal, Body body) const {
    return Child{[=, this](Link&) {
      Database db{file_};
      signal_there = signal;
      awaited_point = point;
      test_points::reached = end_at_point;
      body(db);
    }};
  }

  static void wait_until_stopped(Child& child) {
    int status = 0;
    ::waitpid(child.pid(), &status, WUNTRACED);
    ASSERT_TRUE(WIFSTOPPED(status));
  }

  // A word of the region, as its file holds it.
  std::uint32_t word(std::size_t offset) const {
    std::uint32_t value = 0;
    const int descriptor = ::open(lock_file_of(file_).c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(::pread(descriptor, &value, sizeof value,
                      static_cast<off_t>(shared::kControlOffset + offset)),
              static_cast<ssize_t>(sizeof value));
    ::close(descriptor);
    return value;
  }
  void set_word(std::size_t offset, std::uint32_t value) const {
    const int descriptor = ::open(lock_file_of(file_).c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(::pwrite(descriptor, &value, sizeof value,
                       static_cast<off_t>(shared::kControlOffset + offset)),
              static_cast<ssize_t>(sizeof value));
    ::close(descriptor);
  }
};

TEST_F(Steps, AWriterWhoMakesACheckpointIsNamedToThoseWhoWait) {
  Database db{file_};
  db.put("a", "1");
  Child child = ending_at("checkpoint: sealed", SIGSTOP, [](Database& mine) {
    mine.write([](Transaction& tx) {
      for (std::uint64_t i = 0; i < 100'000; ++i) tx.table().put(big_endian(i), pattern(400, i));
    });
  });
  wait_until_stopped(child);
  const std::string text = text_of([&] { db.begin(20ms); });
  EXPECT_NE(text.find(", a checkpoint is made by process " + std::to_string(child.pid())),
            std::string::npos)
      << text;
  child.kill();
  EXPECT_EQ(db.get("a"), "1");
  db.put("b", "2");
}

// The one who went on may have wiped the intent of the one who stood still.
TEST_F(Steps, AnOvertakenLeaderLeavesAMarkThatMakesEveryFlushDoubtful) {
  Database db{file_};
  db.put("a", "1");
  Child leader =
      ending_at("flush: intent noted", SIGSTOP, [](Database& mine) { mine.put("b", "2"); });
  wait_until_stopped(leader);
  EXPECT_EQ(word(offsetof(shared::Control, overtaken)), 0u);
  db.put("c", "3");
  EXPECT_EQ(word(offsetof(shared::Control, overtaken)), 1u);
  EXPECT_EQ(word(offsetof(shared::Control, flush_intent)), 0u) << "wiped";
  leader.kill();
  for (int i = 0; i < 3; ++i) {
    redirtied_bytes = 0;
    test_points::reached = count_redirtied;
    db.put("d", std::to_string(i));
    test_points::reached = nullptr;
    EXPECT_GT(redirtied_bytes, 0u) << "of a flush that may have failed unheard";
  }
}

TEST_F(Steps, WithoutAnIntentNothingIsMadeDirtyAgain) {
  Database db{file_};
  db.put("a", "1");
  Child writer =
      ending_at("commit: record appended", SIGKILL, [](Database& mine) { mine.put("b", "2"); });
  EXPECT_EQ(writer.wait(), -SIGKILL);
  redirtied_bytes = 0;
  test_points::reached = count_redirtied;
  db.put("c", "3");
  EXPECT_EQ(redirtied_bytes, 0u);
}

// Who has died flushing may have been told of an error that nobody else will hear of.
TEST_F(Steps, AnErasedRecordIsMadeDirtyAgainWhereAFlushMayHaveFailed) {
  Database db{file_};
  db.put("a", "1");
  Child writer =
      ending_at("commit: record appended", SIGKILL, [](Database& mine) { mine.put("b", "2"); });
  EXPECT_EQ(writer.wait(), -SIGKILL);
  set_word(offsetof(shared::Control, flush_intent), 1000);
  redirtied_bytes = 0;
  test_points::reached = count_redirtied;
  db.begin().rollback();
  test_points::reached = nullptr;
  EXPECT_GT(redirtied_bytes, 0u);
  EXPECT_EQ(word(offsetof(shared::Control, flush_intent)), 0u);
  EXPECT_FALSE(db.get("b").has_value());
}

// Those who sleep wake after a while anyway; only the word tells that they were called.
TEST_F(Steps, EveryCommitCallsThoseWhoWait) {
  Database db{file_};
  std::uint32_t before = word(offsetof(shared::Control, commit_event));
  const auto expect_called = [&](const char* what) {
    const std::uint32_t now = word(offsetof(shared::Control, commit_event));
    EXPECT_NE(now, before) << what;
    before = now;
  };
  for (const Durability durability : {Durability::full, Durability::relaxed}) {
    Transaction tx = db.begin();
    tx.table().put("a", std::to_string(static_cast<int>(durability)));
    tx.commit(durability);
    expect_called("a commit by a record");
  }
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 100'000; ++i) tx.table().put(big_endian(i), pattern(400, i));
  });
  expect_called("a commit by a checkpoint");
}

TEST_F(Steps, AProcessThatMayOnlyReadWaitsForCommitsToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "gives up its rights, which only root can (needs root)";
  std::filesystem::permissions(directory_.path(), std::filesystem::perms{0755});
  const mode_t before = ::umask(022);
  Database db{file_};
  ::umask(before);
  db.put("key", "0");
  Child reader{[&](Link& link) {
    ASSERT_EQ(::setuid(65534), 0);
    const Database mine{file_, {.read_only = true}};
    std::uint64_t seen = mine.snapshot().txn();
    EXPECT_EQ(mine.wait_for_commit(seen, 0ns), std::nullopt);
    EXPECT_EQ(mine.wait_for_commit(seen - 1), seen);
    link.send(0);
    for (int i = 1; i <= 20; ++i) {
      const auto newest = mine.wait_for_commit(seen, 200s);
      ASSERT_TRUE(newest.has_value());
      EXPECT_GT(*newest, seen);
      EXPECT_EQ(mine.get("key"), std::to_string(i));
      seen = *newest;
      link.send(static_cast<std::uint64_t>(i));
    }
  }};
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(reader.receive().has_value());
    db.put("key", std::to_string(i));
  }
  EXPECT_EQ(reader.wait(), 0);
}

}  // namespace
}  // namespace quire::test
