// Arguments that point into the map, also into what the call itself moves or frees.
#include <quire/quire.h>

#include <cstdint>
#include <string>

#include "support/database_test.h"

namespace quire::test {
namespace {

// A table with entries of the given size, all in the map (committed), then one transaction on it.
class Aliasing : public DatabaseTest {
 protected:
  static constexpr std::uint64_t kCount = 300;

  template <typename Body>
  void in_transaction(std::size_t value_bytes, Body&& body) {
    Database db{file_};
    db.write([&](Transaction& tx) {
      tx.table().clear();
      for (std::uint64_t i = 0; i < kCount; ++i) {
        tx.table().put(big_endian(i), pattern(value_bytes, i));
      }
    });
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      body(table);
    });
    expect_sound(db);
  }

  // Sizes that live in a leaf (one small, one that splits leaves at every put) and in an extent.
  static constexpr std::size_t kSizes[] = {10, 900, 20'000};
};

TEST_F(Aliasing, ValueOfAnotherEntry) {
  for (const std::size_t size : kSizes) {
    in_transaction(size, [&](Table& table) {
      for (std::uint64_t i = 0; i < kCount; ++i) {
        table.put(big_endian(i * 7 % kCount), *table.get(big_endian(i)));
        const std::uint64_t to = i * 7 % kCount;
        ASSERT_EQ(table.get(big_endian(to)), *table.get(big_endian(i))) << size << " " << i;
      }
    });
  }
}

TEST_F(Aliasing, ItsOwnValue) {
  for (const std::size_t size : kSizes) {
    in_transaction(size, [&](Table& table) {
      for (std::uint64_t i = 0; i < kCount; ++i) {
        table.put(big_endian(i), *table.get(big_endian(i)));
        table.put(big_endian(i), *table.get(big_endian(i)));
        ASSERT_EQ(table.get(big_endian(i)), pattern(size, i));
      }
    });
  }
}

TEST_F(Aliasing, APartOfItsOwnValue) {
  for (const std::size_t size : kSizes) {
    in_transaction(size, [&](Table& table) {
      for (std::uint64_t i = 0; i < kCount; ++i) {
        table.put(big_endian(i), table.get(big_endian(i))->substr(size / 3));
        ASSERT_EQ(table.get(big_endian(i)), pattern(size, i).substr(size / 3));
        table.put(big_endian(i), table.get(big_endian(i))->substr(0, size / 3));
        ASSERT_EQ(table.get(big_endian(i)), pattern(size, i).substr(size / 3, size / 3));
      }
    });
  }
}

TEST_F(Aliasing, KeyOfACursorAsKeyToPut) {
  for (const std::size_t size : kSizes) {
    in_transaction(size, [&](Table& table) {
      for (std::uint64_t i = 0; i < kCount; ++i) {
        const Cursor at = table.find(big_endian(i));
        table.put(at.key(), pattern(size / 2, i + 1));
        ASSERT_EQ(table.get(big_endian(i)), pattern(size / 2, i + 1));
      }
      ASSERT_EQ(table.size(), kCount);
    });
  }
}

TEST_F(Aliasing, KeyOfACursorToErase) {
  for (const std::size_t size : kSizes) {
    in_transaction(size, [&](Table& table) {
      for (std::uint64_t i = 0; i < kCount; ++i) {
        ASSERT_TRUE(table.erase(table.begin().key()));
        ASSERT_EQ(table.size(), kCount - i - 1);
      }
      ASSERT_TRUE(table.empty());
    });
  }
}

TEST_F(Aliasing, KeyAndValueOfOneEntrySwapped) {
  in_transaction(900, [&](Table& table) {
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const Cursor at = table.find(big_endian(i));
      table.put(at.value(), at.key());
      ASSERT_EQ(table.get(pattern(900, i)), big_endian(i));
    }
    ASSERT_EQ(table.size(), 2 * kCount);
  });
}

TEST_F(Aliasing, ValueIsThePartOfThePageThatMoves) {
  in_transaction(900, [&](Table& table) {
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const std::string before{*table.get(big_endian(i))};
      std::string between = big_endian(i);
      for (int n = 0; n < 4; ++n) {
        between += 'x';
        table.put(between, *table.get(big_endian(i)));
        ASSERT_EQ(table.get(between), before);
        ASSERT_EQ(table.get(big_endian(i)), before);
      }
    }
  });
}

TEST_F(Aliasing, ValueOfAnExtentThatThisTransactionWrote) {
  in_transaction(10, [&](Table& table) {
    table.put("a", pattern(100'000, 1));
    table.put("b", *table.get("a"));
    table.put("a", table.get("a")->substr(50'000));
    table.put("b", table.get("b")->substr(0, 70'000));
    table.put("a", *table.get("b"));
    ASSERT_EQ(table.get("a"), pattern(100'000, 1).substr(0, 70'000));
    ASSERT_EQ(table.get("b"), pattern(100'000, 1).substr(0, 70'000));
    table.put("a", table.get("a")->substr(10, 100));
    ASSERT_EQ(table.get("a"), pattern(100'000, 1).substr(10, 100));
  });
}

TEST_F(Aliasing, ValueOfAnotherTableAndOfASnapshot) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 200; ++i) tx.table("from").put(big_endian(i), pattern(700, i));
  });
  const Snapshot before = db.snapshot();
  db.write([&](Transaction& tx) {
    Table from = tx.table("from");
    for (std::uint64_t i = 0; i < 200; ++i) {
      tx.table("to").put(big_endian(i), *from.get(big_endian(i)));
      tx.table("to").put(*from.get(big_endian(i)), *before.table("from").get(big_endian(199 - i)));
    }
    tx.drop("from");
  });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.table("to").size(), 400u);
  for (std::uint64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(now.table("to").get(big_endian(i)), pattern(700, i));
    EXPECT_EQ(now.table("to").get(pattern(700, i)), pattern(700, 199 - i));
  }
}

TEST_F(Aliasing, AnyPartOfAnyEntryAsKeyOrValueInPagesFullOfHoles) {
  Random random{choose_seed("Aliasing")};
  Database db{file_};
  Entries model;
  for (int round = 0; round < 4; ++round) {
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      table.put("first", pattern(120, 1));
      model["first"] = pattern(120, 1);
      for (int i = 0; i < 8000; ++i) {
        const auto any = [&] {
          const Cursor at = table.lower_bound(pattern(1, random.next()));
          const Entry entry = at == table.end() ? *table.begin() : *at;
          const Bytes from = random.one_in(2) ? entry.key : entry.value;
          return from.substr(random.below(from.size() + 1), random.below(160));
        };
        const Bytes key = any();
        const Bytes value = any();
        const std::string key_copy{key};
        const std::string value_copy{value};
        if (random.one_in(5) && model.size() > 1) {
          ASSERT_EQ(table.erase(key), model.erase(key_copy) == 1);
        } else {
          table.put(key, value);
          model[key_copy] = value_copy;
        }
        if (i % 50 == 0) table.put("first", model["first"] = pattern(120, random.next()));
      }
    });
    ASSERT_EQ(entries(db), model);
  }
}

TEST_F(Aliasing, NameOfATableThatPointsIntoTheMap) {
  Database db{file_};
  db.put("name", "the table");
  db.write([](Transaction& tx) {
    tx.table(*tx.table().get("name")).put(*tx.table().get("name"), *tx.table().get("name"));
    EXPECT_EQ(tx.table("the table").get("the table"), "the table");
    EXPECT_TRUE(tx.drop(*tx.table("the table").get("the table")));
  });
}

}  // namespace
}  // namespace quire::test
