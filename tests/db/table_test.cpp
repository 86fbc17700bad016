// What tables hold: single entries, values of all sizes, keys of all kinds.
#include <quire/quire.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "support/database_test.h"

namespace quire::test {
namespace {

using TableWrites = DatabaseTest;
using TableReads = DatabaseTest;
using LargeValues = DatabaseTest;
using Keys = DatabaseTest;

TEST_F(TableReads, GetFindsWhatPutWrote) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    table.put("ada", "Ada Lovelace");
    table.put("alan", "Alan Turing");
    EXPECT_EQ(table.get("ada"), "Ada Lovelace");
  });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.table().get("ada"), "Ada Lovelace");
  EXPECT_EQ(now.table().get("alan"), "Alan Turing");
  EXPECT_EQ(now.table().get("al"), std::nullopt);
  EXPECT_EQ(now.table().get(""), std::nullopt);
  EXPECT_TRUE(now.table().contains("ada"));
  EXPECT_FALSE(now.table().contains("adam"));
  EXPECT_EQ(now.table().size(), 2u);
  EXPECT_FALSE(now.table().empty());
}

TEST_F(TableReads, AnEmptyDatabaseReadsAsEmpty) {
  Database db{file_};
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.table().size(), 0u);
  EXPECT_TRUE(now.table().empty());
  EXPECT_EQ(now.table().get("key"), std::nullopt);
  EXPECT_EQ(now.table().begin(), now.table().end());
  EXPECT_EQ(now.table().find("key"), now.table().end());
  EXPECT_TRUE(now.table().prefix("").empty());
  EXPECT_TRUE(now.tables().empty());
}

TEST_F(TableReads, GetManyGivesEachKeyItsValue) {
  Database db{file_};
  const std::vector<Bytes> keys = {"b", "absent", "a", "b", ""};
  std::vector<std::optional<Bytes>> values(keys.size());
  const std::vector<std::optional<Bytes>> expected = {"2", {}, "1", "2", {}};
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    table.get_many(keys, values);
    EXPECT_EQ(values, std::vector<std::optional<Bytes>>(keys.size()));
    table.put("a", "1");
    table.put("b", "2");
    table.get_many(keys, values);
    EXPECT_EQ(values, expected);
  });
  values.assign(keys.size(), {});
  const Snapshot now = db.snapshot();
  now.table().get_many(keys, values);
  EXPECT_EQ(values, expected);
  values.pop_back();
  EXPECT_EQ(errc_of([&] { now.table().get_many(keys, values); }), Errc::misuse);
}

TEST_F(TableReads, AValuePointsIntoTheMapAndIsNotCopied) {
  Database db{file_};
  const std::string large = pattern(1 << 20, 1);
  db.put("large", large);
  const Snapshot now = db.snapshot();
  const TableView table = now.table();
  EXPECT_EQ(table.get("large")->data(), table.get("large")->data());
  EXPECT_EQ(table.get("large")->data(), table.find("large").value().data());
}

TEST_F(TableWrites, PutReplacesTheValue) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    table.put("key", "one");
    table.put("key", "a longer one");
    table.put("key", "2");
    EXPECT_EQ(table.get("key"), "2");
    EXPECT_EQ(table.size(), 1u);
  });
  EXPECT_EQ(db.get("key"), "2");
}

TEST_F(TableWrites, InsertKeepsTheValueThatIsThere) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    EXPECT_TRUE(table.insert("key", "one"));
    EXPECT_FALSE(table.insert("key", "two"));
    EXPECT_EQ(table.get("key"), "one");
    EXPECT_EQ(table.size(), 1u);
  });
  EXPECT_EQ(db.get("key"), "one");
}

TEST_F(TableWrites, EraseTellsWhetherTheKeyWasThere) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    EXPECT_FALSE(table.erase("key"));
    table.put("key", "one");
    EXPECT_TRUE(table.erase("key"));
    EXPECT_FALSE(table.erase("key"));
    EXPECT_EQ(table.get("key"), std::nullopt);
    EXPECT_TRUE(table.empty());
  });
  EXPECT_EQ(db.get("key"), std::nullopt);
}

TEST_F(TableWrites, ClearRemovesEverythingAndTheTableGoesOn) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table("named");
    for (std::uint64_t i = 0; i < 5000; ++i) table.put(big_endian(i), pattern(i % 3000, i));
  });
  db.write([](Transaction& tx) {
    Table table = tx.table("named");
    table.clear();
    EXPECT_EQ(table.size(), 0u);
    EXPECT_EQ(table.begin(), table.end());
    table.put("after", "clear");
  });
  EXPECT_EQ(entries(db, "named"), (Entries{{"after", "clear"}}));
  EXPECT_EQ(db.snapshot().tables(), std::vector<std::string>{"named"});
}

TEST_F(TableWrites, ClearOfAnEmptyTableIsNothing) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table().clear();
    tx.table("named").clear();
    EXPECT_TRUE(tx.table().empty());
  });
  EXPECT_TRUE(entries(db).empty());
}

TEST_F(TableWrites, SizeFollowsEveryChange) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    for (std::uint64_t i = 0; i < 1000; ++i) {
      table.put(big_endian(i), "x");
      EXPECT_EQ(table.size(), i + 1);
    }
    for (std::uint64_t i = 0; i < 1000; i += 2) EXPECT_TRUE(table.erase(big_endian(i)));
    EXPECT_EQ(table.size(), 500u);
  });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.table().size(), 500u);
}

TEST_F(TableWrites, TwoTableObjectsOfOneTransactionShowTheSameTable) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table one = tx.table("same");
    Table other = tx.table("same");
    one.put("a", "1");
    other.put("b", "2");
    EXPECT_EQ(one.get("b"), "2");
    EXPECT_EQ(other.get("a"), "1");
    EXPECT_EQ(other.size(), 2u);
  });
  EXPECT_EQ(entries(db, "same"), (Entries{{"a", "1"}, {"b", "2"}}));
}

TEST_F(TableWrites, EntriesGoInAndOutInRandomOrder) {
  Database db{file_};
  Random random{choose_seed("EntriesGoInAndOutInRandomOrder")};
  Entries model;
  for (int round = 0; round < 6; ++round) {
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      for (int i = 0; i < 4000; ++i) {
        const std::string key = std::to_string(random.below(6000));
        if (random.one_in(round < 3 ? 4 : 2)) {
          EXPECT_EQ(table.erase(key), model.erase(key) == 1);
        } else {
          const std::string value = pattern(random.below(40), random.next());
          table.put(key, value);
          model[key] = value;
        }
      }
    });
    EXPECT_EQ(entries(db), model);
    expect_sound(db);
  }
}

TEST_F(LargeValues, EverySizeAroundTheLimitsComesBackWhole) {
  for (const std::uint32_t page : {4096u, 16384u, 65536u}) {
    const std::filesystem::path file = directory_.file("db" + std::to_string(page));
    std::vector<std::size_t> sizes = {0, 1, 2, 7, 8, 100, 1 << 20};
    for (const std::size_t near : {std::size_t{page} / 4, std::size_t{page} / 2, std::size_t{page},
                                   std::size_t{page} * 2, std::size_t{page} * 16}) {
      for (std::size_t size = near - 70; size <= near + 70; ++size) sizes.push_back(size);
    }
    {
      Database db{file, {.page_size = page}};
      db.write([&](Transaction& tx) {
        for (const std::size_t size : sizes) {
          tx.table().put(std::to_string(size), pattern(size, size));
          EXPECT_EQ(tx.table().get(std::to_string(size)), pattern(size, size));
        }
      });
      expect_sound(db);
    }
    Database db{file};
    EXPECT_EQ(db.page_size_bytes(), page);
    const Snapshot now = db.snapshot();
    for (const std::size_t size : sizes) {
      EXPECT_EQ(now.table().get(std::to_string(size)), pattern(size, size)) << size;
    }
    expect_sound(db);
  }
}

TEST_F(LargeValues, AValueMayGrowAndShrinkThroughAllSizes) {
  Database db{file_};
  const std::vector<std::size_t> sizes = {0,    1 << 20, 1000,  1 << 16, 1024,   1025,
                                          4096, 1,       12288, 1023,    1 << 21};
  for (const std::size_t size : sizes) {
    db.put("key", pattern(size, size));
    EXPECT_EQ(db.get("key"), pattern(size, size)) << size;
    db.write([&](Transaction& tx) {
      tx.table().put("key", pattern(size / 2, 5));
      tx.table().put("key", pattern(size, 6));
    });
    EXPECT_EQ(db.get("key"), pattern(size, 6)) << size;
  }
  expect_sound(db);
}

TEST_F(LargeValues, SixtyFourMebibytesComeBackWholeAfterReopen) {
  const std::string value = pattern(64 << 20, 64);
  {
    Database db{file_};
    db.put("large", value);
    db.put("small", "x");
  }
  Database db{file_};
  EXPECT_TRUE(db.snapshot().txn() > 0);
  const Snapshot now = db.snapshot();
  EXPECT_TRUE(now.table().get("large") == value);
  db.erase("large");
  EXPECT_TRUE(now.table().get("large") == value);
  EXPECT_EQ(db.get("large"), std::nullopt);
}

TEST_F(Keys, TheLongestKeyIsKeptAndOneByteMoreIsRefused) {
  for (const std::uint32_t page : {4096u, 8192u, 16384u, 32768u, 65536u}) {
    const std::filesystem::path file = directory_.file("db" + std::to_string(page));
    Database db{file, {.page_size = page}};
    const std::size_t longest = key_bytes_max(page);
    EXPECT_GE(longest, page == 4096 ? 1900u : page == 65536 ? 32000u : page / 2 - 200);
    const std::string key = pattern(longest, page);
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      EXPECT_EQ(errc_of([&] { table.put(key + "x", "value"); }), Errc::too_large);
      EXPECT_EQ(errc_of([&] { table.insert(key + "x", "value"); }), Errc::too_large);
      table.put(key, "value");
      for (std::uint64_t i = 100; i < 140; ++i) table.put(pattern(longest, i), pattern(page, 1));
    });
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.table().get(key), "value");
    EXPECT_EQ(now.table().get(key + "x"), std::nullopt);
    EXPECT_EQ(now.table().find(key).key(), key);
    EXPECT_EQ(now.table().size(), 41u);
    expect_sound(db);
  }
}

TEST_F(Keys, ALongerKeyThanAllowedIsJustAbsentForReadersAndErase) {
  Database db{file_};
  db.put("a", "1");
  const std::string huge(100'000, 'b');
  db.write([&](Transaction& tx) {
    EXPECT_FALSE(tx.table().erase(huge));
    EXPECT_EQ(tx.table().lower_bound(huge), tx.table().end());
  });
  EXPECT_EQ(db.get(huge), std::nullopt);
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.table().lower_bound(std::string(100'000, 'A')), now.table().begin());
}

TEST_F(Keys, TheTransactionGoesOnAfterATooLargeKey) {
  Database db{file_};
  db.write([&](Transaction& tx) {
    tx.table().put("before", "1");
    EXPECT_EQ(errc_of([&] { tx.table().put(std::string(5000, 'k'), "v"); }), Errc::too_large);
    tx.table().put("after", "2");
  });
  EXPECT_EQ(entries(db), (Entries{{"after", "2"}, {"before", "1"}}));
}

TEST_F(Keys, OrderIsThatOfUnsignedBytesShorterBeforeLonger) {
  const std::vector<std::string> sorted = {std::string{},
                                           std::string("\0", 1),
                                           std::string("\0\0", 2),
                                           std::string("\0a", 2),
                                           std::string("\1", 1),
                                           "a",
                                           std::string("a\0", 2),
                                           std::string("a\0\0", 3),
                                           "aa",
                                           std::string("a\x7f"),
                                           std::string("a\x80"),
                                           std::string("a\xff"),
                                           "b",
                                           std::string("\x7f"),
                                           std::string("\x80"),
                                           std::string("\xff"),
                                           std::string("\xff\0", 2),
                                           std::string("\xff\xff")};
  Database db{file_};
  db.write([&](Transaction& tx) {
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      tx.table().put(sorted[i * 7 % sorted.size()], std::to_string(i * 7 % sorted.size()));
    }
  });
  const Snapshot now = db.snapshot();
  std::size_t at = 0;
  for (auto [key, value] : now.table()) {
    ASSERT_LT(at, sorted.size());
    EXPECT_EQ(key, sorted[at]);
    EXPECT_EQ(value, std::to_string(at));
    ++at;
  }
  EXPECT_EQ(at, sorted.size());
}

TEST_F(Keys, PrefixesOfEachOtherAreDifferentKeys) {
  Database db{file_};
  const std::string longest(1900, 'p');
  db.write([&](Transaction& tx) {
    for (std::size_t n = 0; n <= longest.size(); ++n) {
      tx.table().put(Bytes{longest}.substr(0, n), std::to_string(n));
    }
  });
  const Snapshot now = db.snapshot();
  std::size_t n = 0;
  for (auto [key, value] : now.table()) {
    ASSERT_EQ(key.size(), n);
    ASSERT_EQ(value, std::to_string(n));
    ++n;
  }
  EXPECT_EQ(n, longest.size() + 1);
  for (n = 0; n <= longest.size(); ++n) {
    ASSERT_EQ(now.table().get(Bytes{longest}.substr(0, n)), std::to_string(n));
  }
  expect_sound(db);
}

TEST_F(Keys, ALongCommonPrefixCostsNothingOfCorrectness) {
  Database db{file_, {.page_size = 16384}};
  const std::string common(7000, '\0');
  Entries model;
  db.write([&](Transaction& tx) {
    for (std::uint64_t i = 0; i < 400; ++i) {
      const std::string key = common + big_endian(i * 7919 % 400);
      tx.table().put(key, std::to_string(i));
      model[key] = std::to_string(i);
    }
    for (std::uint64_t i = 0; i < 400; i += 3) {
      EXPECT_TRUE(tx.table().erase(common + big_endian(i)));
      model.erase(common + big_endian(i));
    }
    tx.table().put(common, "the prefix itself");
    model[common] = "the prefix itself";
  });
  EXPECT_EQ(entries(db), model);
}

}  // namespace
}  // namespace quire::test
