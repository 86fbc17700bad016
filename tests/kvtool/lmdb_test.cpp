// Moving to LMDB and back by the text of mdb_dump and mdb_load, also through these themselves.
#include <filesystem>
#include <map>
#include <set>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

using Pairs = std::set<std::pair<std::string, std::string>>;

class LmdbText : public KvtoolTest {
 protected:
  static void store_pairs(const std::string& file, const std::string& name, const Pairs& pairs) {
    Database database(file);
    database.write([&](Transaction& tx) {
      Multimap target = tx.multimap(name);
      for (const auto& [key, value] : pairs) target.insert(key, value);
    });
  }

  static Pairs stored_pairs(const std::string& file, const std::string& name) {
    const Database database(file, {.create_if_missing = false});
    const Snapshot now = database.snapshot();
    Pairs pairs;
    for (const auto [key, value] : now.multimap(name)) pairs.emplace(key, value);
    return pairs;
  }
};

// With the programs of LMDB.
class ThroughLmdb : public LmdbText {
 protected:
  void SetUp() override {
    if (run({"/bin/sh", "-c", "command -v mdb_load && command -v mdb_dump"}).exit_code != 0) {
      GTEST_SKIP() << "there are no mdb_load and mdb_dump (package lmdb-utils)";
    }
  }

  // What LMDB makes of a dump, as it dumps it.
  std::string through_lmdb(const std::string& dump) {
    const std::string lmdb = in_directory("lmdb" + std::to_string(++count_));
    const Finished loaded = run({"/bin/sh", "-c", "mdb_load -n \"$0\"", lmdb}, dump);
    EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
    const Finished dumped = run({"/bin/sh", "-c", "mdb_dump -a -n \"$0\"", lmdb});
    EXPECT_EQ(dumped.exit_code, 0) << dumped.err;
    return dumped.out;
  }

  int count_ = 0;
};

// Every byte in keys and values, and enough values of a key for a tree of their own.
Pairs awkward_pairs() {
  Pairs pairs;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    pairs.emplace(text, text + text);
    pairs.emplace("key", text);
    pairs.emplace("key", "\\" + text);
  }
  for (int i = 0; i < 1000; ++i) pairs.emplace("many", std::to_string(i) + std::string(50, '.'));
  return pairs;
}

TEST_F(LmdbText, ComesBackByteByByteInBothFormats) {
  store(file_, awkward_entries());
  store(file_, random_entries(5, 100), "named");
  for (const bool is_print : {false, true}) {
    std::vector<std::string> exporting = {"export", file_};
    if (is_print) exporting.push_back("--print");
    const std::string copy = in_directory(is_print ? "print" : "bytevalue");
    done({"import", copy}, done(exporting));
    EXPECT_EQ(stored(copy), stored(file_));
    EXPECT_EQ(stored(copy, "named"), stored(file_, "named"));
  }
}

TEST_F(LmdbText, IsWhatMdbDumpPrints) {
  const std::string dumped =
      "VERSION=3\nformat=print\ndatabase=people\ntype=btree\nmapsize=1048576\nmaxreaders=126\n"
      "db_pagesize=4096\nHEADER=END\n ada\n Ada \\\\ Love\\0alace\nDATA=END\n"
      "VERSION=3\nformat=bytevalue\ndatabase=other\ntype=btree\nHEADER=END\n 61\n 6200\nDATA=END\n";
  done({"import", file_}, dumped);
  EXPECT_EQ(stored(file_, "people"), (Entries{{"ada", "Ada \\ Love\nlace"}}));
  EXPECT_EQ(stored(file_, "other"), (Entries{{"a", std::string("b\0", 2)}}));
  done({"import", file_, "--table", "main"},
       "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n k\n v\nDATA=END\n");
  EXPECT_EQ(stored(file_, "main"), (Entries{{"k", "v"}}));
}

TEST_F(LmdbText, ThatIsWrongIsRefusedWithItsLineAndStoresNothing) {
  const std::string start = "VERSION=3\nformat=bytevalue\ntype=btree\n";
  const auto complaint = [&](const std::string& text) {
    const std::string line = refused(2, {"import", in_directory("none")}, text);
    EXPECT_FALSE(std::filesystem::exists(in_directory("none")) &&
                 !stored(in_directory("none")).empty());
    return line;
  };
  EXPECT_TRUE(contains(complaint(""), "empty"));
  EXPECT_TRUE(contains(complaint("people\n"), "VERSION=3"));
  EXPECT_TRUE(contains(complaint(start + "HEADER=END\n 61\n 62\n"), "cut short"));
  EXPECT_TRUE(contains(complaint(start + "HEADER=END\n 61\nDATA=END\n"), "without a value"));
  EXPECT_TRUE(contains(complaint(start + "HEADER=END\n 6\n"), "line 5"));
  EXPECT_TRUE(contains(complaint(start + "HEADER=END\n61\n"), "neither"));
  EXPECT_TRUE(contains(complaint(start + "integerkey=1\nHEADER=END\n"), "integerkey"));
  EXPECT_TRUE(contains(complaint(start + "format=odd\n"), "odd"));
  EXPECT_TRUE(contains(complaint(start + "dupsort=1\nreversedup=1\nHEADER=END\n"), "reversedup"));
  EXPECT_TRUE(contains(complaint(start + "dupsort=1\nHEADER=END\n"), "--table"));
  const std::string multimap = start + "database=m\nduplicates=1\ndupsort=1\nHEADER=END\n";
  EXPECT_TRUE(contains(complaint(multimap + " 61\n 62\n 61\n"), "cut short"));
  EXPECT_TRUE(contains(complaint(multimap + " 61\n 62\n 61\nDATA=END\n"), "line 11: a key with"));
  EXPECT_TRUE(contains(complaint(multimap + " 61\n 6x\n"), "line 9: hexadecimal"));
  EXPECT_TRUE(
      contains(complaint("VERSION=3\nformat=print\nHEADER=END\n a\\z\n"), "line 4: a backslash"));
  EXPECT_TRUE(contains(complaint("VERSION=3\ntype=hash\n"), "hash"));
}

TEST_F(LmdbText, KeepsMultimapsInBothFormats) {
  store(file_, {{"a", "b"}});
  store(file_, {{"c", "d"}}, "table");
  store_pairs(file_, "pairs", awkward_pairs());
  for (const bool is_print : {false, true}) {
    std::vector<std::string> exporting = {"export", file_};
    if (is_print) exporting.push_back("--print");
    const std::string copy = in_directory(is_print ? "print" : "bytevalue");
    done({"import", copy}, done(exporting));
    EXPECT_EQ(done({"dump", copy}), done({"dump", file_}));
    done({"check", copy});
  }
}

TEST_F(LmdbText, OfADatabaseWithoutANameGoesWhereItIsTold) {
  const std::string dump =
      "VERSION=3\nformat=print\ntype=btree\nduplicates=1\nmapsize=4096\nHEADER=END\n"
      " a\n 2\n a\n 1\nDATA=END\n";
  refused(2, {"import", file_}, dump);
  EXPECT_FALSE(std::filesystem::exists(file_));
  done({"import", file_, "--table", "pairs"}, dump);
  EXPECT_EQ(stored_pairs(file_, "pairs"), (Pairs{{"a", "1"}, {"a", "2"}}));
  // Also behind one that has a name.
  const std::string two =
      "VERSION=3\nformat=print\ndatabase=named\nHEADER=END\n k\n v\nDATA=END\n"
      "VERSION=3\nformat=print\nHEADER=END\n l\n w\nDATA=END\n";
  done({"import", file_, "--table", "unnamed"}, two);
  EXPECT_EQ(stored(file_, "named"), (Entries{{"k", "v"}}));
  EXPECT_EQ(stored(file_, "unnamed"), (Entries{{"l", "w"}}));
}

TEST_F(LmdbText, OfAnotherKindOfTableIsRefused) {
  store(file_, {{"k", "v"}}, "t");
  const std::string line =
      refused(3, {"import", file_},
              "VERSION=3\nformat=print\ndatabase=t\ndupsort=1\nHEADER=END\n a\n b\nDATA=END\n");
  EXPECT_TRUE(contains(line, "line 5")) << line;
  EXPECT_EQ(stored(file_, "t"), (Entries{{"k", "v"}}));
}

TEST_F(LmdbText, RefusesNamesThatAHeaderCannotHold) {
  const std::vector<std::string> names = {"a\nb", "a\r", std::string("a\0b", 3)};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string file = in_directory("odd" + std::to_string(i));
    store(file, random_entries(i, 1000), "A");
    store(file, {{"k", "v"}}, names[i]);
    const Finished finished = kvtool({"export", file});
    EXPECT_EQ(finished.exit_code, 3);
    EXPECT_EQ(finished.out, "");
    EXPECT_FALSE(contains(finished.err, "\\\\")) << finished.err;
    EXPECT_TRUE(contains(finished.err, "only dumped")) << finished.err;
  }
}

TEST_F(ThroughLmdb, EveryPairOfAMultimapComesBack) {
  // LMDB has no empty keys.
  Pairs pairs = awkward_pairs();
  Entries entries = awkward_entries();
  entries.erase("");
  store_pairs(file_, "first", pairs);
  store(file_, entries, "table");
  store_pairs(file_, "zuletzt", {{"a", "1"}, {"a", "2"}, {"b", ""}});
  const std::string dumped = through_lmdb(done({"export", file_}));
  EXPECT_TRUE(contains(dumped, "duplicates=1\n")) << dumped.substr(0, 400);
  const std::string copy = in_directory("copy");
  done({"import", copy}, dumped);
  EXPECT_EQ(stored_pairs(copy, "first"), pairs);
  EXPECT_EQ(stored(copy, "table"), entries);
  EXPECT_EQ(done({"dump", copy}), done({"dump", file_}));
  done({"check", copy});
}

TEST_F(ThroughLmdb, MoreThanItsUsualMapFits) {
  Entries entries;
  for (int i = 0; i < 20'000; ++i) entries["key " + std::to_string(i)] = std::string(300, 'v');
  store(file_, entries, "large");
  const std::string copy = in_directory("copy");
  done({"import", copy}, through_lmdb(done({"export", file_})));
  EXPECT_TRUE(stored(copy, "large") == entries);
}

}  // namespace
}  // namespace quire::test
