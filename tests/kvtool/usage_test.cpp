// The command line itself: help, wrong usage, wrong files, closed pipes, terminals.
#include <filesystem>
#include <fstream>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class Usage : public KvtoolTest {};
class WrongFile : public KvtoolTest {};
class ClosedPipe : public KvtoolTest {};
class ClosedStream : public KvtoolTest {};
class Terminal : public KvtoolTest {};

// Each command that must not create a file, with the arguments it needs.
std::vector<std::vector<std::string>> commands_on_existing(const std::string& file) {
  return {{"get", file, "k"},
          {"del", file, "k"},
          {"list", file},
          {"dump", file},
          {"stat", file},
          {"tables", file},
          {"readers", file},
          {"check", file},
          {"stat", file, "--json"},
          {"check", file, "--json"},
          {"copy", file, file + ".copy"},
          {"backup", file, file + ".copy"},
          {"apply", file, file},
          {"compact", file},
          {"export", file},
          {"top", file, "--count", "1"},
          {"shell", file}};
}

TEST_F(Usage, HelpEverywhereHasAnExample) {
  const std::string help = done({"--help"});
  EXPECT_NE(help.find("Example"), std::string::npos);
  for (const std::string& command : command_names()) {
    const std::string of_command = done({command, "--help"});
    EXPECT_NE(of_command.find("Example"), std::string::npos) << command;
    EXPECT_NE(of_command.find("kvtool " + command + " "), std::string::npos) << command;
    EXPECT_EQ(of_command.find("kvtool --"), std::string::npos) << command;
  }
}

TEST_F(Usage, TellsTheVersion) {
  EXPECT_EQ(done({"--version"}), std::string("kvtool ") + version() + "\n");
}

TEST_F(Usage, WrongUsageExitsWithTwo) {
  const auto wrong = [&](const std::vector<std::string>& arguments) {
    const Finished finished = kvtool(arguments);
    EXPECT_EQ(finished.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(finished.err.find('\n') + 1, finished.err.size()) << finished.err;
    return finished.err;
  };
  EXPECT_NE(wrong({}).find("kvtool --help"), std::string::npos);
  EXPECT_NE(wrong({"frob"}).find("frob"), std::string::npos);
  for (const std::string& command : command_names()) {
    EXPECT_NE(wrong({command}).find("kvtool " + command + " --help"), std::string::npos);
    wrong({command, file_, "a", "b", "c", "d"});
    wrong({command, file_, "--frob"});
  }
  wrong({"get", file_});
  wrong({"put", file_, "k", "v", "--sync", "sometimes"});
  wrong({"put", file_, "k", "v", "--page-size", "5000"});
  wrong({"put", file_, "k", "v", "--table"});
  wrong({"put", file_, "--hex", "0", "00"});
  wrong({"put", file_, "--hex", "00", "zz"});
  wrong({"list", file_, "--limit", "-1"});
  wrong({"list", file_, "--limit", "many"});
  wrong({"list", file_, "--format", "xml"});
  wrong({"list", file_, "--hex", "--prefix", "x"});
  wrong({"load", file_, "--format", "text"});
  wrong({"load", file_, "--format", "json", "--hex"});
  wrong({"load", file_, "--format", "dump", "--table", "t"});
  wrong({"load", file_, "--batch", "0"});
  wrong({"list", file_, "--json", "--format", "hex"});
  wrong({"top", file_, "--once", "--count", "2"});
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(WrongFile, MissingIsNotCreatedByReaders) {
  for (const std::vector<std::string>& command : commands_on_existing(file_)) {
    const std::string line = refused(3, command);
    EXPECT_NE(line.find(file_), std::string::npos) << line;
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path())) << command[0];
  }
}

TEST_F(WrongFile, OfAnotherKindIsLeftAlone) {
  const std::string file = in_directory("letter.txt");
  const std::string letter(100'000, 'x');
  std::ofstream(file) << letter;
  std::vector<std::vector<std::string>> commands = commands_on_existing(file);
  commands.push_back({"put", file, "k", "v"});
  commands.push_back({"load", file});
  for (const std::vector<std::string>& command : commands) {
    const std::string line = refused(3, command, "k\tv\n");
    EXPECT_NE(line.find("letter.txt"), std::string::npos) << line;
  }
  std::ifstream in(file, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), letter);
}

TEST_F(WrongFile, DirectoryIsRefused) {
  const std::string directory = in_directory("folder");
  std::filesystem::create_directory(directory);
  for (const std::vector<std::string>& command : commands_on_existing(directory)) {
    refused(3, command);
  }
  refused(3, {"put", directory, "k", "v"});
  refused(3, {"load", directory}, "k\tv\n");
}

TEST_F(WrongFile, MissingParentIsRefused) {
  const std::string file = in_directory("no/such/folder");
  refused(3, {"put", file, "k", "v"});
  refused(3, {"load", file}, "k\tv\n");
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(ClosedPipe, EndsQuietly) {
  store(file_, random_entries(11, 3000));
  const std::vector<std::vector<std::string>> commands = {
      {"list", file_},          {"list", file_, "--format", "json"},
      {"list", file_, "--hex"}, {"dump", file_},
      {"stat", file_},          {"stat", file_, "--json"},
      {"check", file_},         {"--help"},
      {"list", "--help"}};
  for (const std::vector<std::string>& command : commands) {
    const Finished finished = run_unread(kvtool_command(command));
    EXPECT_EQ(finished.exit_code, 0) << ::testing::PrintToString(command);
    EXPECT_EQ(finished.err, "") << ::testing::PrintToString(command);
  }
}

TEST_F(ClosedPipe, LetsHeadHaveItsLines) {
  store(file_, random_entries(12, 3000));
  const Finished finished =
      run({"/bin/sh", "-c", "{ \"$KVTOOL\" list \"$0\"; echo $? >&2; } | head -n 1", file_});
  EXPECT_EQ(finished.out, done({"list", file_, "--limit", "1"}));
  EXPECT_EQ(finished.err, "0\n");
}

TEST_F(ClosedPipe, FullDiskIsNoClosedPipe) {
  store(file_, {{"k", "v"}});
  const Finished finished = run({"/bin/sh", "-c", "\"$KVTOOL\" list \"$0\" > /dev/full", file_});
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_NE(finished.err.find("No space left on device"), std::string::npos) << finished.err;
}

// What the database would be opened as.
TEST_F(ClosedStream, LeavesTheDatabaseAlone) {
  const Entries entries = random_entries(13, 3000);
  store(file_, entries);
  for (const std::string closed : {">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&-", "<&- >&- 2>&-"}) {
    for (const std::string command : {"list \"$0\"", "stat \"$0\"", "check \"$0\"",
                                      "get \"$0\" absent", "del \"$0\" --prefix ''"}) {
      run({"/bin/sh", "-c", "\"$KVTOOL\" " + command + " " + closed, file_});
      ASSERT_EQ(kvtool({"check", file_}).exit_code, 0) << command << closed;
      ASSERT_EQ(stored(file_), entries) << command << closed;
    }
  }
}

TEST_F(Terminal, GetsALineFeedAfterAValue) {
  store(file_, {{"k", "v"}, {"line", "text\n"}});
  EXPECT_EQ(run_on_terminal(kvtool_command({"get", file_, "k"})).out, "v\r\n");
  EXPECT_EQ(run_on_terminal(kvtool_command({"get", file_, "line"})).out, "text\r\n");
}

TEST_F(Terminal, ShowsColoursUnlessTold) {
  store(file_, {{"k", "v"}});
  const auto list = [&](const std::vector<std::string>& environment) {
    return run_on_terminal(kvtool_command({"list", file_}), {}, environment).out;
  };
  EXPECT_EQ(list({"TERM=xterm", "NO_COLOR="}), "\033[1mk\033[0m\tv\r\n");
  EXPECT_EQ(list({"TERM=xterm", "NO_COLOR=1"}), "k\tv\r\n");
  EXPECT_EQ(list({"TERM=dumb", "NO_COLOR="}), "k\tv\r\n");
}

TEST_F(Terminal, ShowsHowALoadWent) {
  const Finished finished = run_on_terminal(kvtool_command({"load", file_}), "a\t1\nb\t2\n");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_NE(finished.out.find("2 entries in "), std::string::npos) << finished.out;
}

}  // namespace
}  // namespace quire::test
