#include <fstream>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class Load : public KvtoolTest {
 protected:
  // The input is refused with this complaint, and the database has what it had.
  void expect_refused(const std::string& format, const std::string& input,
                      const std::string& complaint) {
    done({"put", file_, "before", "kept"});
    const std::string line = refused(2, {"load", file_, "--format", format}, input);
    EXPECT_NE(line.find(complaint), std::string::npos) << line << "not: " << complaint;
    EXPECT_NE(line.find("(nothing was loaded)"), std::string::npos) << line;
    EXPECT_EQ(stored(file_), (Entries{{"before", "kept"}})) << input;
    EXPECT_EQ(done({"tables", file_}), "") << input;
  }
};

TEST_F(Load, ReadsTabSeparatedLines) {
  done({"load", file_, "--page-size", "8192"}, "a\t1\n\t\nb\\t\t\\x00\\\\\nc\tx\ty\nd\t4\r\ne\t5");
  EXPECT_EQ(stored(file_), (Entries{{"a", "1"},
                                    {"", ""},
                                    {"b\t", std::string("\0\\", 2)},
                                    {"c", "x\ty"},
                                    {"d", "4"},
                                    {"e", "5"}}));
  EXPECT_EQ(Database(file_).page_size_bytes(), 8192U);
}

TEST_F(Load, ReadsJsonLines) {
  done({"load", file_, "--format", "json", "--sync", "relaxed"},
       "{\"key\":\"a\",\"value\":\"1\"}\n\n"
       " { \"value\" : \"\\u00fc\\ud83d\\ude00\\n\" , \"key\" : \"b\" } \r\n"
       "{\"key_hex\":\"00FF\",\"value_hex\":\"\"}");
  EXPECT_EQ(
      stored(file_),
      (Entries{{"a", "1"}, {"b", "\xc3\xbc\xf0\x9f\x98\x80\n"}, {std::string("\0\xff", 2), ""}}));
}

TEST_F(Load, ReadsAFileOrStandardInputIntoATable) {
  const std::string input = in_directory("input.tsv");
  std::ofstream(input) << "a\t1\n";
  done({"load", file_, input, "--table", "t"});
  done({"load", file_, "-", "--table", "u"}, "b\t2\n");
  EXPECT_EQ(stored(file_, "t"), (Entries{{"a", "1"}}));
  EXPECT_EQ(stored(file_, "u"), (Entries{{"b", "2"}}));
}

TEST_F(Load, ReplacesAndTheLastOfEqualKeysStays) {
  done({"load", file_}, "a\t1\nb\t2\n");
  done({"load", file_}, "b\t3\nc\t4\nc\t5\n");
  EXPECT_EQ(stored(file_), (Entries{{"a", "1"}, {"b", "3"}, {"c", "5"}}));
}

TEST_F(Load, OfNothingCreatesAnEmptyDatabase) {
  done({"load", file_}, "");
  EXPECT_EQ(stored(file_), Entries{});
}

TEST_F(Load, NamesTheLineOfWrongTsv) {
  expect_refused("tsv", "a\t1\nb 2\nc\t3\n", "standard input, line 2: no tab");
  expect_refused("tsv", "a\t1\n\nb\t2\n", "line 2: no tab");
  expect_refused("tsv", "a\t1\nb\t2\nc\\q\t3\n", "line 3: a backslash begins");
  expect_refused("tsv", "a\t1\\", "line 1: a backslash begins");
  expect_refused("tsv", "a\t\\x4\n", "line 1: a backslash begins");
  expect_refused("tsv", "a\t\\xg1\n", "line 1: a backslash begins");
}

TEST_F(Load, NamesTheLineOfWrongHexadecimal) {
  done({"put", file_, "before", "kept"});
  const std::string line = refused(2, {"load", file_, "--hex"}, "00\t00\n000\t00\n");
  EXPECT_NE(line.find("line 2: hexadecimal"), std::string::npos) << line;
  EXPECT_EQ(stored(file_), (Entries{{"before", "kept"}}));
}

TEST_F(Load, NamesTheLineOfWrongJson) {
  const std::string good = "{\"key\":\"a\",\"value\":\"1\"}\n";
  expect_refused("json", good + "{\"key\":\"b\",\"value\":\"2\"\n", "line 2: not JSON at byte 23");
  expect_refused("json", good + good + "[\"b\",\"2\"]\n", "line 3: not a JSON object");
  expect_refused("json", good + "{\"key\":\"b\"}\n", "line 2: exactly one of \"value\" and");
  expect_refused("json", "{\"key\":\"b\",\"key_hex\":\"62\",\"value\":\"\"}",
                 "line 1: exactly one");
  expect_refused("json", good + "{\"key\":1,\"value\":\"2\"}", "line 2: \"key\" must be a string");
  expect_refused("json", "{\"key\":\"b\",\"value\":null}", "line 1: \"value\" must be a string");
  expect_refused("json", "{\"key_hex\":\"6\",\"value\":\"\"}", "line 1: hexadecimal");
  expect_refused("json", "{\"key\":\"\\ud800\",\"value\":\"\"}", "line 1: not JSON");
  expect_refused("json", good + "{\"key\":1e999,\"value\":\"\"}\n",
                 "line 2: a number that is too large");
  expect_refused("json", "{\"key\":\"\xff\",\"value\":\"\"}", "line 1: not JSON");
  expect_refused("json", "{\"key\":\"a\",\"value\":\"1\",\"x\":\"\"}", "line 1: an entry has");
  expect_refused("json", good + std::string(100'000, '[') + "\n", "line 2: not JSON");
}

TEST_F(Load, NamesTheLineOfAWrongDump) {
  const std::string start = "quire dump 1\npage_size 4096\ntable\n";
  expect_refused("dump", "", "line 0: the input is empty");
  expect_refused("dump", "a\t1\n", "line 1: not a dump");
  expect_refused("dump", "quire dump 2\n", "line 1: not a dump");
  expect_refused("dump", "quire dump 1\na\t1\n", "line 2: an entry before");
  expect_refused("dump", "quire dump 1\npage_size x\n", "line 2: not a number");
  expect_refused("dump", start + "a\t1\n", "line 4: the dump is cut short");
  expect_refused("dump", start + "a\t1\nend 2\n", "line 5: the dump should have 2 entries");
  expect_refused("dump", start + "a\t1\nend 1\nb\t2\n", "line 6: text after the end");
  expect_refused("dump", start + "a\t1\t2\nend 1\n", "line 4: more than one tab");
  expect_refused("dump", start + "table t\na\\q\t1\nend 1\n", "line 5: a backslash");
  expect_refused("dump", start + "hello\nend 0\n", "line 4: neither an entry");
  expect_refused("dump", start + "table \\\nend 0\n", "line 4: a backslash");
}

TEST_F(Load, NamesTheLineThatTheStoreRefuses) {
  done({"put", file_, "before", "kept"});
  const std::string long_key(key_bytes_max(4096) + 1, 'k');
  const std::string line = refused(3, {"load", file_}, "a\t1\n" + long_key + "\t2\n");
  EXPECT_NE(line.find("line 2: "), std::string::npos) << line;
  EXPECT_NE(line.find("(nothing was loaded)"), std::string::npos) << line;
  EXPECT_EQ(stored(file_), (Entries{{"before", "kept"}}));
}

TEST_F(Load, KeepsTheBatchesBeforeAWrongLine) {
  const std::string line =
      refused(2, {"load", file_, "--batch", "2"}, "a\t1\nb\t2\nc\t3\nd\t4\ne\t5\nwrong\n");
  EXPECT_NE(line.find("line 6: no tab"), std::string::npos) << line;
  EXPECT_NE(line.find("(the first 4 entries were kept)"), std::string::npos) << line;
  EXPECT_EQ(stored(file_), (Entries{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}));
}

TEST_F(Load, OfADumpInBatchesStoresEveryTable) {
  const std::string dump =
      "quire dump 1\npage_size 4096\ntable\na\t1\nb\t2\ntable t\nc\t3\ntable u\ntable v\nd\t4\n"
      "e\t5\nend 5\n";
  done({"load", file_, "--format", "dump", "--batch", "2"}, dump);
  EXPECT_EQ(done({"dump", file_}), dump);
}

TEST_F(Load, OfWrongInputCreatesNoFile) {
  refused(2, {"load", file_}, "wrong\n");
  refused(2, {"load", file_, "--format", "dump"}, "wrong\n");
  refused(2, {"load", file_, in_directory("missing.tsv")});
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(Load, RefusesInputThatCannotBeRead) {
  done({"put", file_, "before", "kept"});
  EXPECT_NE(refused(2, {"load", file_, in_directory("missing.tsv")}).find("No such file"),
            std::string::npos);
  const std::string directory = directory_.path();
  EXPECT_NE(refused(3, {"load", file_, directory}).find("Is a directory"), std::string::npos);
  EXPECT_EQ(stored(file_), (Entries{{"before", "kept"}}));
}

}  // namespace
}  // namespace quire::test
