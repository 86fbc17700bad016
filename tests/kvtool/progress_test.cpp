// How far long commands are: on terminals, and nowhere else.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

constexpr const char* kClear = "\r\033[K";

struct Case {
  std::string command;  // for a shell: $F the database, $D a directory, standard input `input`
  std::string input = {};
};

class ProgressBar : public KvtoolTest {
 protected:
  void SetUp() override {
    store(file_, random_entries(1, 4000));
    done({"backup", file_, in_directory("base")});
    const std::string txn = std::to_string(Database(file_).snapshot().txn());
    store(file_, random_entries(2, 4000), "more");
    done({"backup", file_, in_directory("increment"), "--since", txn});
    store(in_directory("holes"), random_entries(3, 8000), "a");
    store(in_directory("holes"), random_entries(4, 8000), "b");
    // Who closes it last makes it smaller, and would leave nothing to be done.
    holes_.emplace(in_directory("holes"));
    holes_->write([](Transaction& tx) { tx.drop("a"); });
    holes_->checkpoint();
  }

  std::vector<Case> cases() const {
    std::string lines;
    for (int i = 0; i < 100; ++i) lines += "key " + std::to_string(i) + "\tvalue\n";
    const std::string lmdb = "VERSION=3\nformat=print\nHEADER=END\n a\n b\n c\n d\nDATA=END\n";
    return {{"check \"$F\""},
            {"doctor \"$F\" --check"},
            {"stat \"$F\" --tree"},
            {"salvage \"$F\" \"$D/salvaged\""},
            {"dump \"$F\" > /dev/null"},
            {"export \"$F\" > /dev/null"},
            {"load \"$F\"", lines},
            {"import \"$F\"", lmdb},
            {"copy \"$F\" \"$D/copy\""},
            {"backup \"$F\" \"$D/backup\""},
            {"apply \"$D/base\" \"$D/increment\""},
            {"compact \"$D/holes\" --step 1"}};
  }

  Finished on_terminal(const Case& one, const std::string& options,
                       std::vector<std::string> environment) const {
    for (const char* made : {"salvaged", "copy", "backup"}) {
      std::filesystem::remove(in_directory(made));
      std::filesystem::remove(in_directory(made) + ".lock");
    }
    environment.insert(environment.end(),
                       {"F=" + file_, "D=" + directory_.path().string(), "KVTOOL_PROGRESS_MS=0"});
    const std::size_t blank = one.command.find(' ');
    const std::string script =
        "\"$KVTOOL\" " + one.command.substr(0, blank) + " " + options + one.command.substr(blank);
    return run_on_terminal({"/bin/sh", "-c", script}, one.input, environment);
  }

  std::optional<Database> holes_;
};

bool has_bar(const std::string& text) {
  return (contains(text, "#] ") || contains(text, ".] ")) && contains(text, " %  ");
}

// What is left on a screen that understands how a line is cleared.
std::string screen_of(const std::string& shown) {
  std::string screen;
  for (std::size_t at = 0; at < shown.size();) {
    if (shown.compare(at, std::string(kClear).size(), kClear) == 0) {
      screen.resize(screen.rfind('\n') == std::string::npos ? 0 : screen.rfind('\n') + 1);
      at += std::string(kClear).size();
    } else {
      screen += shown[at++];
    }
  }
  return screen;
}

TEST_F(ProgressBar, IsThereOnATerminalAndLeavesWholeLines) {
  for (const Case& one : cases()) {
    const Finished finished = on_terminal(one, "", {"TERM=xterm", "NO_COLOR="});
    EXPECT_EQ(finished.exit_code, 0) << one.command << finished.out;
    EXPECT_TRUE(has_bar(finished.out)) << one.command;
    EXPECT_TRUE(contains(finished.out, "/s, ") && contains(finished.out, " left")) << one.command;
    const std::string screen = screen_of(finished.out);
    EXPECT_FALSE(has_bar(screen)) << one.command << ": " << screen;
    EXPECT_TRUE(screen.ends_with('\n')) << one.command << ": " << screen;
    EXPECT_GT(screen.size(), 2U) << one.command;
  }
}

// A longer line would leave its first rows behind each time it is drawn.
TEST_F(ProgressBar, IsNoWiderThanTheTerminal) {
  constexpr std::size_t kColumns = 40;
  const Finished finished =
      run_on_terminal({"/bin/sh", "-c", "stty columns 40 <&2; \"$KVTOOL\" check \"$F\""}, {},
                      {"F=" + file_, "KVTOOL_PROGRESS_MS=0", "TERM=xterm", "NO_COLOR="});
  EXPECT_EQ(finished.exit_code, 0) << finished.out;
  std::size_t widest = 0;
  for (std::size_t at = 0; at < finished.out.size();) {
    const std::size_t end = std::min(finished.out.find(kClear, at), finished.out.size());
    const std::string line = finished.out.substr(at, end - at);
    if (has_bar(line) && !contains(line, "\n")) widest = std::max(widest, line.size());
    at = end + std::string(kClear).size();
  }
  EXPECT_EQ(widest, kColumns - 1);
}

TEST_F(ProgressBar, IsNotThereInAPipeNorForProgramsNorOnPlainTerminals) {
  for (const Case& one : cases()) {
    if (one.command.starts_with("apply") || one.command.starts_with("compact")) continue;  // once
    for (const auto& environment : std::vector<std::vector<std::string>>{
             {"TERM=xterm", "NO_COLOR=1"}, {"TERM=dumb", "NO_COLOR="}}) {
      const Finished plain = on_terminal(one, "", environment);
      EXPECT_EQ(plain.exit_code, 0) << one.command;
      EXPECT_EQ(plain.out.find('\033'), std::string::npos) << one.command << ": " << plain.out;
      EXPECT_FALSE(has_bar(plain.out)) << one.command << ": " << plain.out;
    }
    const Finished json = on_terminal(one, "--json", {"TERM=xterm", "NO_COLOR="});
    EXPECT_EQ(json.exit_code, 0) << one.command;
    EXPECT_TRUE(json.out.starts_with('{') || json.out.starts_with('['))
        << one.command << ": " << json.out;
    EXPECT_EQ(json.out.find('\033'), std::string::npos) << one.command << ": " << json.out;
    Case piped = one;
    piped.command += " 2>\"$D/err\"";
    EXPECT_EQ(on_terminal(piped, "", {"TERM=xterm", "NO_COLOR="}).exit_code, 0) << one.command;
    EXPECT_EQ(std::filesystem::file_size(in_directory("err")), 0U) << one.command;
  }
}

TEST_F(ProgressBar, StaysOutOfTheWayOfADump) {
  const Finished finished = on_terminal({"dump \"$F\""}, "", {"TERM=xterm", "NO_COLOR="});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_FALSE(contains(finished.out, kClear));
}

}  // namespace
}  // namespace quire::test
