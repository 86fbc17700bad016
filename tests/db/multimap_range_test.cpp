// Ranges of keys of a multimap: erased at once, estimated, sampled.
#include <quire/quire.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "btree/tree.h"
#include "db/handles.h"
#include "format/meta.h"
#include "format/page.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using PairList = std::vector<std::pair<std::string, std::string>>;

PairList pairs(const Database& database) {
  const Snapshot now = database.snapshot();
  PairList all;
  for (const auto& [key, value] : now.multimap("map")) all.emplace_back(key, value);
  return all;
}

class MultimapRanges : public DatabaseTest {
 protected:
  // As recovery makes it of a copy of the file's bytes while the database is open.
  PairList recovered() const {
    const std::filesystem::path copy = directory_.file("recovered");
    write_file(copy, read_file(file_));
    PairList all;
    {
      const Database db{copy};
      all = pairs(db);
      const Snapshot now = db.snapshot();
      EXPECT_EQ(now.multimap("map").size(), all.size());
      expect_sound(db);
    }
    std::filesystem::remove(copy);
    std::filesystem::remove(lock_file_of(copy));
    return all;
  }

  // Two values for each key, but of one of them enough for a tree of their own.
  static void fill(Database& db, std::uint64_t key_count) {
    db.write([&](Transaction& tx) {
      Multimap map = tx.multimap("map");
      for (std::uint64_t i = 0; i < 2 * key_count; ++i) {
        map.insert(big_endian(i / 2), pattern(20, i));
      }
      for (std::uint64_t i = 0; i < 3000; ++i) map.insert(big_endian(key_count / 2), big_endian(i));
    });
  }

  static PairList without(const PairList& all, const std::string& first, const std::string& limit) {
    PairList left;
    for (const auto& pair : all) {
      if (pair.first < first || pair.first >= limit) left.push_back(pair);
    }
    return left;
  }
};

using MultimapRangeMisuse = MultimapRanges;
using MultimapEstimates = MultimapRanges;

TEST_F(MultimapRanges, AreErasedWithAllValuesAndTheRestIsThere) {
  Database db{file_};
  fill(db, 5000);
  const PairList before = pairs(db);
  ASSERT_EQ(before.size(), 13'000u);
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    EXPECT_EQ(map.erase_keys(big_endian(100), big_endian(4500)), 2 * 4400u + 3000);
    EXPECT_EQ(map.erase_keys(big_endian(100), big_endian(4500)), 0u);
    EXPECT_EQ(map.size(), 1200u);
    EXPECT_EQ(map.key_count(), 600u);
    EXPECT_FALSE(map.contains(big_endian(2500)));
  });
  const PairList expected = without(before, big_endian(100), big_endian(4500));
  EXPECT_EQ(pairs(db), expected);
  EXPECT_EQ(recovered(), expected);
}

TEST_F(MultimapRanges, GivePagesOfErasedValuesBack) {
  Database db{file_};
  fill(db, 5000);
  db.write([](Transaction& tx) { EXPECT_EQ(tx.multimap("map").erase_keys("", {}), 13'000u); });
  EXPECT_EQ(stat(db).tables.back().extent_page_count, 0u);
  EXPECT_TRUE(pairs(db).empty());
  EXPECT_TRUE(recovered().empty());
  EXPECT_TRUE(db.snapshot().is_multimap("map"));
}

TEST_F(MultimapRanges, ByPrefixOrCursorsTakeTheKeysTheyName) {
  Database db{file_};
  const std::string high = "\xff\xff";
  db.write([&](Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (const char* key : {"a", "ab", "abc", "ac", "b", "c", "d"}) {
      map.insert(key, "1");
      map.insert(key, "2");
    }
    map.insert(high, "1");
    map.insert(high + "x", "2");
    EXPECT_EQ(map.erase_prefix("ab"), 4u);
    EXPECT_EQ(map.erase_prefix("nothing"), 0u);
    EXPECT_EQ(map.erase_prefix(high), 2u);
    EXPECT_EQ(map.erase(map.keys("b", "d")), 4u);
    EXPECT_EQ(map.erase(map.keys("x", "y")), 0u);
    EXPECT_EQ(map.erase_keys("d", std::nullopt), 2u);
  });
  const PairList left = {{"a", "1"}, {"a", "2"}, {"ac", "1"}, {"ac", "2"}};
  EXPECT_EQ(pairs(db), left);
  EXPECT_EQ(recovered(), left);
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    EXPECT_EQ(map.erase(map.keys()), 4u);
    EXPECT_EQ(map.erase_prefix(""), 0u);
    EXPECT_EQ(map.erase_keys("b", "a"), 0u);
  });
  EXPECT_TRUE(recovered().empty());
}

TEST_F(MultimapRanges, AreOneOperationInTheLog) {
  Database db{file_};
  fill(db, 5000);
  db.checkpoint();
  const std::uint64_t before = stat(db).log_used_bytes;
  db.write([](Transaction& tx) { tx.multimap("map").erase_keys(big_endian(5), big_endian(4000)); });
  EXPECT_LT(stat(db).log_used_bytes, before + 300);
  EXPECT_EQ(recovered(), pairs(db));
}

TEST_F(MultimapRanges, TakeArgumentsThatPointIntoWhatIsErased) {
  Database db{file_};
  fill(db, 2000);
  Transaction tx = db.begin();
  Multimap map = tx.multimap("map");
  map.insert(big_endian(2000), "of this transaction");
  const PairCursor first = map.begin();
  const PairCursor last = map.lower_bound(big_endian(2000));
  EXPECT_EQ(map.erase_keys(first.key(), last.key()), 7000u);
  EXPECT_EQ(map.size(), 1u);
  tx.commit();
  EXPECT_EQ(recovered(), pairs(db));
}

TEST_F(MultimapRanges, ComeBackWithASavepoint) {
  Database db{file_};
  fill(db, 2000);
  Transaction tx = db.begin();
  Multimap map = tx.multimap("map");
  for (std::uint64_t i = 0; i < 2000; i += 3) map.insert(big_endian(i), "more");
  const std::uint64_t size = map.size();
  Savepoint savepoint = tx.savepoint();
  EXPECT_GT(map.erase_keys(big_endian(7), big_endian(1500)), 3000u);
  map.insert(big_endian(8), "8");
  map.insert(big_endian(1000), "1000");
  savepoint.rollback();
  EXPECT_EQ(map.size(), size);
  EXPECT_EQ(map.count(big_endian(1000)), 3002u);
  EXPECT_EQ(map.erase_keys(big_endian(1000), big_endian(1001)), 3002u);
  tx.commit();
  EXPECT_EQ(pairs(db).size(), size - 3002);
  EXPECT_EQ(recovered(), pairs(db));
}

TEST_F(MultimapRanges, AreInsertedAnewInTheSameTransaction) {
  Database db{file_};
  fill(db, 1000);
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (std::uint64_t i = 0; i < 100; ++i) map.insert(big_endian(500), "last " + big_endian(i));
    map.erase_keys(big_endian(400), big_endian(600));
    for (std::uint64_t i = 0; i < 100; ++i) map.insert(big_endian(500), "anew " + big_endian(i));
    EXPECT_EQ(map.count(big_endian(500)), 100u);
  });
  EXPECT_EQ(recovered(), pairs(db));
}

TEST_F(MultimapRanges, OfAMissingMultimapDoNotMakeIt) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap none = tx.multimap("none");
    EXPECT_EQ(none.erase_keys("a", "b"), 0u);
    EXPECT_EQ(none.erase_prefix(""), 0u);
    EXPECT_EQ(none.erase(none.keys()), 0u);
    EXPECT_EQ(none.estimate(""), 0u);
    EXPECT_TRUE(none.sample(3).empty());
  });
  EXPECT_TRUE(db.snapshot().tables().empty());
}

TEST_F(MultimapRangeMisuse, WithCursorsOfSomethingElseIsRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  Multimap map = tx.multimap("map");
  Multimap other = tx.multimap("other");
  other.insert("a", "1");
  map.insert("a", "1");
  const KeyRange stale = map.keys();
  map.insert("b", "2");
  EXPECT_EQ(errc_of([&] { map.erase(stale); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { map.erase(other.keys()); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { map.erase(KeyRange{map.keys().begin(), KeyCursor{}}); }), Errc::misuse);
  EXPECT_EQ(map.size(), 2u);
  tx.drop("other");
  tx.table("other").put("k", "v");
  EXPECT_EQ(errc_of([&] { other.erase_keys("", std::nullopt); }), Errc::misuse);
  tx.commit();
  EXPECT_EQ(errc_of([&] { map.erase_keys("a", "b"); }), Errc::misuse);
}

// Its keys have four values each, of which the catalogue counts what a test says.
class MiscountedPairs : public MultimapRanges {
 protected:
  static void fill(Database& db) {
    for (const char* value : {"1", "2", "3", "4"}) {
      db.write([&](Transaction& tx) {
        for (const char* key : {"a", "b", "c"}) tx.multimap("map").insert(key, value);
      });
    }
  }

  // Where the record of a table in the catalogue of the newest commit has a count, in the file.
  struct Count {
    const char* table;
    std::size_t offset;
  };
  static constexpr Count kPairCount{"map", offsetof(format::TableRecord, pair_count)};
  static constexpr std::size_t kEntryCount =
      offsetof(format::TableRecord, tree) + offsetof(format::TreeRoot, entry_count);

  static std::ptrdiff_t offset_of(Database& db, const Count& count) {
    txn::Store& store = detail::Access::store(db);
    const pages::PageView view = store.view(store.allocator().file_pages());
    const auto record = btree::get(view, store.visible_state().catalogue, count.table).value();
    return reinterpret_cast<const std::byte*>(record.data()) - view.base +
           static_cast<std::ptrdiff_t>(count.offset);
  }

  void set_pair_count(Database& db, std::uint64_t count) {
    skip_final_check();
    std::fstream file{file_, std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(offset_of(db, kPairCount));
    file.write(reinterpret_cast<const char*>(&count), sizeof count);
  }

  // Of a closed file, with a new checksum of the page, as a hostile program does it.
  void forge(const Count& where, std::uint64_t count) {
    skip_final_check();
    std::ptrdiff_t offset = 0;
    std::uint64_t seed = 0;
    {
      Database db{file_};
      offset = offset_of(db, where);
      seed = detail::Access::store(db).facts().checksum_seed;
    }
    constexpr std::uint32_t kPageBytes = 4096;
    std::string file = read_file(file_);
    char* page = file.data() + offset / kPageBytes * kPageBytes;
    std::memcpy(file.data() + offset, &count, sizeof count);
    const std::uint64_t checksum =
        format::page_checksum(reinterpret_cast<const std::byte*>(page), kPageBytes, seed);
    std::memcpy(page + offsetof(format::PageHeader, checksum), &checksum, sizeof checksum);
    write_file(file_, file);
  }

  template <typename Change>
  static void expect_refused(Database& db, const std::string& reason, Change&& change) {
    const std::string text =
        text_of([&] { db.write([&](Transaction& tx) { change(tx.multimap("map")); }); });
    EXPECT_NE(text.find(reason), std::string::npos) << text;
  }
};

// A count that goes below zero, or below that of the keys, would make the multimap unreadable.
TEST_F(MiscountedPairs, FewerThanThereAreAreNotErased) {
  Database db{file_};
  fill(db);
  const std::string reason = "pairs, its pages say more";
  for (const std::uint64_t count : {std::uint64_t{3}, std::uint64_t{5}}) {
    set_pair_count(db, count);
    expect_refused(db, reason, [](Multimap map) { map.erase_keys("", std::nullopt); });
    expect_refused(db, reason, [](Multimap map) { map.erase_keys("a", "b"); });
    expect_refused(db, reason, [](Multimap map) { map.erase("b"); });
    expect_refused(db, reason, [](Multimap map) {
      for (const char* value : {"1", "2", "3"}) map.erase("b", value);
    });
  }
  EXPECT_EQ(pairs(db).size(), 12u);
  db.checkpoint();
  db.write([](Transaction& tx) { tx.multimap("map").insert("d", "1"); });
  db.checkpoint();
  EXPECT_EQ(pairs(db).size(), 13u);
}

TEST_F(MiscountedPairs, AsManyAsCanBeCountedBecomeNoMore) {
  Database db{file_};
  fill(db);
  set_pair_count(db, std::numeric_limits<std::uint64_t>::max());
  expect_refused(db, "multimap map counts more pairs than there can be",
                 [](Multimap map) { map.insert("a", "5"); });
  EXPECT_EQ(pairs(db).size(), 12u);
}

TEST_F(MiscountedPairs, AreFoundAndLoseNothingHoweverOftenTheFileIsOpened) {
  constexpr std::uint64_t kKeys = 3;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t count : {std::uint64_t{0}, kKeys - 1, kKeys, 5 * kKeys, kMost}) {
    SCOPED_TRACE(count);
    std::filesystem::remove(file_);
    {
      Database db{file_};
      fill(db);
      db.put("another", "table");
    }
    forge(kPairCount, count);
    std::uint64_t expected = 12;
    for (std::uint64_t opened = 0; opened < 3; ++opened) {
      Database db{file_};
      EXPECT_FALSE(check(db).ok());
      EXPECT_EQ(db.get("another"), "table");
      const auto code = errc_of([&] {
        db.write([&](Transaction& tx) { tx.multimap("map").insert("d", big_endian(opened)); });
      });
      EXPECT_EQ(code.has_value(), count < kKeys || count == kMost);
      expected += code ? 0 : 1;
      if (count < kKeys) {
        EXPECT_EQ(errc_of([&] { pairs(db); }), Errc::corrupt) << "fewer pairs than keys";
        EXPECT_EQ(errc_of([&] { db.write([](Transaction& tx) { tx.drop("map"); }); }),
                  Errc::corrupt);
      } else {
        EXPECT_EQ(pairs(db).size(), expected);
      }
    }
    const std::filesystem::path target = directory_.file("salvaged " + std::to_string(count));
    salvage(file_, target);
    EXPECT_EQ(pairs(Database{target}).size(), expected);
    expect_sound(target);
  }
}

// A caller's arrays have room for as many as it asks for, whatever the file counts.
TEST_F(MiscountedPairs, NoMoreAreSampledThanWereAskedFor) {
  {
    Database db{file_};
    fill(db);
    db.write([](Transaction& tx) {
      for (const char* key : {"a", "b", "c"}) tx.table("plain").put(key, "1");
    });
  }
  for (const char* table : {"map", "plain"}) forge({table, kEntryCount}, 1);
  const Database db{file_};
  const Snapshot now = db.snapshot();
  ASSERT_EQ(now.table("plain").size(), 1u);
  ASSERT_EQ(now.multimap("map").key_count(), 1u);
  EXPECT_EQ(now.table("plain").sample(2).size(), 2u);
  EXPECT_EQ(now.multimap("map").sample(2).size(), 2u);
}

TEST_F(MultimapEstimates, CountKeysNotPairs) {
  Database db{file_};
  fill(db, 20'000);
  const Snapshot now = db.snapshot();
  const MultimapView map = now.multimap("map");
  EXPECT_EQ(map.estimate(""), 20'000u);
  EXPECT_EQ(map.estimate(big_endian(40), big_endian(41)), 1u);
  EXPECT_EQ(map.estimate("z", "a"), 0u);
  EXPECT_EQ(now.multimap("none").estimate(""), 0u);
  EXPECT_NEAR(static_cast<double>(map.estimate(big_endian(10'000))), 10'000, 3000);
}

TEST_F(MultimapEstimates, SamplesAreKeysSpreadEvenlyAndDifferent) {
  Database db{file_};
  fill(db, 20'000);
  const Snapshot now = db.snapshot();
  const MultimapView map = now.multimap("map");
  const std::vector<KeyCursor> sample = map.sample(100);
  ASSERT_EQ(sample.size(), 100u);
  for (std::size_t i = 1; i < sample.size(); ++i) {
    ASSERT_LT(*sample[i - 1], *sample[i]);
    ASSERT_LT(map.estimate(*sample[i - 1], *sample[i]), 600u);
    ASSERT_EQ(sample[i].value(), *map.values(*sample[i]).begin());
  }
  EXPECT_TRUE(map.sample(0).empty());
  db.write([](Transaction& tx) {
    Multimap few = tx.multimap("few");
    for (const char* key : {"a", "b", "c"}) {
      few.insert(key, "1");
      few.insert(key, "2");
    }
    EXPECT_EQ(few.sample(10).size(), 3u);
    EXPECT_EQ(few.sample(3).size(), 3u);
    EXPECT_EQ(few.sample(1).size(), 1u);
  });
}

}  // namespace
}  // namespace quire::test
