#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class List : public KvtoolTest {
 protected:
  void SetUp() override {
    store(file_, {{"a", "1"}, {"ab", "2"}, {"abc", "3"}, {"b", "4"}, {"ba", "5"}, {"c", "6"}});
  }

  std::string keys(std::vector<std::string> options) const {
    options.insert(options.begin(), {"list", file_, "--keys"});
    std::string lines = done(options);
    for (char& byte : lines) {
      byte = byte == '\n' ? ' ' : byte;
    }
    return lines;
  }
};

TEST_F(List, PrintsEntriesInOrder) {
  EXPECT_EQ(done({"list", file_}), "a\t1\nab\t2\nabc\t3\nb\t4\nba\t5\nc\t6\n");
  EXPECT_EQ(keys({}), "a ab abc b ba c ");
  EXPECT_EQ(keys({"--reverse"}), "c ba b abc ab a ");
}

TEST_F(List, KeepsToItsBounds) {
  EXPECT_EQ(keys({"--from", "ab"}), "ab abc b ba c ");
  EXPECT_EQ(keys({"--to", "b"}), "a ab abc ");
  EXPECT_EQ(keys({"--from", "aa", "--to", "bb"}), "ab abc b ba ");
  EXPECT_EQ(keys({"--from", "b", "--to", "a"}), "");
  EXPECT_EQ(keys({"--from", ""}), "a ab abc b ba c ");
  EXPECT_EQ(keys({"--to", ""}), "");
  EXPECT_EQ(keys({"--from", "z"}), "");
  EXPECT_EQ(keys({"--reverse", "--from", "ab", "--to", "ba"}), "b abc ab ");
}

TEST_F(List, JoinsPrefixAndBounds) {
  EXPECT_EQ(keys({"--prefix", "ab"}), "ab abc ");
  EXPECT_EQ(keys({"--prefix", "a", "--from", "ab"}), "ab abc ");
  EXPECT_EQ(keys({"--prefix", "a", "--to", "abc"}), "a ab ");
  EXPECT_EQ(keys({"--prefix", "a", "--to", "c", "--reverse"}), "abc ab a ");
  EXPECT_EQ(keys({"--prefix", "b", "--from", "a"}), "b ba ");
  EXPECT_EQ(keys({"--prefix", "b", "--to", "b"}), "");
  EXPECT_EQ(keys({"--prefix", "z"}), "");
}

TEST_F(List, ListsPrefixesThatEndInTheLastByte) {
  store(file_, {{"\xff", "7"}, {"\xff\xff", "8"}, {"d\xff", "9"}, {"e", "10"}});
  EXPECT_EQ(keys({"--hex", "--prefix", "ff"}), "ff ffff ");
  EXPECT_EQ(keys({"--hex", "--prefix", "64ff", "--format", "text"}), "d\\xff ");
}

TEST_F(List, StopsAtTheLimit) {
  EXPECT_EQ(keys({"--limit", "2"}), "a ab ");
  EXPECT_EQ(keys({"--limit", "2", "--reverse"}), "c ba ");
  EXPECT_EQ(keys({"--limit", "0"}), "");
  EXPECT_EQ(keys({"--limit", "18446744073709551615"}), "a ab abc b ba c ");
}

TEST_F(List, EscapesText) {
  store(file_, {{"t\t\\", "\n\r\x1b\x7f\xff \xc2\x9b \xc3\xbc"}}, "t");
  EXPECT_EQ(done({"list", file_, "--table", "t"}),
            "t\\t\\\\\t\\n\\r\\x1b\\x7f\\xff \\xc2\\x9b \xc3\xbc\n");
}

TEST_F(List, PrintsJsonObjects) {
  store(file_, {{"\"\\", "\n\x7f\xc2\x9b\xc3\xbc"}, {"\xff", std::string(1, '\0')}}, "t");
  EXPECT_EQ(done({"list", file_, "--table", "t", "--format", "json"}),
            "{\"key\":\"\\\"\\\\\",\"value\":\"\\u000a\\u007f\\u009b\xc3\xbc\"}\n"
            "{\"key_hex\":\"ff\",\"value\":\"\\u0000\"}\n");
  EXPECT_EQ(done({"list", file_, "--format", "json", "--keys", "--limit", "1"}),
            "{\"key\":\"a\"}\n");
}

TEST_F(List, PrintsHexadecimal) {
  EXPECT_EQ(done({"list", file_, "--format", "hex", "--prefix", "abc"}), "616263\t33\n");
  EXPECT_EQ(done({"list", file_, "--hex", "--from", "62", "--to", "63"}), "62\t34\n6261\t35\n");
}

TEST_F(List, SaysThatATableIsMissing) {
  EXPECT_EQ(refused(1, {"list", file_, "--table", "people"}),
            "kvtool list: no table people in " + file_ + "\n");
  EXPECT_EQ(refused(1, {"dump", file_, "--table", "people"}),
            "kvtool dump: no table people in " + file_ + "\n");
}

}  // namespace
}  // namespace quire::test
