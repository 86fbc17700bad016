// Calls that look and change at once, and changes at a cursor.
#include <quire/quire.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "support/database_test.h"

namespace quire::test {
namespace {

using Updates = DatabaseTest;
using Counters = DatabaseTest;
using WritingCursors = DatabaseTest;

TEST_F(Updates, ReplaceOnlyWhatIsThere) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    EXPECT_FALSE(table.replace("a", "1"));
    EXPECT_TRUE(table.empty());
    table.put("a", "1");
    EXPECT_TRUE(table.replace("a", pattern(20'000, 1)));
    EXPECT_EQ(table.get("a"), pattern(20'000, 1));
    EXPECT_FALSE(tx.table("none").replace("a", "1"));
  });
  EXPECT_TRUE(db.snapshot().tables().empty());
}

TEST_F(Updates, InsertOrGetGivesWhatIsThereAfterwards) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  const Table::Got first = table.insert_or_get("a", "1");
  EXPECT_TRUE(first.is_new);
  EXPECT_EQ(first.value, "1");
  const Table::Got second = table.insert_or_get("a", "2");
  EXPECT_FALSE(second.is_new);
  EXPECT_EQ(second.value, "1");
  EXPECT_EQ(table.insert_or_get("large", pattern(30'000, 1)).value, pattern(30'000, 1));
  // Of a run that is written in memory first.
  for (std::uint64_t i = 0; i < 500; ++i) {
    const std::string key = "run " + big_endian(i);
    ASSERT_EQ(table.insert_or_get(key, key).value, key);
  }
  // Keys that point into pages that the insertion changes.
  for (std::uint64_t i = 0; i < 500; ++i) {
    const Bytes whole = table.nth(i).key();
    const Table::Got got = table.insert_or_get(whole.substr(0, whole.size() - 1), "cut");
    ASSERT_TRUE(!got.is_new || got.value == "cut");
  }
  tx.commit();
}

TEST_F(Updates, TakeErasesAndReturns) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    table.put("a", "1");
    table.put("large", pattern(30'000, 1));
    EXPECT_EQ(table.take("none"), std::nullopt);
    EXPECT_EQ(table.take("a"), "1");
    EXPECT_EQ(table.take("a"), std::nullopt);
    EXPECT_EQ(table.take("large"), pattern(30'000, 1));
    EXPECT_TRUE(table.empty());
  });
}

TEST_F(Updates, CompareAndSwapChangesOnlyWhatIsAsExpected) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    EXPECT_FALSE(table.compare_and_swap("a", "1", "2"));
    EXPECT_TRUE(table.compare_and_swap("a", std::nullopt, std::nullopt));
    EXPECT_TRUE(table.empty());
    EXPECT_TRUE(table.compare_and_swap("a", std::nullopt, "1"));
    EXPECT_FALSE(table.compare_and_swap("a", std::nullopt, "3"));
    EXPECT_FALSE(table.compare_and_swap("a", "", "3"));
    EXPECT_TRUE(table.compare_and_swap("a", "1", "2"));
    EXPECT_EQ(table.get("a"), "2");
    EXPECT_FALSE(table.compare_and_swap("a", "1", std::nullopt));
    EXPECT_TRUE(table.compare_and_swap("a", table.get("a"), std::nullopt));
    EXPECT_FALSE(table.contains("a"));
  });
}

TEST_F(Updates, UpdateAppliesAFunction) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    const auto longer = [](std::optional<Bytes> value) {
      return std::string(value.value_or("")) + "x";
    };
    table.update("a", longer);
    table.update("a", longer);
    EXPECT_EQ(table.get("a"), "xx");
    table.update("a", [](std::optional<Bytes> value) -> std::optional<std::string> {
      EXPECT_EQ(value, "xx");
      return std::nullopt;
    });
    EXPECT_TRUE(table.empty());
    table.update("b", [](std::optional<Bytes> value) -> std::optional<std::string> {
      EXPECT_FALSE(value.has_value());
      return std::nullopt;
    });
    EXPECT_THROW(table.update("a",
                              [](std::optional<Bytes>) -> std::optional<std::string> {
                                throw std::runtime_error("no");
                              }),
                 std::runtime_error);
    EXPECT_TRUE(table.empty());
    table.put("c", "the transaction goes on");
  });
  EXPECT_EQ(db.get("c"), "the transaction goes on");
}

TEST_F(Counters, AddUpAndSortAsNumbersDo) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    EXPECT_EQ(table.add("a", 5), 5);
    EXPECT_EQ(table.add("a", -7), -2);
    EXPECT_EQ(table.get("a"), Bytes("\x7f\xff\xff\xff\xff\xff\xff\xfe", 8));
    EXPECT_EQ(table.add("b", 1), 1);
    EXPECT_EQ(table.get("b"), Bytes("\x80\0\0\0\0\0\0\1", 8));
    EXPECT_LT(*table.get("a"), *table.get("b"));
  });
  db.write([](Transaction& tx) { EXPECT_EQ(tx.table().add("a", 2), 0); });
}

TEST_F(Counters, AreWhatTypedTablesRead) {
  Database db{file_};
  const TableDef<std::string, std::int64_t> counts{"counts"};
  db.write([&](Transaction& tx) {
    tx.table("counts").add("a", -3);
    EXPECT_EQ(tx.table(counts).get("a"), -3);
    tx.table(counts).put("a", std::numeric_limits<std::int64_t>::max() - 1);
    EXPECT_EQ(tx.table("counts").add("a", 1), std::numeric_limits<std::int64_t>::max());
  });
}

TEST_F(Counters, RefuseWhatIsNone) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    table.put("text", "hello");
    EXPECT_EQ(errc_of([&] { table.add("text", 1); }), Errc::misuse);
    EXPECT_EQ(table.get("text"), "hello");
    table.add("high", std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(errc_of([&] { table.add("high", 1); }), Errc::misuse);
    table.add("low", std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(errc_of([&] { table.add("low", -1); }), Errc::misuse);
    EXPECT_EQ(table.add("low", std::numeric_limits<std::int64_t>::max()), -1);
  });
  EXPECT_EQ(db.get("text"), "hello");
}

TEST_F(WritingCursors, EraseAndGoOnWithTheNext) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    for (std::uint64_t i = 0; i < 3000; ++i) table.put(big_endian(i), pattern(60, i));
    std::uint64_t number = 0;
    for (Cursor at = table.begin(); at != table.end(); ++number) {
      ASSERT_EQ(at.key(), big_endian(number));
      if (number % 3 == 0) {
        at = table.erase(at);
      } else {
        ++at;
      }
    }
    EXPECT_EQ(number, 3000u);
    EXPECT_EQ(table.size(), 2000u);
    EXPECT_EQ(table.erase(table.find(big_endian(2999))), table.end());
  });
}

TEST_F(WritingCursors, PutAndStayAtTheEntry) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    for (std::uint64_t i = 0; i < 2000; ++i) table.put(big_endian(i), "short");
    std::uint64_t number = 0;
    for (Cursor at = table.begin(); at != table.end(); ++at, ++number) {
      const std::string value = pattern(number % 50 == 0 ? 9000 : number % 700, number);
      at = table.put(at, value);
      ASSERT_EQ(at.key(), big_endian(number));
      ASSERT_EQ(at.value(), value);
    }
    EXPECT_EQ(number, 2000u);
  });
}

// Through splits, merges, extents and parts that are undone.
TEST_F(WritingCursors, StandWhereAMapStands) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random{kSeed};
  Database db{file_};
  Entries expected;
  Transaction tx = db.begin();
  Table table = tx.table();
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const std::string key = big_endian(random.below(100'000));
    table.put(key, expected[key] = pattern(random.below(300), i));
  }
  for (int round = 0; round < 30; ++round) {
    Savepoint part = tx.savepoint();
    const Entries before = expected;
    const std::string first = big_endian(random.below(100'000));
    Cursor at = table.lower_bound(first);
    auto wanted = expected.lower_bound(first);
    for (int step = 0; step < 300 && wanted != expected.end(); ++step) {
      ASSERT_EQ(at.key(), wanted->first);
      const std::uint64_t choice = random.below(8);
      if (choice < 3) {
        at = table.erase(at);
        wanted = expected.erase(wanted);
      } else if (choice < 6) {
        wanted->second = pattern(random.below(choice == 5 ? 6000 : 700), random.next());
        at = table.put(at, wanted->second);
        ASSERT_EQ(at.value(), wanted->second);
      } else if (choice == 6 && wanted != expected.begin()) {
        ASSERT_EQ((--at).key(), (--wanted)->first);
      } else {
        ++at;
        ++wanted;
      }
    }
    EXPECT_EQ(at.at_end(), wanted == expected.end());
    if (round % 3 == 2) {
      part.rollback();
      expected = before;
    }
    part.release();
    ASSERT_EQ(entries(table), expected);
  }
  tx.commit();
  EXPECT_EQ(entries(db), expected);
}

TEST_F(WritingCursors, InvalidateTheOthers) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  table.put("a", "1");
  const Cursor other = table.begin();
  const Cursor at = table.put(table.begin(), "2");
  EXPECT_EQ(at.value(), "2");
  EXPECT_EQ(errc_of([&] { (void)other.value(); }), Errc::misuse);
  EXPECT_EQ(table.erase(at), table.end());
}

}  // namespace
}  // namespace quire::test
