// How the log grows to what commits need.
#include <quire/inspect.h>
#include <quire/quire.h>

#include <cstdint>

#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class LogSize : public DatabaseTest {
 protected:
  // So much that it becomes `value_bytes` each of log and of data.
  static void put(Database& db, std::uint64_t first, std::uint64_t count, std::size_t value_bytes) {
    Transaction tx = db.begin();
    for (std::uint64_t i = first; i < first + count; ++i) {
      tx.table().put(big_endian(i), pattern(value_bytes, i));
    }
    tx.commit(Durability::relaxed);
  }
};

// Each of them was a checkpoint, and none saw a full log: it stayed as small as it was, and a load
// in transactions of 1.2 MB wrote the whole file a hundred times.
TEST_F(LogSize, CommitsThatDoNotFitMakeItGrowUntilTheyDo) {
  Database db{file_};
  std::uint64_t next = 0;
  const auto put_one = [&] {
    put(db, next, 1500, 1000);
    next += 1500;
  };
  for (int i = 0; i < 4; ++i) put_one();
  const Statistics grown = stat(db);
  EXPECT_GE(grown.log_bytes, 2 * kMiB);
  // One or two may still come from a log that grows or is full.
  for (int i = 0; i < 4; ++i) put_one();
  EXPECT_LT(stat(db).checkpoint_number, grown.checkpoint_number + 4);
  expect_sound(db);
}

TEST_F(LogSize, RecordsBehindACommitThatMadeItGrowAreReplayed) {
  Child writer{[&](Link& link) {
    Database db{file_};
    for (std::uint64_t i = 0; i < 4; ++i) put(db, i * 1500, 1500, 1000);
    EXPECT_GE(stat(db).log_bytes, 2 * kMiB);
    put(db, 6000, 1500, 1000);
    link.send(0);
    link.receive();
  }};
  ASSERT_TRUE(writer.receive().has_value());
  writer.kill();
  const Database db{file_};
  EXPECT_EQ(entries(db).size(), 7500u);
  expect_sound(db);
}

TEST_F(LogSize, OneLargeLoadLeavesItSmall) {
  Database db{file_};
  const std::uint64_t before = stat(db).log_bytes;
  put(db, 0, 20'000, 1000);
  EXPECT_EQ(stat(db).log_bytes, before);
  expect_sound(db);
}

// However fast: where they come slowly, the log grows after it has once been full.
TEST_F(LogSize, ManySmallCommitsMakeItAsLargeAsTheDataJustifies) {
  Database db{file_};
  put(db, 0, 20'000, 1000);
  for (std::uint64_t i = 0; i < 20'000 && stat(db).log_bytes < 16 * kMiB; ++i) {
    put(db, i * 7 % 20'000, 1, 1000);
  }
  EXPECT_GE(stat(db).log_bytes, 16 * kMiB);
  EXPECT_LE(stat(db).log_bytes, 48 * kMiB);
  expect_sound(db);
}

// It asked anew after every half MiB, each time with a checkpoint that nobody could commit beside.
TEST_F(LogSize, WhereThereIsNoRoomItStaysAndCommitsGoOn) {
  {
    Database{file_}.write([](Transaction& tx) { tx.table().put("small", "file"); });
  }
  Database db{file_, {.reserve = 32 * kMiB}};
  put(db, 0, 14'000, 1000);
  const std::uint64_t before = stat(db).checkpoint_number;
  for (std::uint64_t i = 0; i < 12'000; ++i) put(db, i * 7 % 14'000, 1, 1000);
  EXPECT_LT(stat(db).log_bytes, 16 * kMiB);
  EXPECT_GT(stat(db).checkpoint_number, before);
  expect_sound(db);
}

}  // namespace
}  // namespace quire::test
