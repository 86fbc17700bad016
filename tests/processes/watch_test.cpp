// Waiting for commits of other threads and processes.
#include <quire/quire.h>

#include <chrono>
#include <string>
#include <thread>

#include "db/handles.h"
#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kLong = 200s;

class WaitForCommit : public DatabaseTest {};

TEST_F(WaitForCommit, WakesForACommitOfAnotherProcess) {
  Database db{file_};
  db.put("key", "0");
  Child writer{[&](Link& link) {
    Database own{file_};
    while (const auto value = link.receive()) own.put("key", std::to_string(*value));
  }};
  std::uint64_t seen = db.snapshot().txn();
  for (std::uint64_t i = 1; i <= 100; ++i) {
    writer.send(i);
    const auto newest = db.wait_for_commit(seen, kLong);
    ASSERT_TRUE(newest.has_value());
    EXPECT_GT(*newest, seen);
    EXPECT_EQ(db.get("key"), std::to_string(i)) << "it can be seen at once";
    seen = *newest;
  }
}

TEST_F(WaitForCommit, ReturnsAtOnceWhenThereIsOneAlready) {
  Database db{file_};
  const std::uint64_t before = db.snapshot().txn();
  db.put("a", "1");
  db.put("a", "2");
  EXPECT_EQ(db.wait_for_commit(before, 0ns), db.snapshot().txn());
  EXPECT_EQ(db.wait_for_commit(before), db.snapshot().txn());
}

TEST_F(WaitForCommit, GivesUpAfterItsTime) {
  const Database db{file_};
  EXPECT_EQ(db.wait_for_commit(db.snapshot().txn(), 0ns), std::nullopt);
  EXPECT_EQ(db.wait_for_commit(db.snapshot().txn(), 120ms), std::nullopt);
  EXPECT_EQ(db.wait_for_commit(db.snapshot().txn(), -1s), std::nullopt);
}

TEST_F(WaitForCommit, SeesCommitsOfEveryKind) {
  Database db{file_};
  std::uint64_t seen = db.snapshot().txn();
  const auto commit = [&](Durability durability, std::size_t value_count) {
    std::thread writer([&] {
      Transaction tx = db.begin();
      for (std::size_t i = 0; i < value_count; ++i) {
        tx.table().put(std::to_string(i), std::string(900, 'x'));
      }
      tx.commit(durability);
    });
    const auto newest = db.wait_for_commit(seen, kLong);
    writer.join();
    ASSERT_TRUE(newest.has_value());
    seen = *newest;
  };
  commit(Durability::full, 1);
  commit(Durability::relaxed, 1);
  commit(Durability::full, 5000);  // by a checkpoint
}

TEST_F(WaitForCommit, IsNotWokenByWhatDoesNotCommit) {
  Database db{file_};
  db.put("a", "1");
  const std::uint64_t seen = db.snapshot().txn();
  std::thread other([&] {
    Transaction tx = db.begin();
    tx.table().put("b", "2");
    tx.rollback();
    db.checkpoint();
    db.sync();
  });
  EXPECT_EQ(db.wait_for_commit(seen, 100ms), std::nullopt);
  other.join();
}

// Who published was killed before it could wake anybody.
TEST_F(WaitForCommit, SurvivesALostWakeUp) {
  Database db{file_};
  db.put("a", "1");
  const std::uint64_t seen = db.snapshot().txn();
  auto& store = detail::Access::store(db);
  std::thread silent([&] {
    while ((store.control().commit_event.load() & 1) == 0) std::this_thread::yield();
    Transaction tx = db.begin();
    tx.table().put("a", "2");
    const std::uint32_t mark = store.control().commit_event.load();
    store.control().commit_event.store(mark & ~1U);  // nobody seems to sleep: no call wakes anybody
    tx.commit();
  });
  EXPECT_TRUE(db.wait_for_commit(seen, kLong).has_value());
  silent.join();
}

TEST_F(WaitForCommit, EndsWhenNoneCanComeAnyMore) {
  const Database db{file_};
  auto& store = detail::Access::store(db);
  std::thread other([&] { store.control().poisoned.store(1); });
  EXPECT_EQ(errc_of([&] { db.wait_for_commit(db.snapshot().txn()); }), Errc::poisoned);
  other.join();
  store.control().poisoned.store(0);
}

}  // namespace
}  // namespace quire::test
