// What is used day by day: backups, doctor, top, bench, compact.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class BackupCommand : public KvtoolTest {};
class DoctorCommand : public KvtoolTest {};
class TopCommand : public KvtoolTest {};
class BenchCommand : public KvtoolTest {};
class CompactCommand : public KvtoolTest {};
class StatTree : public KvtoolTest {};

// The number behind `"name": ` in a JSON text.
std::uint64_t number_in(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":");
  EXPECT_NE(at, std::string::npos) << json;
  return at == std::string::npos ? 0 : std::stoull(json.substr(at + name.size() + 3));
}

TEST_F(BackupCommand, AndIncrementsGiveTheStateBack) {
  store(file_, random_entries(1, 500));
  const std::string copy = in_directory("copy");
  const std::string first = done({"backup", file_, copy, "--json"});
  store(file_, random_entries(2, 100), "more");
  const std::string increment = in_directory("increment");
  const std::string since = std::to_string(number_in(first, "txn"));
  const std::string second = done({"backup", file_, increment, "--since", since, "--json"});
  EXPECT_GT(number_in(second, "txn"), number_in(first, "txn"));
  EXPECT_TRUE(contains(done({"apply", copy, increment}), "commit "));
  EXPECT_EQ(stored(copy), stored(file_));
  EXPECT_EQ(stored(copy, "more"), stored(file_, "more"));
  EXPECT_TRUE(contains(refused(3, {"apply", copy, increment}), "begins from commit"));
  done({"check", copy});
}

TEST_F(BackupCommand, ToStandardOutputIsADatabase) {
  store(file_, random_entries(3, 200));
  const std::string copy = in_directory("copy");
  std::ofstream{copy, std::ios::binary} << done({"backup", file_, "-"});
  EXPECT_EQ(stored(copy), stored(file_));
  done({"check", copy});
}

TEST_F(CompactCommand, MakesTheFileSmaller) {
  store(file_, random_entries(4, 3000));
  store(file_, {{"a", "b"}}, "kept");
  {
    Database open(file_);
    open.write([](Transaction& tx) { tx.table().clear(); });
    const std::string report = done({"compact", file_, "--json"});
    EXPECT_EQ(number_in(report, "other_process_count"), 1u);
    EXPECT_TRUE(contains(done({"compact", file_}), "1 process has it open"));
  }
  EXPECT_LE(std::filesystem::file_size(file_), std::uintmax_t{2} << 20);
  EXPECT_EQ(stored(file_, "kept"), (Entries{{"a", "b"}}));
  EXPECT_TRUE(contains(done({"compact", file_}), " now"));
}

TEST_F(DoctorCommand, FindsNothingWrongWithASoundDatabase) {
  store(file_, random_entries(6, 100));
  const std::string report = done({"doctor", file_, "--check"});
  EXPECT_TRUE(contains(report, "closed in order")) << report;
  EXPECT_TRUE(contains(report, "are sound")) << report;
  EXPECT_FALSE(contains(report, "problem")) << report;
  EXPECT_EQ(done({"doctor", file_, "--json"}).front(), '[');
}

TEST_F(DoctorCommand, NamesASlowWriterADamagedMetaAndWhatIsNoDatabase) {
  store(file_, random_entries(7, 100));
  {
    Database db(file_);
    Transaction tx = db.begin();
    const Finished finished = kvtool({"doctor", file_});
    EXPECT_EQ(finished.exit_code, 1);
    EXPECT_TRUE(contains(finished.out, "problem  writer:")) << finished.out;
  }
  const std::string broken = in_directory("broken");
  std::filesystem::copy_file(file_, broken);
  std::fstream(broken, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('x');
  const Finished damaged = kvtool({"doctor", broken});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_TRUE(contains(damaged.out, "one of the two is damaged")) << damaged.out;
  EXPECT_EQ(run_unread(kvtool_command({"doctor", broken})).exit_code, 1);
  const std::string other = in_directory("other");
  std::ofstream{other} << "something else";
  EXPECT_EQ(kvtool({"doctor", other}).exit_code, 1);
  EXPECT_EQ(kvtool({"doctor", in_directory("absent")}).exit_code, 1);
}

TEST_F(DoctorCommand, SeesThatTheLastProcessWasKilled) {
  const std::string killed = in_directory("killed");
  {
    Database db(file_);
    db.put("key", "value");
    std::filesystem::copy_file(file_, killed);
  }
  EXPECT_TRUE(contains(done({"doctor", killed}), "was killed"));
  EXPECT_TRUE(contains(done({"doctor", killed}), "closed in order"));
}

TEST_F(TopCommand, PrintsALineForEachLook) {
  store(file_, random_entries(8, 100));
  const std::string text = done({"top", file_, "--count", "2", "--interval", "0.05"});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_TRUE(contains(text, "commit ")) << text;
  EXPECT_EQ(text.find('\033'), std::string::npos);
  const std::string json = done({"top", file_, "--count", "1", "--interval", "0.05", "--json"});
  EXPECT_EQ(number_in(json, "process_count"), 1u);
}

TEST_F(TopCommand, FillsATerminalAndHonoursNoColor) {
  store(file_, random_entries(8, 100));
  const std::vector<std::string> command =
      kvtool_command({"top", file_, "--count", "1", "--interval", "0.05"});
  const auto screen = [&](const std::vector<std::string>& environment) {
    return run_on_terminal(command, {}, environment).out;
  };
  EXPECT_TRUE(contains(screen({"TERM=xterm", "NO_COLOR="}), "\033[1m"));
  EXPECT_FALSE(contains(screen({"TERM=xterm", "NO_COLOR=1"}), "\033[1m"));
  EXPECT_FALSE(contains(screen({"TERM=dumb", "NO_COLOR="}), "\033"));
}

TEST_F(BenchCommand, MeasuresAndLeavesNothing) {
  const std::string directory = in_directory("bench");
  std::filesystem::create_directory(directory);
  const std::vector<std::string> arguments = {"bench", directory,   "--entries",
                                              "2000",  "--seconds", "0.02"};
  const std::string text = done(arguments);
  EXPECT_TRUE(contains(text, "durable commits of one put")) << text;
  std::vector<std::string> as_json = arguments;
  as_json.push_back("--json");
  EXPECT_EQ(number_in(done(as_json), "entries"), 2000u);
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(BenchCommand, LeavesNothingWhenItIsEnded) {
  const std::string directory = in_directory("bench");
  std::filesystem::create_directory(directory);
  const std::string script =
      "\"$KVTOOL\" bench \"$0\" --seconds 3600 & "
      "until ls \"$0\" | grep -q lock; do kill -0 $! || exit 9; sleep 0.01; done; "
      "kill -TERM $!; wait $!";
  const Finished finished = run({"/bin/sh", "-c", script, directory});
  EXPECT_EQ(finished.exit_code, 3) << finished.err;
  EXPECT_TRUE(contains(finished.err, "ended by a signal")) << finished.err;
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(StatTree, DrawsHowFullPagesAre) {
  store(file_, random_entries(9, 3000));
  const std::string text = done({"stat", file_, "--tree"});
  EXPECT_TRUE(contains(text, "branches 1")) << text;
  EXPECT_TRUE(contains(text, "large values")) << text;
  EXPECT_TRUE(contains(text, "█")) << text;
  EXPECT_EQ(done({"stat", file_}).find("█"), std::string::npos);
  EXPECT_GT(number_in(done({"stat", file_, "--tree", "--json"}), "room_bytes"), 0u);
}

}  // namespace
}  // namespace quire::test
