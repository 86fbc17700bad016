// Copy-on-write: what a snapshot shows stays, and pages come back when nobody needs them.
#include <quire/quire.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "support/database_test.h"

namespace quire::test {
namespace {

using Snapshots = DatabaseTest;

// How much the file holds while and after it is overwritten.
class FileSize : public DatabaseTest {
 protected:
  static constexpr std::uint64_t kMiB = 1 << 20;
  static constexpr std::uint64_t kLogBytesMax =
      25 * kMiB;  // its largest, and those it has outgrown

  std::uint64_t file_bytes() const { return std::filesystem::file_size(file_); }

  // Runs `round` in phases of `times`: the file must stop growing, and not beyond `bytes_max`
  // and its logs.
  template <typename Round>
  void expect_settles(std::uint64_t times, std::uint64_t bytes_max, Round&& round) {
    std::uint64_t number = 0;
    std::uint64_t before = 0;
    int phases_unchanged = 0;
    for (int phase = 0; phase < 20 && phases_unchanged < 3; ++phase) {
      before = number == 0 ? 0 : file_bytes();
      for (std::uint64_t i = 0; i < times; ++i) round(number++);
      phases_unchanged = file_bytes() == before ? phases_unchanged + 1 : 0;
      ASSERT_LE(file_bytes(), bytes_max + kLogBytesMax) << "after " << number << " rounds";
    }
    EXPECT_EQ(phases_unchanged, 3) << "still growing after " << number << " rounds";
  }
};

TEST_F(Snapshots, ShowTheirCommitForAsLongAsTheyLive) {
  Database db{file_, {.durability = Durability::relaxed}};
  Random random{choose_seed("ShowTheirCommitForAsLongAsTheyLive")};
  struct Kept {
    Snapshot snapshot;
    Entries one;
    Entries two;
    std::uint64_t txn;
  };
  std::vector<Kept> kept;
  Entries one;
  Entries two;
  const auto change = [&](Transaction& tx, Bytes name, Entries& model) {
    Table table = tx.table(name);
    for (int i = 0; i < 20; ++i) {
      const std::string key = std::to_string(random.below(500));
      const std::string value = pattern(random.below(random.one_in(20) ? 9000 : 90), random.next());
      if (random.one_in(4)) {
        table.erase(key);
        model.erase(key);
      } else {
        table.put(key, value);
        model[key] = value;
      }
    }
  };
  for (std::uint64_t round = 0; round < rounds(800, 200); ++round) {
    db.write([&](Transaction& tx) {
      change(tx, "", one);
      change(tx, "two", two);
      if (round % 90 == 89) tx.drop("two"), two.clear();
    });
    if (round % 100 == 50) db.checkpoint();
    if (round % 25 == 0) {
      Snapshot snapshot = db.snapshot();
      const std::uint64_t txn = snapshot.txn();
      kept.push_back({std::move(snapshot), one, two, txn});
    }
    if (kept.size() > 12) kept.erase(kept.begin() + static_cast<long>(random.below(kept.size())));
    if (round % 40 == 0) {
      for (const Kept& k : kept) {
        ASSERT_EQ(entries(k.snapshot.table()), k.one);
        ASSERT_EQ(entries(k.snapshot.table("two")), k.two);
        ASSERT_EQ(k.snapshot.txn(), k.txn);
      }
    }
  }
  for (const Kept& k : kept) EXPECT_EQ(entries(k.snapshot.table()), k.one);
  expect_sound(db);
}

TEST_F(Snapshots, ValuesAndCursorsStayWhereTheyAre) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 2000; ++i) tx.table().put(big_endian(i), pattern(i * 5, i));
  });
  const Snapshot before = db.snapshot();
  const TableView view = before.table();
  const Bytes small = *view.get(big_endian(3));
  const Bytes large = *view.get(big_endian(1999));
  Cursor at = view.find(big_endian(1000));
  for (int round = 0; round < 5; ++round) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 2000; ++i) tx.table().put(big_endian(i), pattern(i, i + 9));
    });
    db.checkpoint();
  }
  db.write([](Transaction& tx) { tx.table().clear(); });
  db.checkpoint();
  EXPECT_EQ(small, pattern(15, 3));
  EXPECT_EQ(large, pattern(1999 * 5, 1999));
  for (std::uint64_t i = 1000; i < 2000; ++i, ++at) ASSERT_EQ(at.value(), pattern(i * 5, i));
}

TEST_F(Snapshots, OfAnEmptyDatabaseStayEmpty) {
  Database db{file_};
  const Snapshot before = db.snapshot();
  for (int i = 0; i < 300; ++i) db.put(std::to_string(i), "x");
  db.checkpoint();
  EXPECT_TRUE(before.table().empty());
  EXPECT_EQ(before.table().begin(), before.table().end());
}

TEST_F(Snapshots, ManyMayBeOpenAtOnce) {
  Database db{file_, {.durability = Durability::relaxed}};
  std::vector<Snapshot> all;
  constexpr std::uint64_t kCount = 1500;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    db.put("i", std::to_string(i));
    all.push_back(db.snapshot());
  }
  EXPECT_EQ(stat(db).reader_count, kCount);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(all[i].table().get("i"), std::to_string(i));
  }
}

TEST_F(Snapshots, OutliveTheDatabaseObject) {
  std::optional<Database> db{file_};
  db->put("a", "1");
  Snapshot snapshot = db->snapshot();
  db.reset();
  EXPECT_EQ(snapshot.table().get("a"), "1");
  Database again{file_};
  again.put("a", "2");
  EXPECT_EQ(snapshot.table().get("a"), "1");
}

TEST_F(Snapshots, AssignmentEndsTheOldOne) {
  Database db{file_};
  db.put("a", "1");
  Snapshot snapshot = db.snapshot();
  db.put("a", "2");
  snapshot = db.snapshot();
  EXPECT_EQ(snapshot.table().get("a"), "2");
  EXPECT_EQ(stat(db).reader_count, 1u);
}

TEST_F(FileSize, SettlesUnderSteadyOverwriting) {
  Database db{file_, {.durability = Durability::relaxed}};
  Random random{choose_seed("SettlesUnderSteadyOverwriting")};
  expect_settles(rounds(1500, 200), 16 * kMiB, [&](std::uint64_t) {
    db.write([&](Transaction& tx) {
      for (int i = 0; i < 20; ++i) {
        tx.table().put(big_endian(random.below(5000)), pattern(100, random.next()));
      }
    });
  });
}

TEST_F(FileSize, SettlesUnderFullCommitsWithCheckpoints) {
  Database db{file_};
  expect_settles(150, 4 * kMiB, [&](std::uint64_t round) {
    db.put(big_endian(round % 50), pattern(500, round));
    if (round % 10 == 0) db.checkpoint();
  });
}

TEST_F(FileSize, SettlesUnderSteadyOverwritingOfLargeValues) {
  Database db{file_, {.durability = Durability::relaxed}};
  Random random{choose_seed("SettlesUnderSteadyOverwritingOfLargeValues")};
  expect_settles(rounds(400, 100), 64 * kMiB, [&](std::uint64_t round) {
    db.put(big_endian(round % 20), pattern(random.between(2000, 200'000), round));
  });
}

TEST_F(FileSize, SettlesWhenTablesComeAndGo) {
  Database db{file_, {.durability = Durability::relaxed}};
  expect_settles(rounds(100, 20), 16 * kMiB, [&](std::uint64_t round) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 300; ++i) {
        tx.table("t" + std::to_string(round % 3)).put(big_endian(i), pattern(200, i));
      }
      tx.drop("t" + std::to_string((round + 1) % 3));
    });
  });
}

TEST_F(FileSize, SettlesUnderRollbacks) {
  Database db{file_};
  expect_settles(20, 32 * kMiB, [&](std::uint64_t round) {
    Transaction tx = db.begin();
    for (std::uint64_t i = 0; i < 500; ++i) tx.table().put(big_endian(i), pattern(3000, round));
  });
  EXPECT_TRUE(entries(db).empty());
}

TEST_F(FileSize, SettlesOverManyReopens) {
  expect_settles(10, 8 * kMiB, [&](std::uint64_t round) {
    Database db{file_};
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 300; ++i) tx.table().put(big_endian(i), pattern(300, round));
    });
  });
}

TEST_F(FileSize, SpaceOfErasedEntriesIsUsedAgain) {
  Database db{file_, {.durability = Durability::relaxed}};
  const auto fill = [&](std::uint64_t seed) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 20'000; ++i) {
        tx.table().put(big_endian(i), pattern(i % 100 == 0 ? 20'000 : 60, seed + i));
      }
    });
  };
  fill(1);
  for (std::uint64_t round = 0; round < rounds(24, 6); ++round) {
    db.write([](Transaction& tx) {
      for (std::uint64_t i = 0; i < 20'000; ++i) EXPECT_TRUE(tx.table().erase(big_endian(i)));
    });
    fill(round);
  }
  EXPECT_LE(file_bytes(), 64 * kMiB);
  db.write([](Transaction& tx) { tx.table().clear(); });
  db.checkpoint();
  db.checkpoint();
  const Statistics after = stat(db);
  EXPECT_EQ(after.tables.at(0).leaf_page_count, 0u);
  EXPECT_EQ(after.tables.at(0).extent_page_count, 0u);
  EXPECT_LE(after.used_pages * after.page_size_bytes, after.log_bytes + kMiB);
}

TEST_F(FileSize, AnOpenSnapshotHoldsPagesAndItsEndGivesThemBack) {
  Database db{file_, {.durability = Durability::relaxed}};
  const auto overwrite = [&](std::uint64_t round) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 300; ++i) tx.table().put(big_endian(i), pattern(1000, round));
    });
  };
  overwrite(0);
  {
    const Snapshot held = db.snapshot();
    for (std::uint64_t round = 1; round < 40; ++round) overwrite(round);
    for (std::uint64_t i = 0; i < 300; ++i) {
      ASSERT_EQ(held.table().get(big_endian(i)), pattern(1000, 0));
    }
  }
  expect_settles(40, 64 * kMiB, overwrite);
}

}  // namespace
}  // namespace quire::test
