// Named tables and the default table.
#include <quire/quire.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/database_test.h"

namespace quire::test {
namespace {

using Tables = DatabaseTest;
using Names = std::vector<std::string>;

TEST_F(Tables, KeepTheirEntriesApart) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table().put("key", "default");
    tx.table("one").put("key", "1");
    tx.table("two").put("key", "2");
  });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.table().get("key"), "default");
  EXPECT_EQ(now.table("").get("key"), "default");
  EXPECT_EQ(now.table("one").get("key"), "1");
  EXPECT_EQ(now.table("two").get("key"), "2");
  EXPECT_EQ(now.tables(), (Names{"one", "two"}));
}

TEST_F(Tables, ReadingAMissingTableGivesAnEmptyOneAndDoesNotCreateIt) {
  Database db{file_};
  db.put("key", "value");
  {
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.table("missing").get("key"), std::nullopt);
    EXPECT_EQ(now.table("missing").size(), 0u);
    EXPECT_EQ(now.table("missing").begin(), now.table("missing").end());
    EXPECT_TRUE(now.table("missing").range("", "z").empty());
  }
  db.write([](Transaction& tx) {
    EXPECT_TRUE(tx.table("missing").empty());
    EXPECT_FALSE(tx.table("missing").contains("key"));
    EXPECT_FALSE(tx.table("missing").erase("key"));
    EXPECT_EQ(tx.table("missing").begin(), tx.table("missing").end());
    EXPECT_TRUE(tx.tables().empty());
  });
  EXPECT_TRUE(db.snapshot().tables().empty());
}

TEST_F(Tables, TheFirstPutCreatesTheTable) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table("new");
    EXPECT_TRUE(tx.tables().empty());
    table.put("", "");
    EXPECT_EQ(tx.tables(), Names{"new"});
    tx.table("newer").insert("", "");
    EXPECT_EQ(tx.tables(), (Names{"new", "newer"}));
  });
  EXPECT_EQ(db.snapshot().tables(), (Names{"new", "newer"}));
}

TEST_F(Tables, AnEmptiedTableStaysUntilItIsDropped) {
  Database db{file_};
  db.write([](Transaction& tx) { tx.table("t").put("a", "1"); });
  db.write([](Transaction& tx) { tx.table("t").erase("a"); });
  EXPECT_EQ(db.snapshot().tables(), Names{"t"});
  EXPECT_TRUE(db.write([](Transaction& tx) { return tx.drop("t"); }));
  EXPECT_TRUE(db.snapshot().tables().empty());
}

TEST_F(Tables, DropTellsWhetherTheTableWasThere) {
  Database db{file_};
  db.write([](Transaction& tx) {
    EXPECT_FALSE(tx.drop("t"));
    tx.table("t").put("a", "1");
    EXPECT_TRUE(tx.drop("t"));
    EXPECT_FALSE(tx.drop("t"));
    EXPECT_TRUE(tx.tables().empty());
  });
  EXPECT_TRUE(db.snapshot().tables().empty());
}

TEST_F(Tables, DropRemovesAllEntriesAndLeavesOtherTablesAlone) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 3000; ++i) {
      tx.table("gone").put(big_endian(i), pattern(i % 5000, i));
      tx.table("kept").put(big_endian(i), "kept");
    }
  });
  db.write([](Transaction& tx) { tx.drop("gone"); });
  const Snapshot now = db.snapshot();
  EXPECT_TRUE(now.table("gone").empty());
  EXPECT_EQ(now.table("kept").size(), 3000u);
  expect_sound(db);
}

TEST_F(Tables, ATableMadeAgainAfterDropStartsEmpty) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table("t");
    table.put("old", "1");
    tx.drop("t");
    EXPECT_TRUE(table.empty());
    EXPECT_EQ(table.get("old"), std::nullopt);
    table.put("new", "2");
    EXPECT_EQ(tx.tables(), Names{"t"});
  });
  EXPECT_EQ(entries(db, "t"), (Entries{{"new", "2"}}));
  db.write([](Transaction& tx) {
    tx.drop("t");
    tx.table("t").put("newest", "3");
  });
  EXPECT_EQ(entries(db, "t"), (Entries{{"newest", "3"}}));
}

TEST_F(Tables, RollbackBringsADroppedTableBack) {
  Database db{file_};
  db.write([](Transaction& tx) { tx.table("t").put("a", "1"); });
  {
    Transaction tx = db.begin();
    tx.drop("t");
    tx.table("other").put("b", "2");
  }
  EXPECT_EQ(entries(db, "t"), (Entries{{"a", "1"}}));
  EXPECT_EQ(db.snapshot().tables(), Names{"t"});
}

TEST_F(Tables, TheDefaultTableCannotBeDropped) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table().put("a", "1");
    EXPECT_EQ(errc_of([&] { tx.drop(""); }), Errc::misuse);
    tx.table().put("b", "2");
  });
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}, {"b", "2"}}));
}

TEST_F(Tables, NamesMayHoldAnyBytes) {
  Database db{file_};
  const Names names = {std::string("\0", 1), std::string("a\0b", 3), "a/b", "\xff\xfe", " "};
  db.write([&](Transaction& tx) {
    for (const std::string& name : names) tx.table(name).put("name", name);
  });
  const Snapshot now = db.snapshot();
  Names sorted = names;
  std::ranges::sort(sorted, {}, [](const std::string& s) { return Bytes{s}; });
  EXPECT_EQ(now.tables(), sorted);
  for (const std::string& name : names) EXPECT_EQ(now.table(name).get("name"), name);
}

TEST_F(Tables, ANameOf255BytesIsTakenAndOneOf256Refused) {
  Database db{file_};
  const std::string longest(kTableNameBytesMax, 'n');
  ASSERT_EQ(longest.size(), 255u);
  db.write([&](Transaction& tx) {
    EXPECT_EQ(errc_of([&] { tx.table(longest + "n"); }), Errc::too_large);
    tx.table(longest).put("a", "1");
  });
  EXPECT_EQ(entries(db, longest), (Entries{{"a", "1"}}));
  EXPECT_EQ(db.snapshot().tables(), Names{longest});
}

TEST_F(Tables, ThirtyTwoThousandFitAndOneMoreIsRefused) {
  Database db{file_, {.durability = Durability::relaxed}};
  const auto name = [](std::size_t i) { return "table " + std::to_string(i); };
  std::size_t made = 0;
  while (made < kTableCountMax) {
    db.write([&](Transaction& tx) {
      for (int i = 0; i < 4000; ++i, ++made) tx.table(name(made)).put("n", std::to_string(made));
    });
  }
  ASSERT_EQ(made, 32'000u);
  db.write([&](Transaction& tx) {
    EXPECT_EQ(errc_of([&] { tx.table("one more").put("a", "1"); }), Errc::too_large);
    EXPECT_EQ(errc_of([&] { tx.table("one more").insert("a", "1"); }), Errc::too_large);
    tx.table(name(5)).put("still", "writable");
  });
  EXPECT_EQ(db.snapshot().tables().size(), kTableCountMax);
  db.write([&](Transaction& tx) {
    EXPECT_TRUE(tx.drop(name(7)));
    tx.table("one more").put("a", "1");
    EXPECT_EQ(errc_of([&] { tx.table("two more").put("a", "1"); }), Errc::too_large);
  });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.tables().size(), kTableCountMax);
  EXPECT_EQ(now.table("one more").get("a"), "1");
  EXPECT_TRUE(now.table(name(7)).empty());
  for (std::size_t i = 8; i < made; ++i) {
    ASSERT_EQ(now.table(name(i)).get("n"), std::to_string(i));
  }
}

TEST_F(Tables, OneTransactionMayChangeAHundredOfThemInTurns) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      tx.table(std::to_string(i % 100)).put(big_endian(i), std::to_string(i));
    }
  });
  const Snapshot now = db.snapshot();
  ASSERT_EQ(now.tables().size(), 100u);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    ASSERT_EQ(now.table(std::to_string(i % 100)).get(big_endian(i)), std::to_string(i));
  }
}

TEST_F(Tables, ComeBackAfterReopen) {
  {
    Database db{file_};
    db.write([](Transaction& tx) {
      for (int i = 0; i < 300; ++i) tx.table(std::to_string(i)).put("n", std::to_string(i));
    });
  }
  Database db{file_};
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.tables().size(), 300u);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(now.table(std::to_string(i)).get("n"), std::to_string(i));
  }
}

}  // namespace
}  // namespace quire::test
