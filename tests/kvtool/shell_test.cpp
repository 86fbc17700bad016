// kvtool shell: lines from its input, and a person at a terminal.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class ShellCommand : public KvtoolTest {};

// Somebody types at it, with what is typed remembered beside the database.
class ShellAtATerminal : public KvtoolTest {
 protected:
  void SetUp() override {
    const char* edits = std::getenv("KVTOOL_EDITS");
    if (edits == nullptr || std::string(edits) != "true") GTEST_SKIP() << "built without libedit";
    store(file_, {{"ada", "Ada Lovelace"}, {"alan", "Alan Turing"}});
    store(file_, {{"grace", "Grace Hopper"}}, "people");
  }

  std::vector<std::string> command() const { return kvtool_command({"shell", file_}); }
  std::vector<std::string> environment() const {
    return {"TERM=xterm", "NO_COLOR=1", "HOME=" + directory_.path().string(),
            "KVTOOL_HISTORY=" + in_directory("history")};
  }
};

constexpr const char* kTabulator = "\t";
constexpr const char* kControlD = "\x04";
constexpr const char* kControlP = "\x10";  // the line before

TEST_F(ShellCommand, ObeysLinesFromItsInput) {
  store(file_, {{"ada", "Ada Lovelace"}});
  const std::string text = done({"shell", file_},
                                "get ada\n\nput 'a b' \"c \\\" d\"\nget 'a b'\n"
                                "use people\nput alan Turing\nget alan\ntables\nquit\nget ada\n");
  EXPECT_EQ(text, "Ada Lovelacec \" dTuringpeople\n");
  EXPECT_EQ(stored(file_, "people"), (Entries{{"alan", "Turing"}}));
}

TEST_F(ShellCommand, GoesOnAfterMistakesAndEndsWithTheLastCode) {
  store(file_, {{"ada", "Ada Lovelace"}});
  const Finished finished = kvtool({"shell", file_}, "frob\nget 'ada\nget nobody\n");
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(contains(finished.err, "frob"));
  EXPECT_TRUE(contains(finished.err, "quotation mark"));
  EXPECT_TRUE(contains(done({"shell", file_}, "help\n"), "  get       Print"));
}

TEST_F(ShellCommand, TakesPairsForTheMultimapInUse) {
  done({"insert", file_, "London", "ada", "--table", "cities"});
  EXPECT_EQ(done({"shell", file_}, "use cities\ninsert London alan\nget London\n"), "ada\nalan\n");
}

TEST_F(ShellCommand, WatchesAgainAfterASignalHasEndedThat) {
  store(file_, {{"ada", "Ada Lovelace"}});
  const std::string first = done({"watch", file_, "--after", "0", "--count", "1"});
  const std::string text = done({"shell", file_},
                                "watch --after 0 --exec 'kill -TERM $PPID'\n"
                                "watch --after 0 --count 1\n"
                                "top --count 1 --interval 0.05\nget ada\n");
  EXPECT_EQ(text.substr(0, 2 * first.size()), first + first);
  EXPECT_TRUE(contains(text, "commit ")) << text;
  EXPECT_TRUE(text.ends_with("Ada Lovelace")) << text;
}

TEST_F(ShellCommand, LeavesIgnoredSignalsIgnored) {
  store(file_, {{"ada", "Ada Lovelace"}});
  const Finished finished = run({"/bin/sh", "-c",
                                 "trap '' HUP; export F=\"$0\"; exec \"$KVTOOL\" watch \"$0\" "
                                 "--after 0 --count 2 --exec 'kill -HUP "
                                 "$PPID; \"$KVTOOL\" put \"$F\" \"$QUIRE_TXN\" value'",
                                 file_});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(std::count(finished.out.begin(), finished.out.end(), '\n'), 2) << finished.out;
}

TEST_F(ShellAtATerminal, ObeysAndEndsAtControlD) {
  TerminalSession terminal(command(), environment());
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type("get ada\n");
  EXPECT_TRUE(terminal.shows("Ada Lovelace\r\n")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type("get nobody\n");
  EXPECT_TRUE(terminal.shows("no key nobody")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type(kControlD);
  EXPECT_EQ(terminal.end(), 1) << terminal.screen();
}

TEST_F(ShellAtATerminal, CompletesCommandsTablesAndKeys) {
  TerminalSession terminal(command(), environment());
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type(std::string("tab") + kTabulator + "\n");
  EXPECT_TRUE(terminal.shows("\npeople\r\n")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type(std::string("get al") + kTabulator + "\n");
  EXPECT_TRUE(terminal.shows("Alan Turing\r\n")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type(std::string("use peo") + kTabulator + "\n");
  ASSERT_TRUE(terminal.shows("kv.quire:people> ")) << terminal.screen();
  terminal.type(std::string("get g") + kTabulator + "\n");
  EXPECT_TRUE(terminal.shows("Grace Hopper\r\n")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire:people> ")) << terminal.screen();
  terminal.type(kControlD);
  EXPECT_EQ(terminal.end(), 0) << terminal.screen();
}

TEST_F(ShellAtATerminal, CompletesKeysOfMultimaps) {
  std::string pairs = "Lyon\tandre\nParis\tblaise\n";
  for (int i = 0; i < 200; ++i) pairs += "London\t" + std::to_string(i) + "\n";
  done({"load", file_, "--table", "cities", "--multimap"}, pairs);
  TerminalSession terminal(command(), environment());
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type("use cities\n");
  ASSERT_TRUE(terminal.shows("kv.quire:cities> ")) << terminal.screen();
  // Each key once, however many values stand before the next one.
  terminal.type(std::string("get L") + kTabulator + "y" + kTabulator + "\n");
  EXPECT_TRUE(terminal.shows("andre\r\n")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire:cities> ")) << terminal.screen();
  terminal.type(std::string("get Pa") + kTabulator + "\n");
  EXPECT_TRUE(terminal.shows("blaise\r\n")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire:cities> ")) << terminal.screen();
  terminal.type(kControlD);
  EXPECT_EQ(terminal.end(), 0) << terminal.screen();
}

TEST_F(ShellAtATerminal, RemembersLinesAlsoOfTheLastTime) {
  {
    TerminalSession terminal(command(), environment());
    ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
    terminal.type("get ada\n");
    EXPECT_TRUE(terminal.shows("Ada Lovelace\r\n")) << terminal.screen();
    ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
    terminal.type(std::string(kControlP) + "\n");
    EXPECT_TRUE(terminal.shows("Ada Lovelace\r\n")) << terminal.screen();
    ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
    terminal.type("quit\n");
    EXPECT_EQ(terminal.end(), 0) << terminal.screen();
  }
  TerminalSession terminal(command(), environment());
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type(std::string(kControlP) + kControlP + "\n");  // before it stands quit
  EXPECT_TRUE(terminal.shows("Ada Lovelace\r\n")) << terminal.screen();
  ASSERT_TRUE(terminal.shows("kv.quire> ")) << terminal.screen();
  terminal.type(kControlD);
  EXPECT_EQ(terminal.end(), 0) << terminal.screen();
}

}  // namespace
}  // namespace quire::test
