// kvtool del with a range of keys.
#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class DelOfARange : public KvtoolTest {
 protected:
  void SetUp() override {
    for (const char* key : {"a", "ab", "abc", "b", "ba", "c"}) {
      entries_[key] = std::string("of ") + key;
    }
    store(file_, entries_);
    store(file_, entries_, "people");
  }

  std::string keys(const std::string& table = {}) const {
    std::string all;
    for (const auto& [key, value] : stored(file_, table)) all += key + " ";
    return all;
  }

  Entries entries_;
};

TEST_F(DelOfARange, RemovesWhatBeginsSoAndSaysHowManyWent) {
  EXPECT_EQ(done({"del", file_, "--prefix", "ab"}), "2 entries removed\n");
  EXPECT_EQ(keys(), "a b ba c ");
  EXPECT_EQ(done({"del", file_, "--prefix", "c", "--table", "people"}), "1 entry removed\n");
  EXPECT_EQ(keys("people"), "a ab abc b ba ");
}

TEST_F(DelOfARange, RemovesFromAKeyToBeforeAnother) {
  EXPECT_EQ(done({"del", file_, "--from", "ab", "--to", "ba"}), "3 entries removed\n");
  EXPECT_EQ(keys(), "a ba c ");
  EXPECT_EQ(done({"del", file_, "--from", "b"}), "2 entries removed\n");
  EXPECT_EQ(keys(), "a ");
  EXPECT_EQ(done({"del", file_, "--to", "abc", "--table", "people"}), "2 entries removed\n");
  EXPECT_EQ(keys("people"), "abc b ba c ");
}

TEST_F(DelOfARange, RemovesAllWhenToldInSoManyWords) {
  EXPECT_EQ(done({"del", file_, "--all", "--table", "people"}), "6 entries removed\n");
  EXPECT_EQ(keys("people"), "");
  EXPECT_EQ(done({"tables", file_}), "people\n");
  EXPECT_EQ(stored(file_), entries_);
}

TEST_F(DelOfARange, TakesHexadecimalUpToTheLastByte) {
  store(file_, {{"\xff", "1"}, {"\xff\xff", "2"}, {"\xfe", "3"}});
  EXPECT_EQ(done({"del", file_, "--hex", "--prefix", "ff"}), "2 entries removed\n");
  EXPECT_EQ(keys(), "a ab abc b ba c \xfe ");
}

TEST_F(DelOfARange, RemovesPairsOfAMultimap) {
  for (const char* city : {"London", "Londonderry", "Paris", "Rome"}) {
    for (const char* person : {"ada", "alan"}) {
      done({"insert", file_, city, person, "--table", "cities"});
    }
  }
  EXPECT_EQ(done({"del", file_, "--prefix", "London", "--table", "cities"}), "4 entries removed\n");
  EXPECT_EQ(done({"list", file_, "--table", "cities"}),
            "Paris\tada\nParis\talan\nRome\tada\nRome\talan\n");
  EXPECT_EQ(done({"del", file_, "--from", "Q", "--table", "cities"}), "2 entries removed\n");
  EXPECT_EQ(done({"list", file_, "--table", "cities"}), "Paris\tada\nParis\talan\n");
  EXPECT_EQ(done({"del", file_, "--all", "--table", "cities"}), "2 entries removed\n");
}

TEST_F(DelOfARange, IsRefusedWhereItIsNotClearWhatIsMeant) {
  const auto expect_refused = [&](std::vector<std::string> arguments, const std::string& reason) {
    arguments.insert(arguments.begin(), {"del", file_});
    EXPECT_TRUE(contains(refused(2, arguments), reason)) << ::testing::PrintToString(arguments);
    EXPECT_EQ(stored(file_), entries_);
  };
  expect_refused({}, "say what to remove");
  expect_refused({"a", "--prefix", "a"}, "do not go together");
  expect_refused({"a", "--from", "a", "--to", "b"}, "do not go together");
  expect_refused({"a", "--all"}, "do not go together");
  expect_refused({"--all", "--prefix", "a"}, "do not go together");
  expect_refused({"--prefix", "b", "--from", "b!"}, "--prefix does not go together");
  expect_refused({"--prefix", "b", "--to", "c"}, "--prefix does not go together");
  expect_refused({"--prefix", ""}, "--prefix is empty");
  expect_refused({"--prefix="}, "--prefix");
  expect_refused({"--from", ""}, "--from is empty");
  expect_refused({"--from", "", "--to", "c"}, "--from is empty");
  expect_refused({"--from", "c", "--to", ""}, "--to is empty");
  expect_refused({"--from", "", "--to", ""}, "--all");
  expect_refused({"--prefix", "", "--all"}, "do not go together");
  expect_refused({"--pref", "a"}, "--help");
  expect_refused({"--hex", "--prefix", "a"}, "hexadecimal");
}

TEST_F(DelOfARange, SaysThatThereWasNothing) {
  EXPECT_TRUE(contains(refused(1, {"del", file_, "--prefix", "x"}), "no key of that range"));
  refused(1, {"del", file_, "--from", "c", "--to", "b"});
  refused(1, {"del", file_, "--prefix", "a", "--table", "nothing"});
  EXPECT_EQ(stored(file_), entries_);
}

}  // namespace
}  // namespace quire::test
