// Reader processes beside writer processes: every snapshot whole, in order, and never behind what
// was acknowledged.
#include <quire/quire.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include <sys/mman.h>

#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"

namespace quire::test {
namespace {

// Words that all processes of a test share.
struct SharedWords {
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<bool> stop{false};
};

class ReaderProcesses : public DatabaseTest {
 protected:
  void SetUp() override {
    void* memory = ::mmap(nullptr, sizeof(SharedWords), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    words_ = new (memory) SharedWords;
  }

  void TearDown() override {
    ::munmap(words_, sizeof(SharedWords));
    DatabaseTest::TearDown();
  }

  // Reads until told to stop. Tells the number of snapshots it has seen.
  void read_until_stopped(Link& link) const {
    Database db{file_};
    link.send(0);
    std::uint64_t last_txn = 0;
    std::uint64_t last_count = 0;
    std::uint64_t seen = 0;
    for (bool last_round = false; !last_round && !HasFailure(); ++seen) {
      last_round = words_->stop;
      const std::uint64_t acknowledged = words_->acknowledged;
      const Snapshot now = db.snapshot();
      const std::uint64_t count = expect_ledger(now);
      EXPECT_GE(count, acknowledged) << "a commit had returned before";
      EXPECT_GE(now.txn(), last_txn);
      EXPECT_GE(count, last_count);
      EXPECT_EQ(expect_ledger(now), count) << "the snapshot changed";
      last_txn = now.txn();
      last_count = count;
    }
    link.send(seen);
  }

  void acknowledge(std::uint64_t number) const {
    std::uint64_t before = words_->acknowledged;
    while (before < number && !words_->acknowledged.compare_exchange_weak(before, number)) {
    }
  }

  void run(std::uint64_t writers, std::uint64_t commits_each, Durability durability) {
    { Database{file_}; }
    std::vector<Child> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&](Link& link) { read_until_stopped(link); });
      ASSERT_TRUE(readers.back().receive().has_value());
    }
    std::vector<Child> committers;
    for (std::uint64_t i = 0; i < writers; ++i) {
      committers.emplace_back([&, i](Link&) {
        Database db{file_};
        for (std::uint64_t n = 0; n < commits_each; ++n) {
          acknowledge(advance(db, n % 16 == 0 ? Durability::full : durability));
          if (n % 200 == 50 * i) db.checkpoint();
        }
      });
    }
    for (Child& committer : committers) EXPECT_EQ(committer.wait(), 0);
    words_->stop = true;
    for (Child& reader : readers) {
      EXPECT_GT(reader.receive().value_or(0), 0u);
      EXPECT_EQ(reader.wait(), 0);
    }
    EXPECT_EQ(expect_ledger(Database{file_}), writers * commits_each);
  }

  SharedWords* words_ = nullptr;
};

TEST_F(ReaderProcesses, SeeWholeCommitsOfOneRelaxedWriter) {
  run(1, rounds(4000, 300), Durability::relaxed);
}

TEST_F(ReaderProcesses, SeeWholeCommitsOfOneFullWriter) {
  run(1, rounds(2000, 200), Durability::full);
}

TEST_F(ReaderProcesses, SeeWholeCommitsOfManyRelaxedWriters) {
  run(3, rounds(1200, 100), Durability::relaxed);
}

TEST_F(ReaderProcesses, SeeWholeCommitsOfManyFullWriters) {
  run(3, rounds(800, 80), Durability::full);
}

TEST_F(ReaderProcesses, SurviveWritersThatAreKilled) {
  Random random{choose_seed("SurviveWritersThatAreKilled")};
  { Database{file_}; }
  std::vector<Child> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&](Link& link) { read_until_stopped(link); });
    ASSERT_TRUE(readers.back().receive().has_value());
  }
  for (std::uint64_t round = 0; round < rounds(150, 20); ++round) {
    Child writer{[&](Link& link) {
      Database db{file_};
      for (;;) {
        const std::uint64_t number = advance(db, Durability::relaxed);
        acknowledge(number);
        link.send(number);
      }
    }};
    for (std::uint64_t n = random.below(30); n > 0; --n) ASSERT_TRUE(writer.receive().has_value());
    writer.kill();
  }
  words_->stop = true;
  for (Child& reader : readers) {
    EXPECT_GT(reader.receive().value_or(0), 0u);
    EXPECT_EQ(reader.wait(), 0);
  }
  EXPECT_GE(expect_ledger(Database{file_}), words_->acknowledged);
}

}  // namespace
}  // namespace quire::test
