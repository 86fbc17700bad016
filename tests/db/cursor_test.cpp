// The cursor is the iterator.
#include <quire/quire.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "support/database_test.h"

namespace quire::test {
namespace {

static_assert(std::bidirectional_iterator<Cursor>);
static_assert(std::ranges::bidirectional_range<const Range>);
static_assert(std::ranges::bidirectional_range<const TableView>);
static_assert(std::is_trivially_copyable_v<Entry>);

// A database whose default table holds "a", "c", "e", …: even letters are between its keys.
class Cursors : public DatabaseTest {
 protected:
  void SetUp() override {
    db_.emplace(file_);
    db_->write([](Transaction& tx) {
      for (char letter = 'a'; letter <= 'm'; letter = static_cast<char>(letter + 2)) {
        tx.table().put(std::string(1, letter), std::string(3, letter));
      }
    });
    snapshot_.emplace(db_->snapshot());
  }

  void TearDown() override {
    snapshot_.reset();
    db_.reset();
    DatabaseTest::TearDown();
  }

  TableView table() const { return std::as_const(*snapshot_).table(); }

  static std::string keys(const Range& range) {
    std::string all;
    for (auto [key, value] : range) all += key;
    return all;
  }

  std::optional<Database> db_;
  std::optional<Snapshot> snapshot_;
};

using CursorOfMany = DatabaseTest;
using CursorInTransaction = DatabaseTest;

TEST_F(Cursors, GoThroughAllEntriesInOrder) {
  std::string all;
  for (auto [key, value] : table()) {
    all += key;
    EXPECT_EQ(value, std::string(3, key[0]));
  }
  EXPECT_EQ(all, "acegikm");
}

TEST_F(Cursors, GoBackwardsFromTheEnd) {
  std::string all;
  for (Cursor at = table().end(); at != table().begin();) {
    --at;
    all += at.key();
  }
  EXPECT_EQ(all, "mkigeca");
}

TEST_F(Cursors, WorkInsideAReverseIterator) {
  std::string all;
  for (auto at = std::make_reverse_iterator(table().end());
       at != std::make_reverse_iterator(table().begin()); ++at) {
    all += (*at).key;
  }
  EXPECT_EQ(all, "mkigeca");
}

TEST_F(Cursors, WorkWithTheAlgorithmsOfTheStandardLibrary) {
  const TableView view = table();
  EXPECT_EQ(std::ranges::distance(view), 7);
  EXPECT_EQ(std::ranges::count_if(view, [](const Entry& e) { return e.key > "d"; }), 5);
  const Cursor found = std::ranges::find_if(view, [](const Entry& e) { return e.key > "f"; });
  EXPECT_EQ(found.key(), "g");
  EXPECT_EQ(std::ranges::next(table().begin(), 2)->key, "e");
  EXPECT_EQ(std::ranges::prev(table().end(), 2)->key, "k");
  EXPECT_EQ(std::next(table().begin(), 3).key(), "g");
  const std::vector<Entry> copied(table().begin(), table().end());
  EXPECT_EQ(copied.size(), 7u);
}

TEST_F(Cursors, SayWhetherTheyStandAtTheEnd) {
  EXPECT_TRUE(table().end().at_end());
  EXPECT_FALSE(table().begin().at_end());
  EXPECT_FALSE(table().find("m").at_end());
  EXPECT_TRUE((++table().find("m")).at_end());
  EXPECT_TRUE(table().find("b").at_end());
  EXPECT_TRUE(Cursor{}.at_end());
}

TEST_F(Cursors, StepsAndTheirInversesCancel) {
  Cursor at = table().find("e");
  EXPECT_EQ((++at).key(), "g");
  EXPECT_EQ((--at).key(), "e");
  EXPECT_EQ((at++).key(), "e");
  EXPECT_EQ((at--).key(), "g");
  EXPECT_EQ(at, table().find("e"));
  at = std::ranges::prev(table().end());
  ++at;
  EXPECT_EQ(at, table().end());
  EXPECT_EQ((--at).key(), "m");
}

TEST_F(Cursors, GiveKeyAndValueTogetherAndAlone) {
  const Cursor at = table().find("c");
  const auto [key, value] = *at;
  EXPECT_EQ(key, "c");
  EXPECT_EQ(value, "ccc");
  EXPECT_EQ(at.key(), "c");
  EXPECT_EQ(at.value(), "ccc");
  EXPECT_EQ(at->key, "c");
  EXPECT_EQ(at->value, "ccc");
}

TEST_F(Cursors, FindGivesTheEntryOrTheEnd) {
  EXPECT_EQ(table().find("a").key(), "a");
  EXPECT_EQ(table().find("m").key(), "m");
  EXPECT_EQ(table().find("b"), table().end());
  EXPECT_EQ(table().find(""), table().end());
  EXPECT_EQ(table().find("z"), table().end());
}

TEST_F(Cursors, BoundsEmbraceTheKey) {
  EXPECT_EQ(table().lower_bound(""), table().begin());
  EXPECT_EQ(table().upper_bound(""), table().begin());
  EXPECT_EQ(table().lower_bound("a"), table().begin());
  EXPECT_EQ(table().upper_bound("a").key(), "c");
  EXPECT_EQ(table().lower_bound("b").key(), "c");
  EXPECT_EQ(table().upper_bound("b").key(), "c");
  EXPECT_EQ(table().lower_bound("m").key(), "m");
  EXPECT_EQ(table().upper_bound("m"), table().end());
  EXPECT_EQ(table().lower_bound("n"), table().end());
}

TEST_F(Cursors, BoundsOfTheSamePositionAreEqualHoweverReached) {
  EXPECT_EQ(table().lower_bound("b"), table().find("c"));
  EXPECT_EQ(table().upper_bound("m"), table().end());
  EXPECT_EQ(std::next(table().find("a")), table().find("c"));
  EXPECT_NE(table().find("a"), table().find("c"));
}

TEST_F(Cursors, RangeIsHalfOpen) {
  EXPECT_EQ(keys(table().range("c", "g")), "ce");
  EXPECT_EQ(keys(table().range("b", "h")), "ceg");
  EXPECT_EQ(keys(table().range("", "z")), "acegikm");
  EXPECT_EQ(keys(table().range("c", "c")), "");
  EXPECT_EQ(keys(table().range("n", "z")), "");
}

TEST_F(Cursors, RangeWithLimitBeforeFirstIsEmpty) {
  EXPECT_TRUE(table().range("g", "c").empty());
  EXPECT_TRUE(table().range("z", "").empty());
  EXPECT_EQ(keys(table().range("g", "c")), "");
}

TEST_F(Cursors, ARangeGoesBackwardsToo) {
  const Range range = table().range("c", "k");
  std::string all;
  for (Cursor at = range.end(); at != range.begin();) all += (--at).key();
  EXPECT_EQ(all, "igec");
}

TEST_F(Cursors, OutliveTheViewTheyCameFrom) {
  Cursor at;
  {
    const TableView view = table();
    at = view.begin();
  }
  EXPECT_EQ((++at).key(), "c");
  std::string all;
  for (auto [key, value] : std::as_const(*snapshot_).table().range("e", "h")) all += key;
  EXPECT_EQ(all, "eg");
}

TEST_F(Cursors, StepsBeyondTheEdgesAreMisuse) {
  EXPECT_EQ(errc_of([&] { *table().end(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table().end().key(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table().end().value(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { ++table().end(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { --table().begin(); }), Errc::misuse);
  EXPECT_EQ(errc_of([] { *Cursor{}; }), Errc::misuse);
  EXPECT_EQ(errc_of([] {
              Cursor cursor;
              ++cursor;
            }),
            Errc::misuse);
}

TEST_F(Cursors, OfNoTableEqualNoneOfATable) {
  EXPECT_EQ(Cursor{}, Cursor{});
  EXPECT_NE(Cursor{}, table().begin());
  EXPECT_NE(Cursor{}, table().end());
}

TEST_F(Cursors, OfDifferentTablesAreNotEqual) {
  db_->write([](Transaction& tx) { tx.table("other").put("a", "1"); });
  const Snapshot now = db_->snapshot();
  EXPECT_NE(now.table().begin(), now.table("other").begin());
}

TEST_F(Cursors, CopiesMoveIndependently) {
  Cursor one = table().begin();
  Cursor other = one;
  ++one;
  EXPECT_EQ(other.key(), "a");
  EXPECT_EQ(one.key(), "c");
}

TEST_F(Cursors, PrefixFindsKeysThatBeginWithIt) {
  db_->write([](Transaction& tx) {
    Table table = tx.table("prefix");
    for (const char* key : {"", "a", "ab", "aba", "abb", "ac", "b", "\xff", "\xff\x61", "\xff\xff",
                            "\xff\xff\x61", "\xff\xff\xff"}) {
      table.put(key, "");
    }
    table.put(std::string("a\0b", 3), "");
  });
  const Snapshot now = db_->snapshot();
  const TableView view = now.table("prefix");
  const auto count = [&](Bytes prefix) { return std::ranges::distance(view.prefix(prefix)); };
  EXPECT_EQ(count(""), 13);
  EXPECT_EQ(count("a"), 6);
  EXPECT_EQ(count("ab"), 3);
  EXPECT_EQ(count("abc"), 0);
  EXPECT_EQ(count(Bytes("a\0", 2)), 1);
  EXPECT_EQ(count("\xff"), 5);
  EXPECT_EQ(count("\xff\xff"), 3);
  EXPECT_EQ(count("\xff\xff\xff"), 1);
  EXPECT_EQ(count("\xff\xff\xff\xff"), 0);
  EXPECT_EQ(count("a\xff"), 0);
  EXPECT_EQ(count(std::string(5000, '\xff')), 0);
  EXPECT_EQ(std::ranges::prev(view.prefix("a").end()).key(), "ac");
}

TEST_F(CursorOfMany, WalksThousandsOfEntriesInBothDirections) {
  Database db{file_};
  constexpr std::uint64_t kCount = 30'000;
  db.write([](Transaction& tx) {
    Table table = tx.table();
    for (std::uint64_t i = 0; i < kCount; ++i) table.put(big_endian(i * 2), std::to_string(i));
  });
  const Snapshot now = db.snapshot();
  const TableView table = now.table();
  Cursor at = table.begin();
  for (std::uint64_t i = 0; i < kCount; ++i, ++at) {
    ASSERT_EQ(at.key(), big_endian(i * 2));
    ASSERT_EQ(at.value(), std::to_string(i));
  }
  ASSERT_EQ(at, table.end());
  for (std::uint64_t i = kCount; i-- > 0;) ASSERT_EQ((--at).key(), big_endian(i * 2));
  EXPECT_EQ(at, table.begin());
  for (std::uint64_t i = 0; i < kCount; i += 37) {
    ASSERT_EQ(table.lower_bound(big_endian(i * 2 + 1)),
              i + 1 < kCount ? table.find(big_endian(i * 2 + 2)) : table.end());
    ASSERT_EQ(std::ranges::prev(table.lower_bound(big_endian(i * 2 + 1))).key(), big_endian(i * 2));
  }
}

TEST_F(CursorOfMany, ZigzagsAcrossLeafBorders) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 3000; ++i) tx.table().put(big_endian(i), pattern(200, i));
  });
  const Snapshot now = db.snapshot();
  Cursor at = now.table().begin();
  for (std::uint64_t i = 0; i + 2 < 3000; ++i) {
    ++at;
    ++at;
    --at;
    ASSERT_EQ(at.key(), big_endian(i + 1));
  }
}

TEST_F(CursorInTransaction, SeesTheTransactionsOwnWrites) {
  Database db{file_};
  db.put("b", "committed");
  db.write([](Transaction& tx) {
    Table table = tx.table();
    table.put("a", "new");
    EXPECT_EQ(entries(table), (Entries{{"a", "new"}, {"b", "committed"}}));
    table.erase("b");
    EXPECT_EQ(table.begin().key(), "a");
    EXPECT_EQ(std::next(table.begin()), table.end());
  });
}

TEST_F(CursorInTransaction, AChangeOfTheTableInvalidatesIt) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    table.put("a", "1");
    table.put("b", "2");
    const auto expect_invalid = [&](auto&& change) {
      Cursor at = table.begin();
      Cursor end = table.end();
      change();
      EXPECT_EQ(errc_of([&] { *at; }), Errc::misuse);
      EXPECT_EQ(errc_of([&] { at.key(); }), Errc::misuse);
      EXPECT_EQ(errc_of([&] { ++at; }), Errc::misuse);
      EXPECT_EQ(errc_of([&] { (void)end.at_end(); }), Errc::misuse);
      EXPECT_EQ(errc_of([&] { --end; }), Errc::misuse);
      at = table.begin();
      EXPECT_EQ(errc_of([&] { *at; }), std::nullopt) << "assigned anew";
    };
    expect_invalid([&] { table.put("c", "3"); });
    expect_invalid([&] { table.put("a", "replaced"); });
    expect_invalid([&] { table.insert("d", "4"); });
    expect_invalid([&] { table.erase("b"); });
    expect_invalid([&] { tx.table().put("e", "through another object"); });
    expect_invalid([&] {
      table.clear();
      table.put("f", "6");
    });
  });
}

TEST_F(CursorInTransaction, DroppingTheTableInvalidatesIt) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table("named").put("a", "1");
    const Cursor at = tx.table("named").begin();
    tx.drop("named");
    EXPECT_EQ(errc_of([&] { *at; }), Errc::misuse);
  });
}

TEST_F(CursorInTransaction, AChangeOfAnotherTableLeavesItAlone) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table one = tx.table("one");
    for (std::uint64_t i = 0; i < 1000; ++i) one.put(big_endian(i), pattern(100, i));
    Cursor at = one.find(big_endian(500));
    const Bytes value = at.value();
    Table other = tx.table("other");
    for (std::uint64_t i = 0; i < 1000; ++i) other.put(big_endian(i), pattern(1500, i));
    other.clear();
    tx.drop("other");
    EXPECT_EQ(value, pattern(100, 500));
    EXPECT_EQ((++at).key(), big_endian(501));
  });
}

TEST_F(CursorInTransaction, IsMisuseAfterTheTransactionHasEnded) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("a", "1");
  Cursor at = tx.table().begin();
  tx.commit();
  EXPECT_EQ(errc_of([&] { *at; }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { ++at; }), Errc::misuse);
}

TEST_F(CursorInTransaction, ErasesEveryOtherEntryByLookingUpTheNext) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    for (std::uint64_t i = 0; i < 2000; ++i) table.put(big_endian(i), "x");
    std::string next(1, '\0');
    for (Cursor at = table.begin(); at != table.end(); at = table.upper_bound(next)) {
      const std::string key{at.key()};
      EXPECT_TRUE(table.erase(key));
      const Cursor kept = table.upper_bound(key);
      if (kept == table.end()) break;
      next = kept.key();
    }
    EXPECT_EQ(table.size(), 1000u);
  });
}

}  // namespace
}  // namespace quire::test
