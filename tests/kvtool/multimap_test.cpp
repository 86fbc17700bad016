// Multimaps from the shell.
#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class MultimapOnTheShell : public KvtoolTest {
 protected:
  void SetUp() override {
    for (const char* person : {"alan", "ada", "tab\t"}) {
      done({"insert", file_, "London", person, "--table", "cities"});
    }
    done({"insert", file_, "Paris", "blaise", "--table", "cities"});
    done({"put", file_, "ada", "Lovelace"});
  }
};

TEST_F(MultimapOnTheShell, IsFilledListedAndErasedFrom) {
  EXPECT_EQ(done({"get", file_, "London", "--table", "cities"}), "ada\nalan\ntab\t\n");
  EXPECT_EQ(done({"list", file_, "--table", "cities"}),
            "London\tada\nLondon\talan\nLondon\ttab\\t\nParis\tblaise\n");
  EXPECT_EQ(done({"list", file_, "--table", "cities", "--reverse", "--limit", "1"}),
            "Paris\tblaise\n");
  EXPECT_EQ(done({"list", file_, "--table", "cities", "--prefix", "P", "--keys"}), "Paris\n");
  done({"del", file_, "London", "alan", "--table", "cities"});
  EXPECT_EQ(done({"get", file_, "London", "--table", "cities"}), "ada\ntab\t\n");
  done({"del", file_, "London", "--table", "cities"});
  EXPECT_EQ(done({"list", file_, "--table", "cities"}), "Paris\tblaise\n");
}

TEST_F(MultimapOnTheShell, SaysWhatIsMissingOrThereAlready) {
  refused(1, {"insert", file_, "Paris", "blaise", "--table", "cities"});
  refused(1, {"del", file_, "Paris", "ada", "--table", "cities"});
  refused(1, {"del", file_, "Rome", "--table", "cities"});
  refused(1, {"get", file_, "Rome", "--table", "cities"});
}

TEST_F(MultimapOnTheShell, IsNotTakenForATable) {
  refused(3, {"put", file_, "a", "b", "--table", "cities"});
  refused(3, {"insert", file_, "a", "b"});
}

TEST_F(MultimapOnTheShell, KeepsItsKindInADump) {
  const std::string dump = done({"dump", file_});
  EXPECT_NE(dump.find("multimap cities\nLondon\tada\n"), std::string::npos) << dump;
  const std::string copy = in_directory("copy.quire");
  done({"load", copy, "--format", "dump"}, dump);
  EXPECT_EQ(done({"dump", copy}), dump);
  done({"check", copy});
  done({"load", copy, "--table", "cities"}, "Rome\tenrico\nRome\tada\n");
  EXPECT_EQ(done({"get", copy, "Rome", "--table", "cities"}), "ada\nenrico\n");
  done({"load", copy, "--format", "dump", "--batch", "1"}, dump);
}

TEST_F(MultimapOnTheShell, IsMadeOfWhatListPrints) {
  const std::string copy = in_directory("copy.quire");
  for (const char* format : {"text", "json", "hex"}) {
    const bool is_hex = std::string(format) == "hex";
    std::vector<std::string> load = {"load", copy, "--table", format, "--multimap"};
    if (is_hex) load.emplace_back("--hex");
    if (std::string(format) == "json") load.insert(load.end(), {"--format", "json"});
    done(load, done({"list", file_, "--table", "cities", "--format", format}));
    EXPECT_EQ(done({"list", copy, "--table", format}), done({"list", file_, "--table", "cities"}));
  }
  done({"load", copy, "--table", "text", "--multimap", "--batch", "1"},
       "Rome\tenrico\nRome\tada\n");
  EXPECT_EQ(done({"get", copy, "Rome", "--table", "text"}), "ada\nenrico\n");
  done({"check", copy});
}

TEST_F(MultimapOnTheShell, IsMadeOfNothingWhenAskedFor) {
  done({"load", file_, "--table", "empty", "--multimap"}, "");
  const std::string before = done({"dump", file_});
  EXPECT_NE(before.find("multimap empty\n"), std::string::npos) << before;
  for (const char* table : {"empty", "cities"}) {
    done({"load", file_, "--table", table, "--multimap"}, "");
  }
  EXPECT_EQ(done({"dump", file_}), before);
  done({"check", file_});
}

TEST_F(MultimapOnTheShell, IsNotMadeOfWhatItCannotHold) {
  const std::string before = done({"dump", file_});
  refused(2, {"load", file_, "--multimap"}, "a\tb\n");
  refused(2, {"load", file_, "--multimap", "--format", "dump"}, before);
  done({"put", file_, "ada", "Lovelace", "--table", "people"});
  const std::string after = done({"dump", file_});
  refused(3, {"load", file_, "--multimap", "--table", "people"}, "a\tb\n");
  refused(3, {"load", file_, "--multimap", "--table", "new"},
          "a\tb\na\t" + std::string(3000, 'v') + "\n");
  EXPECT_EQ(done({"dump", file_}), after);
}

TEST_F(MultimapOnTheShell, IsCounted) {
  EXPECT_NE(done({"tables", file_, "--json"}).find("\"is_multimap\": true"), std::string::npos);
  EXPECT_NE(done({"stat", file_, "--json"}).find("\"pair_count\": 4"), std::string::npos);
}

}  // namespace
}  // namespace quire::test
