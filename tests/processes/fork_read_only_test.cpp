// A fork while a process that may only read pins states, or replays a log into its own memory: the
// child opens anew, and what the parent has pinned stays.
#include <quire/quire.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "base/test_points.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kForks = 20;
const Options kReadOnly{.read_only = true};

std::atomic<int> replays_running = 0;

// Long enough that forks come in the middle of it.
void linger_in_replays(const char* crash_point, std::uint64_t, std::uint64_t) {
  if (std::string_view{crash_point} != "recovery: log scanned") return;
  ++replays_running;
  ::usleep(20'000);
}

class ForkOfAReader : public DatabaseTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "gives up its rights, which only root can (needs root)";
    if (kSanitized)
      GTEST_SKIP() << "a sanitizer's allocator may be locked by a thread when it forks";
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0755});
    before_ = ::umask(022);
  }
  void TearDown() override {
    test_points::reached = nullptr;
    ::umask(before_);
    DatabaseTest::TearDown();
  }

  static void overwrite(Database& db, std::uint64_t commits) {
    for (std::uint64_t i = 0; i < commits; ++i) {
      db.put(big_endian(i % 50), pattern(300, i + 7));
      if (i % 100 == 99) db.checkpoint();
    }
  }

  mode_t before_ = 0;
};

TEST_F(ForkOfAReader, WhileItPinsLeavesTheParentsPins) {
  Database db{file_, {.durability = Durability::relaxed}};
  overwrite(db, 100);
  const Tables expected = tables_of(db);
  Child reader{[&](Link& link) {
    ASSERT_EQ(::setuid(kNobody), 0);
    Database mine{file_, kReadOnly};
    std::optional<Snapshot> held = mine.snapshot();
    const std::uint64_t oldest = held->txn();
    link.send(1);
    std::atomic<bool> is_over = false;
    std::thread pinning([&] {
      while (!is_over) EXPECT_GE(mine.snapshot().txn(), oldest);
    });
    for (int i = 0; i < kForks; ++i) {
      run_in_child([&] {
        EXPECT_EQ(errc_of([&] { mine.snapshot(); }), Errc::forked);
        EXPECT_EQ(errc_of([&] { held->table(); }), Errc::forked);
        EXPECT_GE(Database(file_, kReadOnly).snapshot().txn(), oldest);
        held.reset();  // the descriptor that carries the pins is the parent's as well
      });
      EXPECT_EQ(entries(held->table()), expected.at(""));
    }
    is_over = true;
    pinning.join();
    link.send(2);
    link.receive();
    EXPECT_EQ(entries(held->table()), expected.at(""));
  }};
  ASSERT_EQ(reader.receive(), 1u);
  overwrite(db, 2000);
  ASSERT_EQ(reader.receive(), 2u);
  overwrite(db, 2000);
  reader.send(1);
  EXPECT_EQ(reader.wait(), 0);
}

TEST_F(ForkOfAReader, WhileItReplaysLeavesWhatItHasPinned) {
  const std::vector<Tables> states = make_unclean(file_);
  Child reader{[&](Link& link) {
    ASSERT_EQ(::setuid(kNobody), 0);
    test_points::reached = linger_in_replays;
    for (int i = 0; i < kForks; ++i) {
      replays_running = 0;
      std::thread replaying([&] {
        const Database db{file_, kReadOnly};
        EXPECT_EQ(tables_of(db), states.back());
      });
      while (replays_running == 0) std::this_thread::yield();
      run_in_child([&] {
        test_points::reached = nullptr;
        EXPECT_EQ(tables_of(Database{file_, kReadOnly}), states.back());
      });
      replaying.join();
    }
    const Database mine{file_, kReadOnly};
    const Snapshot held = mine.snapshot();
    run_in_child([&] { EXPECT_EQ(tables_of(Database{file_, kReadOnly}), states.back()); });
    link.send(1);
    link.receive();
    EXPECT_EQ(entries(held.table()), states.back().at(""));
  }};
  ASSERT_EQ(reader.receive(), 1u);
  {
    Database db{file_, {.durability = Durability::relaxed}};
    overwrite(db, 2000);
  }
  reader.send(1);
  EXPECT_EQ(reader.wait(), 0);
}

}  // namespace
}  // namespace quire::test
