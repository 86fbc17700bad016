// Multimaps through the public interface.
#include <quire/quire.h>

#include <algorithm>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "format/meta.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using Strings = std::vector<std::string>;
using PairList = std::vector<std::pair<std::string, std::string>>;

template <typename Range>
Strings strings(const Range& range) {
  Strings all;
  for (const Bytes each : range) all.emplace_back(each);
  return all;
}

template <typename Range>
PairList pairs(const Range& range) {
  PairList all;
  for (const auto& [key, value] : range) all.emplace_back(key, value);
  return all;
}

// A multimap of the newest commit.
struct Newest {
  Newest(const Database& database, Bytes name)
      : snapshot(database.snapshot()), map(snapshot.multimap(name)) {}
  Snapshot snapshot;
  MultimapView map;
};

class Multimaps : public DatabaseTest {
 protected:
  // The file as it would be after the end of all processes, opened.
  template <typename Look>
  void after_a_kill(Look look) {
    const std::filesystem::path copy = directory_.file("killed");
    write_file(copy, read_file(file_));
    {
      Database killed{copy};
      look(killed);
      expect_sound(killed);
    }
    std::filesystem::remove(copy);
    std::filesystem::remove(lock_file_of(copy));
  }

  std::uint64_t incompat_bits() const {
    format::Meta meta;
    const std::string bytes = read_file(file_);
    std::memcpy(static_cast<void*>(&meta), bytes.data(), sizeof meta);
    return meta.incompat;
  }
};

TEST_F(Multimaps, HoldSeveralSortedValuesPerKey) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    EXPECT_TRUE(map.insert("b", "2"));
    EXPECT_TRUE(map.insert("b", "1"));
    EXPECT_TRUE(map.insert("a", "3"));
    EXPECT_FALSE(map.insert("b", "1"));
    EXPECT_EQ(map.size(), 3u);
    EXPECT_EQ(map.key_count(), 2u);
  });
  const Snapshot now = db.snapshot();
  const MultimapView map = now.multimap("map");
  EXPECT_EQ(pairs(map), (PairList{{"a", "3"}, {"b", "1"}, {"b", "2"}}));
  EXPECT_EQ(strings(map.values("b")), (Strings{"1", "2"}));
  EXPECT_EQ(strings(map.values("c")), Strings{});
  EXPECT_EQ(strings(map.keys()), (Strings{"a", "b"}));
  EXPECT_EQ(map.count("b"), 2u);
  EXPECT_EQ(map.count("c"), 0u);
  EXPECT_TRUE(map.contains("b", "2"));
  EXPECT_FALSE(map.contains("a", "2"));
  EXPECT_EQ(map.size(), 3u);
}

TEST_F(Multimaps, LoseAKeyWithItsLastValue) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (const char* value : {"1", "2", "3"}) map.insert("a", value);
    map.insert("b", "");
    EXPECT_FALSE(map.erase("a", "4"));
    EXPECT_TRUE(map.erase("a", "2"));
    EXPECT_EQ(strings(map.values("a")), (Strings{"1", "3"}));
    EXPECT_TRUE(map.erase("b", ""));
    EXPECT_FALSE(map.contains("b"));
    EXPECT_EQ(map.erase("a"), 2u);
    EXPECT_EQ(map.erase("a"), 0u);
    EXPECT_TRUE(map.empty());
    EXPECT_TRUE(map.begin() == map.end());
  });
  EXPECT_EQ(db.snapshot().tables(), Strings{"map"});
  EXPECT_TRUE(db.snapshot().is_multimap("map"));
}

TEST_F(Multimaps, AreWalkedBothWays) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (std::uint64_t i = 0; i < 5000; ++i) map.insert("many", big_endian(i));
    map.insert("a", "1");
    map.insert("n", "1");
    map.insert("n", "2");
  });
  const Snapshot now = db.snapshot();
  const MultimapView map = now.multimap("map");
  PairList back;
  for (PairCursor at = map.end(); at != map.begin();) {
    --at;
    back.emplace_back((*at).key, (*at).value);
  }
  std::reverse(back.begin(), back.end());
  EXPECT_EQ(back, pairs(map));
  ASSERT_EQ(back.size(), 5003u);
  Strings keys;
  for (KeyCursor at = map.keys().end(); at != map.keys().begin();) keys.emplace_back(*--at);
  EXPECT_EQ(keys, (Strings{"n", "many", "a"}));
  const ValueRange some = map.values("many", big_endian(10), big_endian(13));
  EXPECT_EQ(strings(some), (Strings{big_endian(10), big_endian(11), big_endian(12)}));
  EXPECT_EQ(*std::ranges::prev(some.end()), big_endian(12));
  EXPECT_EQ(*std::ranges::prev(map.values("many").end()), big_endian(4999));
  EXPECT_EQ(std::ranges::distance(map.values("many")), 5000);
}

TEST_F(Multimaps, AreSearchedByKeyAndByPair) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (const char* key : {"ab", "ac", "b"}) {
      for (const char* value : {"2", "4"}) map.insert(key, value);
    }
    EXPECT_EQ(map.lower_bound("ac").key(), "ac");
    EXPECT_EQ(map.lower_bound("ac").value(), "2");
    EXPECT_EQ(map.lower_bound("aca").key(), "b");
    EXPECT_EQ(map.upper_bound("ab").key(), "ac");
    EXPECT_TRUE(map.upper_bound("b") == map.end());
    EXPECT_EQ(map.lower_bound("ac", "3").value(), "4");
    EXPECT_EQ(map.lower_bound("ac", "5").key(), "b");
    EXPECT_TRUE(map.lower_bound("b", "5") == map.end());
    EXPECT_EQ(map.find("ac", "4").value(), "4");
    EXPECT_TRUE(map.find("ac", "3") == map.end());
    EXPECT_TRUE(map.find("aca", "2") == map.end());
    EXPECT_EQ(pairs(map.prefix("a")).size(), 4u);
    EXPECT_EQ(pairs(map.range("ac", "b")), (PairList{{"ac", "2"}, {"ac", "4"}}));
    EXPECT_TRUE(map.range("b", "a").empty());
    EXPECT_EQ(strings(map.keys("ab", "b")), (Strings{"ab", "ac"}));
    EXPECT_TRUE(map.keys("b", "b").empty());
    EXPECT_TRUE(map.values("ac", "3", "3").empty());
    EXPECT_TRUE(map.values("aa", "0", "9").empty());
  });
}

TEST_F(Multimaps, AndTablesAreNotTakenForEachOther) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.multimap("map").insert("key", "value");
    tx.table("table").put("key", "value");
  });
  db.write([](Transaction& tx) {
    const std::string text = text_of([&] { tx.table("map"); });
    EXPECT_NE(text.find("table map is a multimap, not a table"), std::string::npos) << text;
    EXPECT_EQ(errc_of([&] { tx.table("map"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { tx.multimap("table"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { tx.multimap(""); }), Errc::misuse);
    EXPECT_TRUE(tx.is_multimap("map"));
    EXPECT_FALSE(tx.is_multimap("table"));
    EXPECT_FALSE(tx.is_multimap("nothing"));
  });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(errc_of([&] { now.table("map"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { now.multimap("table"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { now.multimap(""); }), Errc::misuse);
  EXPECT_TRUE(now.multimap("nothing").empty());
}

TEST_F(Multimaps, DroppedOnesMayComeBackAsTables) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("name");
    Table table = tx.table("name");
    map.insert("key", "value");
    EXPECT_EQ(errc_of([&] { table.put("key", "value"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.get("key"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.erase("key"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.clear(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.begin(); }), Errc::misuse);
    EXPECT_TRUE(tx.drop("name"));
    table.put("key", "other");
    EXPECT_EQ(errc_of([&] { map.insert("key", "value"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { map.erase("key"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { map.erase("key", "value"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { map.size(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { map.clear(); }), Errc::misuse);
    EXPECT_EQ(table.get("key"), "other");
  });
  EXPECT_EQ(entries(db, "name"), (Entries{{"key", "other"}}));
}

TEST_F(Multimaps, RefuseWhatIsTooLong) {
  Database db{file_};
  const std::size_t longest = key_bytes_max(4096);
  db.write([&](Transaction& tx) {
    Multimap map = tx.multimap("map");
    EXPECT_EQ(errc_of([&] { map.insert(std::string(longest + 1, 'k'), ""); }), Errc::too_large);
    EXPECT_EQ(errc_of([&] { map.insert("k", std::string(longest + 1, 'v')); }), Errc::too_large);
    EXPECT_TRUE(tx.tables().empty());
    EXPECT_TRUE(map.insert(std::string(longest, 'k'), std::string(longest, 'v')));
  });
  EXPECT_EQ(Newest(db, "map").map.size(), 1u);
}

TEST_F(Multimaps, KeepCursorsFromWhatHasChanged) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    map.insert("a", "1");
    PairCursor at = map.begin();
    const PairCursor end = map.end();
    EXPECT_TRUE(end.at_end() && !at.at_end() && PairCursor().at_end());
    map.insert("a", "0");
    EXPECT_EQ(errc_of([&] { (void)end.at_end(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { at.value(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { ++at; }), Errc::misuse);
    at = map.begin();
    EXPECT_EQ(at.value(), "0");
    EXPECT_EQ(errc_of([&] { --at; }), Errc::misuse);
    at = map.end();
    EXPECT_EQ(errc_of([&] { ++at; }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { at.key(); }), Errc::misuse);
    EXPECT_TRUE(PairCursor() == PairCursor());
  });
}

TEST_F(Multimaps, TakeArgumentsFromTheirOwnPages) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (std::uint64_t i = 0; i < 900; ++i) map.insert(big_endian(i % 3), big_endian(i));
    for (std::uint64_t i = 0; i < 300; ++i) {
      map.insert("copied", map.begin().value());
      const PairCursor at = map.begin();
      EXPECT_TRUE(map.erase(at.key(), at.value()));
    }
    EXPECT_EQ(map.count("copied"), 300u);
    EXPECT_EQ(map.count(big_endian(0)), 0u);
    EXPECT_EQ(map.erase(map.begin().key()), 300u);
  });
}

TEST_F(Multimaps, AreWhatTheyWereAfterARollback) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 900; ++i) tx.multimap("map").insert("k", big_endian(i));
  });
  Transaction tx = db.begin();
  Multimap map = tx.multimap("map");
  map.erase("k");
  map.insert("l", "1");
  tx.multimap("other").insert("a", "b");
  tx.rollback();
  EXPECT_EQ(Newest(db, "map").map.count("k"), 900u);
  EXPECT_EQ(db.snapshot().tables(), Strings{"map"});
}

TEST_F(Multimaps, SurviveAKillAtEveryCommit) {
  Database db{file_};
  db.write([](Transaction& tx) { tx.multimap("first").insert("a", "b"); });
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (std::uint64_t i = 0; i < 400; ++i) map.insert(big_endian(i % 2), big_endian(i));
    map.insert("c", "1");
    map.insert("c", "2");
  });
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    map.erase("c", "1");
    map.erase(big_endian(0));
    tx.multimap("other").insert("x", "y");
  });
  after_a_kill([](Database& killed) {
    const Snapshot now = killed.snapshot();
    EXPECT_EQ(now.multimap("map").size(), 201u);
    EXPECT_EQ(now.multimap("map").count(big_endian(1)), 200u);
    EXPECT_EQ(strings(now.multimap("map").values("c")), Strings{"2"});
    EXPECT_TRUE(now.multimap("other").contains("x", "y"));
  });
  db.write([](Transaction& tx) {
    tx.multimap("map").clear();
    tx.drop("other");
  });
  after_a_kill([](Database& killed) {
    EXPECT_TRUE(Newest(killed, "map").map.empty());
    EXPECT_EQ(killed.snapshot().tables(), (Strings{"first", "map"}));
  });
}

TEST_F(Multimaps, TheFirstOneOfAFileMarksItForGood) {
  Database db{file_};
  db.write([](Transaction& tx) { tx.table("table").put("a", "b"); });
  db.checkpoint();
  EXPECT_EQ(incompat_bits(), 0u);
  db.write([](Transaction& tx) { tx.multimap("map").insert("a", "b"); });
  EXPECT_EQ(incompat_bits(), format::kIncompatMultimaps);
  EXPECT_EQ(stat(db).checkpoint_txn, stat(db).txn);
  db.write([](Transaction& tx) { tx.drop("map"); });
  db.checkpoint();
  EXPECT_EQ(incompat_bits(), format::kIncompatMultimaps);
}

TEST_F(Multimaps, AreCounted) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 5000; ++i) tx.multimap("map").insert("many", big_endian(i));
    tx.multimap("map").insert("few", "1");
  });
  const Statistics statistics = stat(db);
  const TableStatistics& map = statistics.tables.back();
  EXPECT_TRUE(map.is_multimap);
  EXPECT_EQ(map.entry_count, 2u);
  EXPECT_EQ(map.pair_count, 5001u);
  EXPECT_GE(map.extent_page_count, 5000u * 8 / 4096);
  EXPECT_EQ(check(db).entry_count, 5001u);
  EXPECT_EQ(statistics.used_pages + statistics.free_pages + statistics.pending_pages,
            statistics.file_bytes / statistics.page_size_bytes);
}

TEST_F(Multimaps, AreCopied) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 5000; ++i) {
      tx.multimap("map").insert(big_endian(i % 100 * (i % 2)), big_endian(i));
    }
    tx.multimap("empty").insert("a", "b");
    tx.multimap("empty").erase("a");
  });
  const std::filesystem::path target = directory_.file("copy");
  copy(db.snapshot(), target);
  Database copied{target};
  expect_sound(copied);
  EXPECT_EQ(pairs(Newest(copied, "map").map), pairs(Newest(db, "map").map));
  EXPECT_TRUE(copied.snapshot().is_multimap("empty"));
  EXPECT_EQ(Newest(copied, "empty").map.size(), 0u);
}

TEST_F(Multimaps, AreKeptWhenTheFileIsPackedAtItsClose) {
  PairList before;
  {
    Database db{file_};
    db.write([](Transaction& tx) {
      for (std::uint64_t i = 0; i < 40'000; ++i) tx.table().put(big_endian(i), pattern(100, i));
      for (std::uint64_t i = 0; i < 40'000; ++i) {
        tx.multimap("map").insert(big_endian(i % 7), pattern(20, i) + big_endian(i));
      }
    });
    db.write([](Transaction& tx) { tx.table().clear(); });
    before = pairs(Newest(db, "map").map);
  }
  const auto packed = std::filesystem::file_size(file_);
  Database db{file_};
  EXPECT_EQ(pairs(Newest(db, "map").map), before);
  EXPECT_LT(packed, 8u << 20);
}

}  // namespace
}  // namespace quire::test
