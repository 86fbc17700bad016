// Processes that are killed with savepoints open, between them and after them.
#include <quire/quire.h>

#include <cstdint>
#include <string>

#include <signal.h>

#include "base/test_points.h"
#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

std::uint64_t points_left = 0;

void die_at_the_last_point(const char*, std::uint64_t, std::uint64_t) {
  if (--points_left == 0) ::raise(SIGKILL);
}

void change(Transaction& tx, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < 20; ++i) {
    tx.table().put(big_endian((i * 7 + seed) % 60), pattern(200, seed + i));
  }
  tx.table("large").put("value", pattern(9000, seed));
  tx.drop("made");
  tx.table("made").put("a", std::to_string(seed));
}

// Everything that savepoints can do; in the end the database holds what `change(tx, 5)` makes.
void change_by_way_of_savepoints(Transaction& tx) {
  Savepoint outer = tx.savepoint();
  change(tx, 2);
  Savepoint inner = tx.savepoint();
  change(tx, 3);
  inner.release();
  outer.rollback();
  change(tx, 5);
  {
    const Savepoint undone = tx.savepoint();
    change(tx, 4);
  }
  outer.release();
}

class KilledInSavepoints : public DatabaseTest {
 protected:
  void TearDown() override {
    test_points::reached = nullptr;
    DatabaseTest::TearDown();
  }
};

TEST_F(KilledInSavepoints, LeavesNothingOrAll) {
  Database db{file_};
  const auto start = [&] {
    db.write([](Transaction& tx) {
      tx.table().clear();
      change(tx, 1);
    });
  };
  start();
  const Entries before = entries(db);
  int deaths = 0;
  for (std::uint64_t point = 1;; point += rounds(1, 9)) {
    Child child{[&](Link&) {
      Database mine{file_};
      points_left = point;
      test_points::reached = die_at_the_last_point;
      mine.write(change_by_way_of_savepoints);
      test_points::reached = nullptr;
    }};
    const int code = child.wait();
    const Entries now = entries(db);
    if (code == 0) break;
    ASSERT_EQ(code, -SIGKILL);
    ++deaths;
    if (now != before) {  // committed before it died
      EXPECT_EQ(entries(db, "made"), (Entries{{"a", "5"}}));
      EXPECT_EQ(now.at(big_endian(5)), pattern(200, 5));
    }
    start();
    EXPECT_EQ(entries(db), before);
    if (point % 16 == 1) expect_sound(db);
    ASSERT_FALSE(HasFailure()) << "killed at point " << point;
  }
  EXPECT_GT(deaths, 5);
  EXPECT_EQ(entries(db, "made"), (Entries{{"a", "5"}}));
}

}  // namespace
}  // namespace quire::test
