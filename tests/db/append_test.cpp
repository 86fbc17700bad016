// Entries in order in one transaction, which are written in runs, and everything else that may
// happen between them.
#include <quire/quire.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "storage/system.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

class Append : public DatabaseTest {
 protected:
  static constexpr std::uint64_t kCount = 3000;

  void TearDown() override {
    storage::system = real_system_;
    DatabaseTest::TearDown();
  }

  static std::string value_of(std::uint64_t i) { return pattern(60 + i % 50, i); }

  // Rising keys; after each `then`, which sees how many there are.
  template <typename Then>
  void run(Table& table, std::uint64_t first, std::uint64_t count, Then then) {
    for (std::uint64_t i = first; i < first + count; ++i) {
      table.put(big_endian(i), value_of(i));
      then(i + 1);
    }
  }
  void run(Table& table, std::uint64_t first, std::uint64_t count) {
    run(table, first, count, [](std::uint64_t) {});
  }

  static Entries expected(std::uint64_t count) {
    Entries all;
    for (std::uint64_t i = 0; i < count; ++i) all[big_endian(i)] = value_of(i);
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

  const storage::System real_system_ = storage::system;
};

TEST_F(Append, KeepsWhatComesInOrder) {
  expect_after(expected(kCount), [&](Transaction&, Table& table) { run(table, 0, kCount); });
  expect_after(expected(2 * kCount),
               [&](Transaction&, Table& table) { run(table, kCount, kCount); });
}

TEST_F(Append, IsCommittedUnread) {
  Database db{file_};
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    run(table, 0, kCount);
  });
  EXPECT_TRUE(entries(db) == expected(kCount));
}

TEST_F(Append, ShowsItsOwnTransactionEveryEntryAtOnce) {
  expect_after(expected(kCount), [&](Transaction&, Table& table) {
    run(table, 0, kCount, [&](std::uint64_t count) {
      if (count % 97 != 0) return;
      const std::string last = big_endian(count - 1);
      switch (count / 97 % 5) {
        case 0:
          ASSERT_EQ(table.get(last), value_of(count - 1));
          break;
        case 1:
          ASSERT_TRUE(table.contains(last));
          ASSERT_FALSE(table.contains(big_endian(count)));
          break;
        case 2:
          ASSERT_EQ((--table.end()).key(), last);
          break;
        case 3:
          ASSERT_EQ(table.size(), count);
          break;
        default:
          ASSERT_TRUE(entries(table) == expected(count));
      }
    });
  });
}

TEST_F(Append, ReplacesAndErasesWhatItHasJustWritten) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 99; i < kCount; i += 100) {
    all[big_endian(i)] = "replaced";
    all.erase(big_endian(i - 50));
  }
  expect_after(all, [&](Transaction&, Table& table) {
    run(table, 0, kCount, [&](std::uint64_t count) {
      if (count % 100 != 0) return;
      table.put(big_endian(count - 1), "replaced");
      EXPECT_FALSE(table.insert(big_endian(count - 1), "not this"));
      EXPECT_TRUE(table.erase(big_endian(count - 51)));
    });
  });
}

TEST_F(Append, TakesKeysThatBelongElsewhere) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 100; i <= kCount; i += 100) all[big_endian(i / 2) + "x"] = "between";
  expect_after(all, [&](Transaction&, Table& table) {
    run(table, 0, kCount, [&](std::uint64_t count) {
      if (count % 100 == 0) table.put(big_endian(count / 2) + "x", "between");
    });
  });
}

TEST_F(Append, TakesValuesThatAreLarge) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 100; i <= kCount; i += 100)
    all[big_endian(i - 1) + "x"] = pattern(9000, i);
  expect_after(all, [&](Transaction&, Table& table) {
    run(table, 0, kCount, [&](std::uint64_t count) {
      if (count % 100 == 0) table.put(big_endian(count - 1) + "x", pattern(9000, count));
    });
  });
}

TEST_F(Append, RefusesWhatIsTooLargeAndGoesOn) {
  expect_after(expected(kCount), [&](Transaction&, Table& table) {
    const std::string key(key_bytes_max(4096) + 1, '\xff');
    run(table, 0, kCount, [&](std::uint64_t count) {
      if (count % 100 != 0) return;
      EXPECT_EQ(errc_of([&] { table.put(key, ""); }), Errc::too_large);
    });
  });
}

TEST_F(Append, GoesOnInTablesInTurns) {
  expect_after(expected(kCount), [&](Transaction& tx, Table& table) {
    Table other = tx.table("other");
    for (std::uint64_t first = 0; first < kCount; first += 150) {
      run(table, first, 150);
      run(other, first, 150);
    }
    EXPECT_TRUE(entries(other) == expected(kCount));
  });
}

TEST_F(Append, EndsWithItsTable) {
  expect_after({}, [&](Transaction& tx, Table& table) {
    Table other = tx.table("other");
    run(other, 0, kCount);
    EXPECT_TRUE(tx.drop("other"));
    run(table, 0, kCount);
    table.clear();
    run(other, 0, kCount);
    EXPECT_TRUE(entries(other) == expected(kCount));
    EXPECT_TRUE(tx.drop("other"));
  });
}

TEST_F(Append, BeginsAnewInATableThatWasCleared) {
  expect_after(expected(kCount), [&](Transaction&, Table& table) {
    run(table, 0, kCount);
    table.clear();
    run(table, 0, kCount);
  });
}

// A run that was long enough to go on in memory went on there also when its table had been emptied:
// in a tree without a page. It takes a search for what is not there, right behind the run.
TEST_F(Append, BeginsAnewInATableThatWasEmptiedAtAnyLengthOfTheRun) {
  expect_after(expected(100), [&](Transaction&, Table& table) {
    for (std::uint64_t length = 25; length < 70; ++length) {
      run(table, 0, length);
      EXPECT_FALSE(table.erase(big_endian(length)));
      table.clear();
      run(table, length, 3 * length);
      for (std::uint64_t i = length; i < 4 * length; ++i) {
        EXPECT_TRUE(table.erase(big_endian(i))) << length;
      }
    }
    run(table, 0, 100);
  });
}

// Searches in order for what is not there were taken for a run, in pages that nobody had written
// to.
TEST_F(Append, DoesNotBeginBehindARunOfSearches) {
  for (const std::uint64_t count : {41u, 2000u}) {
    Database db{file_};
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < count; ++i) tx.table().put(big_endian(2 * i), "v");
    });
    Transaction tx = db.begin();
    Table table = tx.table();
    for (std::uint64_t i = 0; i + 1 < count; ++i) {
      EXPECT_FALSE(table.erase(big_endian(2 * i + 1)));
    }
    run(table, 2 * count, 100);
    tx.commit();
    EXPECT_EQ(entries(db).size(), count + 100);
    expect_sound(db);
    db.write([&](Transaction& clearing) { clearing.table().clear(); });
  }
}

TEST_F(Append, TakesArgumentsFromItsOwnPages) {
  Entries all = expected(1);
  for (std::uint64_t i = 1; i < kCount; ++i) all[big_endian(i)] = value_of(0);
  expect_after(all, [&](Transaction&, Table& table) {
    run(table, 0, 1);
    Bytes value = *table.get(big_endian(0));
    for (std::uint64_t i = 1; i < kCount; ++i) {
      table.put(big_endian(i), value);
      if (i % 50 == 0) value = *table.get(big_endian(i));
    }
  });
}

TEST_F(Append, TakesKeysAndValuesOfAnotherTable) {
  {
    Database db{file_};
    db.write([&](Transaction& tx) {
      Table from = tx.table("from");
      run(from, 0, kCount);
    });
  }
  expect_after(expected(kCount), [&](Transaction& tx, Table& table) {
    Table from = tx.table("from");
    for (auto [key, value] : from) table.put(key, value);
  });
}

// Also by the very put with which the run begins to be written in another way.
TEST_F(Append, LeavesCursorsOfTheTableInvalid) {
  for (std::uint64_t placed_at = 25; placed_at < 45; ++placed_at) {
    Database db{file_};
    Transaction tx = db.begin();
    Table table = tx.table();
    run(table, 0, placed_at);
    const Cursor at = table.begin();
    EXPECT_EQ(at.key(), big_endian(0));
    run(table, placed_at, 1);
    EXPECT_EQ(errc_of([&] { static_cast<void>(at.key()); }), Errc::misuse) << placed_at;
    tx.rollback();
  }
}

TEST_F(Append, ErasesFromTheLeafThatIsInMemory) {
  Entries all = expected(kCount);
  for (std::uint64_t i = 100; i <= kCount; i += 100) all.erase(big_endian(i - 1));
  expect_after(all, [&](Transaction&, Table& table) {
    run(table, 0, kCount, [&](std::uint64_t count) {
      if (count % 100 == 0) {
        EXPECT_TRUE(table.erase(big_endian(count - 1)));
      }
    });
  });
}

// A copy of the file as a crash would leave it: what is not in the checkpoint is in the log.
TEST_F(Append, IsInTheLogWhenItIsSmall) {
  const std::filesystem::path crashed = directory_.file("crashed");
  {
    Database db{file_};
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      run(table, 0, kCount);
    });
    std::filesystem::copy_file(file_, crashed);
  }
  Database db{crashed};
  EXPECT_TRUE(entries(db) == expected(kCount));
  expect_sound(db);
}

TEST_F(Append, IsGoneWithItsTransaction) {
  Database db{file_};
  for (int round = 0; round < 5; ++round) {
    Transaction tx = db.begin();
    Table table = tx.table();
    run(table, 0, kCount);
    if (round % 2 == 0) {
      EXPECT_EQ(table.size(), kCount);
    }
    tx.rollback();
  }
  EXPECT_TRUE(entries(db).empty());
  expect_sound(db);
}

// Checkpoints of earlier states go by meanwhile.
TEST_F(Append, StandsBesideCheckpointsAndSnapshots) {
  Database db{file_};
  for (std::uint64_t round = 0; round < 8; ++round) {
    Transaction tx = db.begin();
    Table table = tx.table();
    run(table, round * kCount, kCount);
    tx.commit(round % 2 == 0 ? Durability::full : Durability::relaxed);
    if (round % 3 == 0) db.checkpoint();
    const Snapshot before = db.snapshot();
    Transaction other = db.begin();
    Table again = other.table();
    for (std::uint64_t i = 0; i < kCount; i += 5) {
      again.put(big_endian(round * kCount + i), value_of(round * kCount + i));
    }
    other.commit(Durability::relaxed);
    EXPECT_TRUE(entries(before.table()) == expected((round + 1) * kCount));
  }
  EXPECT_TRUE(entries(db) == expected(8 * kCount));
}

// Pages that are written with their checksums, changed through the map, and sealed in the end.
TEST_F(Append, HasRightChecksumsWhatEverHasChangedItsPagesSince) {
  {
    Database db{file_};
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      run(table, 0, kCount);
      for (std::uint64_t i = 0; i < kCount; i += 3) table.put(big_endian(i), "changed");
      run(table, kCount, kCount);
    });
    db.checkpoint();
    expect_sound(db);
  }
  Database db{file_, {.verify = Verify::always}};
  EXPECT_EQ(entries(db).size(), 2 * kCount);
}

TEST_F(Append, FailsWhenItCannotBeWritten) {
  Database db{file_};
  db.put("", "kept");
  for (int after = 0; after < 12; after += 3) {
    static int left;
    left = after;
    Transaction tx = db.begin();
    Table table = tx.table();
    storage::system.pwrite = [](int file, const void* bytes, size_t count, off_t offset) {
      if (left-- > 0) return ::pwrite(file, bytes, count, offset);
      errno = EIO;
      return ssize_t{-1};
    };
    EXPECT_EQ(errc_of([&] {
                run(table, 0, kCount);
                static_cast<void>(table.size());
              }),
              Errc::io);
    storage::system = real_system_;
    EXPECT_EQ(errc_of([&] { static_cast<void>(table.size()); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.put("more", ""); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::misuse);
    tx.rollback();
    EXPECT_EQ(entries(db), (Entries{{"", "kept"}}));
    expect_sound(db);
  }
}

TEST_F(Append, FailsForGoodWhenWhatIsReadCannotBeWritten) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  run(table, 0, 100);
  storage::system.pwrite = [](int, const void*, size_t, off_t) {
    errno = EIO;
    return ssize_t{-1};
  };
  EXPECT_EQ(errc_of([&] { static_cast<void>(table.get(big_endian(1))); }), Errc::io);
  storage::system = real_system_;
  EXPECT_EQ(errc_of([&] { static_cast<void>(table.get(big_endian(1))); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::misuse);
}

TEST_F(Append, FailsInItsCommitWhenItCannotBeWrittenThere) {
  Database db{file_};
  db.put("", "kept");
  Transaction tx = db.begin();
  Table table = tx.table();
  run(table, 0, 100);
  storage::system.pwrite = [](int, const void*, size_t, off_t) {
    errno = EIO;
    return ssize_t{-1};
  };
  EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::io);
  storage::system = real_system_;
  EXPECT_EQ(entries(db), (Entries{{"", "kept"}}));
  db.put("", "again");
  expect_sound(db);
}

}  // namespace
}  // namespace quire::test
