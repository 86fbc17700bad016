// Ranges: erased at once, estimated, sampled.
#include <quire/quire.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/database_test.h"

namespace quire::test {
namespace {

class ErasedRanges : public DatabaseTest {
 protected:
  // As recovery makes it of a copy of the file's bytes while the database is open.
  Entries recovered() const {
    const std::filesystem::path copy = directory_.file("recovered");
    write_file(copy, read_file(file_));
    Entries all;
    {
      const Database db{copy};
      all = entries(db);
      expect_sound(db);
    }
    std::filesystem::remove(copy);
    std::filesystem::remove(lock_file_of(copy));
    return all;
  }

  static void fill(Database& db, std::uint64_t count) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < count; ++i) tx.table().put(big_endian(i), pattern(50, i));
      tx.table().put(big_endian(count / 2), pattern(50'000, 1));
    });
  }
};

using ErasedRangeMisuse = ErasedRanges;
using Estimated = ErasedRanges;

TEST_F(ErasedRanges, AreGoneAndTheRestIsThere) {
  Database db{file_};
  fill(db, 10'000);
  Entries expected = entries(db);
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    EXPECT_EQ(table.erase(big_endian(100), big_endian(9000)), 8900u);
    EXPECT_EQ(table.erase(big_endian(100), big_endian(9000)), 0u);
    EXPECT_EQ(table.erase(Range{table.lower_bound(big_endian(9900)), table.end()}), 100u);
    EXPECT_EQ(table.size(), 1000u);
    table.put("z", "after");
  });
  expected.erase(expected.find(big_endian(100)), expected.find(big_endian(9000)));
  expected.erase(expected.find(big_endian(9900)), expected.end());
  expected["z"] = "after";
  EXPECT_EQ(entries(db), expected);
  EXPECT_EQ(recovered(), expected);
}

TEST_F(ErasedRanges, ByPrefixTakeWhatBeginsSo) {
  Database db{file_};
  const std::string high = "\xff\xff";
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    for (const char* key : {"a", "ab", "abc", "abd", "ac", "b"}) table.put(key, key);
    table.put(high, "1");
    table.put(high + "x", "2");
    EXPECT_EQ(table.erase_prefix("ab"), 3u);
    EXPECT_EQ(table.erase_prefix("nothing"), 0u);
    EXPECT_EQ(table.erase_prefix(high), 2u);
  });
  const Entries left = {{"a", "a"}, {"ac", "ac"}, {"b", "b"}};
  EXPECT_EQ(entries(db), left);
  EXPECT_EQ(recovered(), left);
  db.write([](Transaction& tx) { EXPECT_EQ(tx.table().erase_prefix(""), 3u); });
  EXPECT_TRUE(entries(db).empty());
  EXPECT_TRUE(recovered().empty());
}

TEST_F(ErasedRanges, WithEndsLongerThanAnyKeyMeanWhatTheySay) {
  Database db{file_};
  const std::string longest(key_bytes_max(db.page_size_bytes()), 'k');
  const std::string longer = longest + "k";
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    table.put("j", "1");
    table.put(longest, "2");
    table.put("l", "3");
  });
  db.write([&](Transaction& tx) {
    EXPECT_EQ(tx.table().erase(longer, "l"), 0u) << "it is behind the longest";
    EXPECT_EQ(tx.table().erase("k", longer), 1u);
    EXPECT_EQ(tx.table().erase(longer + longer, longest + "l" + longer), 0u);
    EXPECT_EQ(tx.table().erase(longer + "a", longer + "b"), 0u);
  });
  const Entries left = {{"j", "1"}, {"l", "3"}};
  EXPECT_EQ(entries(db), left);
  EXPECT_EQ(recovered(), left);
  db.write([&](Transaction& tx) { EXPECT_EQ(tx.table().erase(longer, "m"), 1u); });
  EXPECT_EQ(recovered(), (Entries{{"j", "1"}}));
}

TEST_F(ErasedRanges, AreOneOperationInTheLog) {
  Database db{file_};
  fill(db, 20'000);
  db.checkpoint();
  const std::uint64_t before = stat(db).log_used_bytes;
  db.write([](Transaction& tx) { tx.table().erase(big_endian(5), big_endian(19'000)); });
  EXPECT_LT(stat(db).log_used_bytes, before + 300);
  EXPECT_EQ(recovered(), entries(db));
}

TEST_F(ErasedRanges, TakeArgumentsThatPointIntoWhatIsErased) {
  Database db{file_};
  fill(db, 3000);
  Transaction tx = db.begin();
  Table table = tx.table();
  table.put(big_endian(3000), "of this transaction");
  const Cursor first = table.begin();
  const Cursor last = table.find(big_endian(3000));
  EXPECT_EQ(table.erase(first.key(), last.key()), 3000u);
  EXPECT_EQ(table.size(), 1u);
  tx.commit();
  EXPECT_EQ(recovered(), entries(db));
}

TEST_F(ErasedRanges, ComeBackWithASavepoint) {
  Database db{file_};
  fill(db, 5000);
  const Entries before = entries(db);
  Transaction tx = db.begin();
  for (std::uint64_t i = 0; i < 5000; i += 3) tx.table().put(big_endian(i), pattern(50, i));
  Savepoint savepoint = tx.savepoint();
  EXPECT_GT(tx.table().erase(big_endian(7), big_endian(4000)), 3000u);
  tx.table().put(big_endian(8), "8");
  savepoint.rollback();
  EXPECT_EQ(tx.table().size(), before.size());
  tx.commit();
  Entries expected = before;
  for (std::uint64_t i = 0; i < 5000; i += 3) expected[big_endian(i)] = pattern(50, i);
  EXPECT_EQ(entries(db), expected);
  EXPECT_EQ(recovered(), expected);
}

TEST_F(ErasedRanges, OfAMissingTableDoNotMakeIt) {
  Database db{file_};
  db.write([](Transaction& tx) {
    EXPECT_EQ(tx.table("none").erase("a", "b"), 0u);
    EXPECT_EQ(tx.table("none").erase_prefix(""), 0u);
  });
  EXPECT_TRUE(db.snapshot().tables().empty());
}

TEST_F(ErasedRangeMisuse, WithCursorsOfSomethingElseIsRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  tx.table("other").put("a", "1");
  table.put("a", "1");
  const Cursor stale = table.begin();
  table.put("b", "2");
  const Cursor other = tx.table("other").begin();
  EXPECT_EQ(errc_of([&] { table.erase(Range{stale, table.end()}); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.erase(Range{other, table.end()}); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.erase(Range{table.begin(), Cursor{}}); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.erase(stale); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.erase(other); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.erase(table.end()); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.put(table.end(), "x"); }), Errc::misuse);
  EXPECT_EQ(table.size(), 2u);
}

TEST_F(Estimated, RangesAreExactWhereTheyAreShort) {
  Database db{file_};
  fill(db, 30'000);
  const Snapshot now = db.snapshot();
  const TableView table = now.table();
  EXPECT_EQ(table.estimate(""), 30'000u);
  EXPECT_EQ(table.estimate(big_endian(40), big_endian(41)), 1u);
  EXPECT_EQ(table.estimate("z", "a"), 0u);
  EXPECT_EQ(now.table("none").estimate(""), 0u);
  const auto half = static_cast<double>(table.estimate(big_endian(15'000)));
  EXPECT_NEAR(half, 15'000, 1500);
}

TEST_F(Estimated, PlacesLieWhereTheyShould) {
  Database db{file_};
  fill(db, 30'000);
  const Snapshot now = db.snapshot();
  const TableView table = now.table();
  EXPECT_EQ(table.nth(0), table.begin());
  EXPECT_EQ(table.nth(30'000), table.end());
  EXPECT_EQ(now.table("none").nth(0), now.table("none").end());
  for (std::uint64_t i = 0; i < 30'000; i += 1000) {
    const std::string key{table.nth(i).key()};
    EXPECT_GE(key, big_endian(i > 2000 ? i - 2000 : 0)) << i;
    EXPECT_LE(key, big_endian(i + 2000)) << i;
  }
}

TEST_F(Estimated, SamplesAreSpreadEvenlyAndDifferent) {
  Database db{file_};
  fill(db, 30'000);
  const Snapshot now = db.snapshot();
  const TableView table = now.table();
  const std::vector<Cursor> sample = table.sample(100);
  ASSERT_EQ(sample.size(), 100u);
  for (std::size_t i = 1; i < sample.size(); ++i) {
    ASSERT_LT(sample[i - 1].key(), sample[i].key());
    ASSERT_LT(table.estimate(sample[i - 1].key(), sample[i].key()), 900u);
  }
  EXPECT_TRUE(table.sample(0).empty());
  EXPECT_EQ(now.table("none").sample(5).size(), 0u);
  db.write([](Transaction& tx) {
    for (const char* key : {"a", "b", "c"}) tx.table("few").put(key, "");
    EXPECT_EQ(tx.table("few").sample(10).size(), 3u);
    EXPECT_EQ(tx.table("few").sample(3).size(), 3u);
    EXPECT_EQ(tx.table("few").sample(1).size(), 1u);
  });
}

}  // namespace
}  // namespace quire::test
