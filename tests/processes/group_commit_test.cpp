// One flush for the commits of many: threads and processes that commit at the same time.
#include <quire/quire.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "db/handles.h"
#include "storage/system.h"
#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

constexpr int kCommitters = 8;

std::atomic<std::uint64_t> flush_count = 0;
const storage::System kReal = storage::system;

// A flush takes so long that everybody else comes meanwhile.
int slow_msync(void* address, std::size_t size_bytes, int flags) {
  ++flush_count;
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return kReal.msync(address, size_bytes, flags);
}

class GroupCommit : public DatabaseTest {
 protected:
  void SetUp() override {
    Database{file_}.put("first", "write");
    storage::system.msync = slow_msync;
  }
  void TearDown() override {
    storage::system = kReal;
    DatabaseTest::TearDown();
  }

  void expect_all_there(std::uint64_t commits_each) const {
    const Database db{file_};
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.table().size(), kCommitters * commits_each + 1);
  }

  // Every second flush at least covers several commits, however the threads are scheduled.
  void commit_from_threads(std::uint64_t commits_each) {
    Database db{file_};
    db.put("first", "write again");
    flush_count = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kCommitters; ++i) {
      threads.emplace_back([&, i] {
        for (std::uint64_t n = 0; n < commits_each; ++n) {
          db.put(std::to_string(i) + "/" + std::to_string(n), "value");
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_LT(flush_count, kCommitters * commits_each / 2);
  }
};

TEST_F(GroupCommit, OfThreadsSharesFlushes) {
  commit_from_threads(20);
  expect_all_there(20);
}

TEST_F(GroupCommit, OfProcessesSharesFlushes) {
  constexpr std::uint64_t kEach = 20;
  {
    std::vector<Child> children;
    for (int i = 0; i < kCommitters; ++i) {
      children.emplace_back([&, i](Link& link) {
        Database db{file_};
        db.put("first", "write again");
        flush_count = 0;
        for (std::uint64_t n = 0; n < kEach; ++n) {
          db.put(std::to_string(i) + "/" + std::to_string(n), "value");
        }
        link.send(flush_count);
      });
    }
    std::uint64_t flushes = 0;
    for (Child& child : children) flushes += child.receive().value_or(UINT32_MAX);
    for (Child& child : children) EXPECT_EQ(child.wait(), 0);
    EXPECT_LT(flushes, kCommitters * kEach / 2);
  }
  expect_all_there(kEach);
}

// The leader knows from the flush before that two commit at a time.
TEST_F(GroupCommit, WaitsForAsManyAsCameLastTime) {
  Database db{file_};
  db.put("first", "write again");
  auto& control = detail::Access::store(db).control();
  control.group_sizes = 2;
  control.flush_nanos = std::uint64_t{600} * 1'000'000'000;
  flush_count = 0;
  std::thread leader([&] { db.put("a", "1"); });
  while (detail::Access::store(db).visible() == detail::Access::store(db).published()) {
    std::this_thread::yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(db.get("a").has_value()) << "not yet durable, so not to be seen";
  EXPECT_EQ(flush_count, 0U);
  db.put("b", "2");
  leader.join();
  EXPECT_EQ(flush_count, 1U);
  EXPECT_EQ(db.get("a"), "1");
}

TEST_F(GroupCommit, DoesNotWaitWhenNobodyCameLately) {
  Database db{file_};
  for (int i = 0; i < 4; ++i) db.put("alone", std::to_string(i));
  detail::Access::store(db).control().flush_nanos = std::uint64_t{600} * 1'000'000'000;
  db.put("alone", "done");
  EXPECT_EQ(db.get("alone"), "done");
}

TEST_F(GroupCommit, DoesNotCountRelaxedCommitsAsCompany) {
  Database db{file_};
  db.put("first", "write again");
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      Transaction tx = db.begin();
      tx.table().put("relaxed", std::to_string(i));
      tx.commit(Durability::relaxed);
    }
    db.put("full", std::to_string(round));
  }
  const std::uint64_t sizes = detail::Access::store(db).control().group_sizes;
  EXPECT_EQ(sizes & UINT32_MAX, 1U);
  EXPECT_EQ(sizes >> 32, 1U);
}

TEST_F(GroupCommit, DoesNotCountCommitsByCheckpointAsCompany) {
  Database db{file_};
  db.put("first", "write again");
  for (int round = 0; round < 3; ++round) {
    db.write([](Transaction& tx) {
      for (int i = 0; i < 3000; ++i) tx.table().put(std::to_string(i), std::string(900, 'x'));
    });
  }
  db.put("small", "one");
  EXPECT_EQ(detail::Access::store(db).control().group_sizes & UINT32_MAX, 1U);
}

// Or the next leaders would wait for company as long as it was stopped.
TEST_F(GroupCommit, DoesNotTakeAStoppedLeaderForASlowDisk) {
  Database db{file_};
  db.put("first", "write again");
  storage::system.msync = [](void* address, std::size_t size_bytes, int flags) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    return kReal.msync(address, size_bytes, flags);
  };
  db.put("slow", "write");
  storage::system = kReal;
  EXPECT_LE(detail::Access::store(db).control().flush_nanos, 100'000'000U);
}

// A leader that was killed while it waited for company leaves nobody behind.
TEST_F(GroupCommit, GoesOnWhenTheLeaderIsKilledWaiting) {
  Database db{file_};
  db.put("first", "write again");
  Child leader{[&](Link& link) {
    Database own{file_};
    auto& control = detail::Access::store(own).control();
    control.group_sizes = 2;
    control.flush_nanos = std::uint64_t{600} * 1'000'000'000;
    link.send(1);
    own.put("leader", "1");
  }};
  leader.receive();
  while (detail::Access::store(db).visible() == detail::Access::store(db).published()) {
    std::this_thread::yield();
  }
  leader.kill();
  detail::Access::store(db).control().flush_nanos = 0;
  db.put("survivor", "2");
  EXPECT_EQ(db.get("leader"), "1") << "it was committed; the next flush has covered it";
  EXPECT_EQ(db.get("survivor"), "2");
}

}  // namespace
}  // namespace quire::test
