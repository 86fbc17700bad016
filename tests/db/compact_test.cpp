// Making a file smaller while it is in use.
#include <quire/quire.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "support/database_test.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class Compacting : public DatabaseTest {
 protected:
  // Large at first, then only every tenth entry stays.
  static void fill_and_thin(Database& db) {
    db.write([](Transaction& tx) {
      Table table = tx.table();
      Table large = tx.table("large");
      for (std::uint64_t i = 0; i < 60'000; ++i) table.put(big_endian(i), pattern(100, i));
      for (std::uint64_t i = 0; i < 200; ++i) large.put(big_endian(i), pattern(30'000, i));
    });
    db.write([](Transaction& tx) {
      Table table = tx.table();
      Table large = tx.table("large");
      for (std::uint64_t i = 0; i < 60'000; ++i) {
        if (i % 10 != 9) table.erase(big_endian(i));
      }
      for (std::uint64_t i = 0; i < 180; ++i) large.erase(big_endian(i));
    });
  }

  static CompactReport compact_all(Database& db, std::uint64_t step_bytes) {
    CompactReport report;
    for (int step = 0; step < 1000; ++step) {
      report = compact(db, step_bytes);
      if (report.is_done) return report;
    }
    ADD_FAILURE() << "never done";
    return report;
  }
};

TEST_F(Compacting, InSmallStepsMovesTheEndDown) {
  Database db{file_};
  fill_and_thin(db);
  const Entries before = entries(db);
  const Entries large = entries(db, "large");
  const CompactReport first = compact(db, kMiB);
  EXPECT_FALSE(first.is_done);
  const CompactReport last = compact_all(db, kMiB);
  EXPECT_LT(last.used_bytes, first.used_bytes / 2);
  EXPECT_LT(last.used_bytes, last.wanted_bytes + last.wanted_bytes / 4 + kMiB);
  EXPECT_EQ(entries(db), before);
  EXPECT_EQ(entries(db, "large"), large);
  expect_sound(db);
}

// The smallest steps were done at once, and so were those of 1 MiB among pages of 64 KiB.
TEST_F(Compacting, InTheSmallestStepsIsNotDoneEarlier) {
  Database db{file_};
  fill_and_thin(db);
  const CompactReport first = compact(db, 1);
  EXPECT_FALSE(first.is_done);
  const CompactReport last = compact_all(db, 1);
  EXPECT_LT(last.used_bytes, first.used_bytes / 2);
  EXPECT_TRUE(compact(db, kMiB).is_done);
  expect_sound(db);
}

TEST_F(Compacting, IsForTheLastCloseToCut) {
  std::uint64_t open_bytes = 0;
  {
    Database db{file_};
    fill_and_thin(db);
    compact_all(db, 2 * kMiB);
    open_bytes = std::filesystem::file_size(file_);
  }
  EXPECT_LT(std::filesystem::file_size(file_), open_bytes / 2);
}

TEST_F(Compacting, GoesOnBesideWritersAndSnapshots) {
  Database db{file_};
  fill_and_thin(db);
  const Snapshot before = db.snapshot();
  const Entries seen = entries(before.table());
  std::atomic<bool> is_done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; !is_done; ++i) {
      db.write(
          [&](Transaction& tx) { tx.table("beside").put(big_endian(i % 500), pattern(50, i)); });
    }
  });
  for (int step = 0; step < 30; ++step) compact(db, kMiB / 4);
  is_done = true;
  writer.join();
  EXPECT_EQ(entries(before.table()), seen);
  EXPECT_EQ(entries(db), seen);
  expect_sound(db);
}

TEST_F(Compacting, OfASmallFileHasNothingToDo) {
  Database db{file_};
  EXPECT_TRUE(compact(db).is_done);
  db.put("key", "value");
  EXPECT_TRUE(compact(db).is_done);
  Database reading{file_, {.read_only = true}};
  EXPECT_EQ(errc_of([&] { compact(reading); }), Errc::read_only);
}

}  // namespace
}  // namespace quire::test
