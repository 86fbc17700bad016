// Many puts in no order, one behind the other in one transaction: they wait in memory and are
// applied in the order of their keys, which nobody must notice.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "support/database_test.h"

namespace quire::test {
namespace {

class DeferredPuts : public DatabaseTest {
 protected:
  static constexpr std::uint64_t kCount = 3000;

  // Different numbers give different keys, far from each other.
  static std::string key_of(std::uint64_t i) { return big_endian(i * 0x9E3779B97F4A7C15); }
  static std::string value_of(std::uint64_t i) { return pattern(60 + i % 50, i); }

  static void put(Table& table, std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t i = first; i < first + count; ++i) table.put(key_of(i), value_of(i));
  }

  static Entries expected(std::uint64_t count) {
    Entries all;
    for (std::uint64_t i = 0; i < count; ++i) all[key_of(i)] = value_of(i);
    return all;
  }

  // Of the transaction that `body` fills, itself, after its commit, and once opened anew.
  template <typename Body>
  void expect_after(const Entries& expected, Body&& body) {
    {
      Database db{file_};
      Transaction tx = db.begin();
      Table table = tx.table();
      body(tx, table);
      EXPECT_TRUE(entries(table) == expected);
      tx.commit();
      EXPECT_TRUE(entries(db) == expected);
      expect_sound(db);
    }
    Database db{file_};
    EXPECT_TRUE(entries(db) == expected);
    expect_sound(db);
  }
};

TEST_F(DeferredPuts, AreCommittedUnread) {
  Database db{file_};
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    put(table, 0, kCount);
  });
  EXPECT_TRUE(entries(db) == expected(kCount));
}

TEST_F(DeferredPuts, AreAppliedInSeveralPartsWhenTheyAreMany) {
  constexpr std::uint64_t kMany = 150'000;  // about 18 MiB
  Database db{file_};
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    put(table, 0, kMany);
    for (std::uint64_t i = 0; i < kMany; i += 7) table.put(key_of(i), "again");
  });
  Entries all = expected(kMany);
  for (std::uint64_t i = 0; i < kMany; i += 7) all[key_of(i)] = "again";
  EXPECT_TRUE(entries(db) == all);
}

TEST_F(DeferredPuts, AreSeenByEveryCallThatReads) {
  expect_after(expected(kCount), [&](Transaction&, Table& table) {
    for (std::uint64_t i = 0; i < kCount; i += 150) {
      put(table, i, 150);
      const std::string last = key_of(i + 149);
      switch (i / 150 % 5) {
        case 0:
          ASSERT_EQ(table.get(last), value_of(i + 149));
          break;
        case 1:
          ASSERT_TRUE(table.contains(last));
          ASSERT_FALSE(table.contains(key_of(i + 150)));
          break;
        case 2:
          ASSERT_EQ(table.find(last).key(), last);
          break;
        case 3:
          ASSERT_EQ(table.size(), i + 150);
          break;
        default:
          ASSERT_TRUE(entries(table) == expected(i + 150));
      }
    }
  });
}

TEST_F(DeferredPuts, LeaveTheLastValueOfEachKey) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 0; i < kCount; ++i) all[key_of(i % 100)] = value_of(i);
  expect_after(all, [&](Transaction&, Table& table) {
    put(table, 0, kCount);
    for (std::uint64_t i = 0; i < kCount; ++i) table.put(key_of(i % 100), value_of(i));
  });
}

TEST_F(DeferredPuts, AreKnownToInsertAndErase) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 100; i < kCount; i += 200) all.erase(key_of(i - 1));
  expect_after(all, [&](Transaction&, Table& table) {
    for (std::uint64_t i = 0; i < kCount; i += 100) {
      put(table, i, 100);
      EXPECT_FALSE(table.insert(key_of(i + 99), "not this"));
      if (i / 100 % 2 == 0) {
        EXPECT_TRUE(table.erase(key_of(i + 99)));
      }
      EXPECT_FALSE(table.erase(key_of(kCount)));
    }
  });
}

TEST_F(DeferredPuts, TakeLargeValuesBetween) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 0; i < kCount; i += 100) all[key_of(i)] = pattern(9000, i);
  expect_after(all, [&](Transaction&, Table& table) {
    for (std::uint64_t i = 0; i < kCount; i += 100) {
      put(table, i, 100);
      table.put(key_of(i), pattern(9000, i));
    }
  });
}

TEST_F(DeferredPuts, RefuseWhatIsTooLargeAndGoOn) {
  expect_after(expected(kCount), [&](Transaction&, Table& table) {
    const std::string key(key_bytes_max(4096) + 1, 'k');
    for (std::uint64_t i = 0; i < kCount; i += 100) {
      put(table, i, 100);
      EXPECT_EQ(errc_of([&] { table.put(key, ""); }), Errc::too_large);
    }
  });
}

TEST_F(DeferredPuts, GoIntoTablesInTurns) {
  expect_after(expected(kCount), [&](Transaction& tx, Table& table) {
    Table other = tx.table("other");
    for (std::uint64_t i = 0; i < kCount; i += 150) {
      put(table, i, 150);
      put(other, i, 150);
    }
    EXPECT_TRUE(entries(other) == expected(kCount));
  });
}

TEST_F(DeferredPuts, EndWithTheirTable) {
  expect_after(expected(100), [&](Transaction& tx, Table& table) {
    Table other = tx.table("other");
    put(other, 0, kCount);
    EXPECT_TRUE(tx.drop("other"));
    put(table, 0, kCount);
    table.clear();
    put(table, 0, 100);
  });
}

TEST_F(DeferredPuts, GoOnAsARunWhereTheyHaveComeInOrder) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 0; i < kCount; ++i)
    all[std::string(9, '\xff') + big_endian(i)] = value_of(i);
  expect_after(all, [&](Transaction&, Table& table) {
    put(table, 0, kCount);
    for (std::uint64_t i = 0; i < kCount; ++i)
      table.put(std::string(9, '\xff') + big_endian(i), value_of(i));
  });
}

TEST_F(DeferredPuts, TakeArgumentsFromTheTablesOwnPages) {
  Entries all = expected(1);
  for (std::uint64_t i = 1; i < kCount; ++i) all[key_of(i)] = value_of(0);
  expect_after(all, [&](Transaction&, Table& table) {
    put(table, 0, 1);
    const Bytes value = *table.get(key_of(0));
    const std::string kept(value);
    for (std::uint64_t i = 1; i < kCount; ++i) {
      table.put(key_of(i), i < 60 ? Bytes(*table.get(key_of(0))) : Bytes(kept));
    }
  });
}

TEST_F(DeferredPuts, LeaveCursorsOfTheTableInvalid) {
  for (std::uint64_t placed_at = 60; placed_at < 70; ++placed_at) {
    Database db{file_};
    Transaction tx = db.begin();
    Table table = tx.table();
    put(table, 0, placed_at);
    const Cursor at = table.begin();
    put(table, placed_at, 70);
    EXPECT_EQ(errc_of([&] { static_cast<void>(at.key()); }), Errc::misuse) << placed_at;
    tx.rollback();
  }
}

// A copy of the file as a crash would leave it: what is not in the checkpoint is in the log.
TEST_F(DeferredPuts, AreInTheLogWhenTheyAreFew) {
  const std::filesystem::path crashed = directory_.file("crashed");
  {
    Database db{file_};
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      put(table, 0, kCount);
      table.put(key_of(5), "last");
    });
    std::filesystem::copy_file(file_, crashed);
  }
  Entries all = expected(kCount);
  all[key_of(5)] = "last";
  Database db{crashed};
  EXPECT_TRUE(entries(db) == all);
  expect_sound(db);
}

TEST_F(DeferredPuts, AreGoneWithTheirTransaction) {
  Database db{file_};
  for (int round = 0; round < 5; ++round) {
    Transaction tx = db.begin();
    Table table = tx.table();
    put(table, 0, kCount);
    if (round % 2 == 0) {
      EXPECT_EQ(table.size(), kCount);
      put(table, kCount, kCount);
    }
    tx.rollback();
  }
  EXPECT_TRUE(entries(db).empty());
  expect_sound(db);
}

// The file may not grow any more: whoever meets that, a put, a call that reads or the commit, says
// so, and nothing else is done with the transaction.
TEST_F(DeferredPuts, EndTheirTransactionWhereThereIsNoRoomForThem) {
  Database db{file_, {.reserve = 4 << 20}};
  db.put("", "kept");
  for (const bool is_read : {true, false}) {
    Transaction tx = db.begin();
    Table table = tx.table();
    EXPECT_EQ(errc_of([&] {
                put(table, 0, 40'000);
                if (is_read) static_cast<void>(table.size());
                tx.commit();
              }),
              Errc::no_space);
    EXPECT_EQ(errc_of([&] { static_cast<void>(table.size()); }), Errc::misuse);
    tx.rollback();
    EXPECT_EQ(entries(db), (Entries{{"", "kept"}}));
    expect_sound(db);
  }
}

}  // namespace
}  // namespace quire::test
