// --json, in the same shape everywhere.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

using nlohmann::json;

// Commands without --json, and why.
const std::map<std::string, std::string> kWithout = {
    {"shell", "its commands have it, it reports nothing of its own"}};

enum class Shape { object, list, lines };

struct Case {
  std::vector<std::string> arguments;  // but --json
  Shape shape = Shape::object;
  std::vector<std::string> members = {};  // that must be there
  std::string input = {};
  bool is_aside = false;  // on standard error: the output is the data
};

class JsonOutput : public KvtoolTest {
 protected:
  void SetUp() override {
    store(file_, random_entries(1, 300));
    store(file_, {{"\xff", "\xfe"}}, "\xfd");
    done({"insert", file_, "Paris", "ada", "--table", "cities"});
    done({"insert", file_, "Paris", "\xff", "--table", "cities"});
    done({"backup", file_, in_directory("base")});
    const std::string txn = std::to_string(Database(file_).snapshot().txn());
    done({"put", file_, "ada", "Lovelace"});
    done({"backup", file_, in_directory("increment"), "--since", txn});
    std::filesystem::create_directory(in_directory("bench"));
  }

  std::vector<Case> cases() const {
    const std::string lmdb = "VERSION=3\nformat=print\nHEADER=END\n k\n v\nDATA=END\n";
    const auto target = [&](const char* name) { return in_directory(name); };
    return {
        {{"put", file_, "k", "v"}, Shape::object, {"txn"}},
        {{"insert", file_, "k", "v", "--table", "cities"}, Shape::object, {"txn"}},
        {{"get", file_, "k"}, Shape::lines, {"key", "value"}},
        {{"get", file_, "Paris", "--table", "cities"}, Shape::lines, {"key"}},
        {{"del", file_, "k"}, Shape::object, {"txn", "erased_count"}},
        {{"list", file_}, Shape::lines},
        {{"list", file_, "--table", "cities"}, Shape::lines, {"key"}},
        {{"load", file_}, Shape::object, {"txn", "commit_count", "entry_count"}, "a\t1\nb\t2\n"},
        {{"del", file_, "--from", "a", "--to", "c"}, Shape::object, {"txn", "erased_count"}},
        {{"import", file_}, Shape::object, {"txn", "commit_count", "entry_count"}, lmdb},
        {{"dump", file_}, Shape::object, {"txn", "table_count", "entry_count"}, {}, true},
        {{"export", file_}, Shape::object, {"txn", "table_count", "entry_count"}, {}, true},
        {{"stat", file_}, Shape::object, {"txn", "file_bytes", "tables"}},
        {{"stat", file_, "--tree"}, Shape::object, {"tables"}},
        {{"tables", file_}, Shape::list, {"is_multimap", "entry_count"}},
        {{"readers", file_}, Shape::list},
        {{"check", file_}, Shape::object, {"ok", "txn", "fault_count", "faults"}},
        {{"copy", file_, target("copy")}, Shape::object, {"txn", "entry_count"}},
        {{"salvage", file_, target("salvaged")}, Shape::object, {"complete", "losses"}},
        {{"watch", file_, "--after", "0", "--count", "1"}, Shape::lines, {"txn"}},
        {{"backup", file_, target("backup")}, Shape::object, {"txn", "written_bytes"}},
        {{"backup", file_, "-"}, Shape::object, {"txn", "written_bytes"}, {}, true},
        {{"apply", target("base"), target("increment")}, Shape::object, {"txn", "page_count"}},
        {{"compact", file_}, Shape::object, {"file_bytes", "used_bytes"}},
        {{"doctor", file_}, Shape::list, {"severity", "subject", "what"}},
        {{"top", file_, "--once", "--interval", "0.05"}, Shape::lines, {"txn", "file_bytes"}},
        {{"bench", target("bench"), "--entries", "100", "--seconds", "0.01"},
         Shape::object,
         {"results"}}};
  }
};

// Names are lower-case words, and whatever has a unit says so at its end.
void expect_named_well(const json& value, const std::string& where) {
  if (value.is_array()) {
    for (const json& element : value) expect_named_well(element, where);
  }
  if (!value.is_object()) return;
  for (const auto& [name, member] : value.items()) {
    EXPECT_TRUE(!name.empty() && std::all_of(name.begin(), name.end(),
                                             [](char letter) {
                                               return (letter >= 'a' && letter <= 'z') ||
                                                      (letter >= '0' && letter <= '9') ||
                                                      letter == '_';
                                             }))
        << where << ": " << name;
    expect_named_well(member, where);
  }
}

// The objects of an output; none when it is of another shape.
std::vector<json> objects_of(const std::string& text, Shape shape) {
  std::vector<json> objects;
  if (shape == Shape::lines) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      objects.push_back(json::parse(line, nullptr, false));
    }
    return objects;
  }
  const json document = json::parse(text, nullptr, false);
  if (document.is_array() != (shape == Shape::list)) return std::vector<json>(1);
  if (shape == Shape::object) return std::vector<json>(1, document);
  return std::vector<json>(document.begin(), document.end());
}

TEST_F(JsonOutput, IsOfferedByEveryCommand) {
  std::size_t without_count = 0;
  for (const std::string& command : command_names()) {
    const bool offers = contains(done({command, "--help"}), "\n  --json ");
    const auto exception = kWithout.find(command);
    EXPECT_NE(offers, exception != kWithout.end())
        << command << (exception == kWithout.end() ? "" : ": " + exception->second);
    without_count += offers ? 0 : 1;
  }
  EXPECT_EQ(without_count, kWithout.size());
  EXPECT_GT(command_names().size(), 20U);
}

TEST_F(JsonOutput, IsTriedHereForEveryCommand) {
  const std::vector<Case> tried = cases();
  for (const std::string& command : command_names()) {
    EXPECT_TRUE(kWithout.contains(command) ||
                std::any_of(tried.begin(), tried.end(),
                            [&](const Case& one) { return one.arguments[0] == command; }))
        << command;
  }
}

TEST_F(JsonOutput, IsAnObjectAListOrAnObjectPerLine) {
  for (const Case& one : cases()) {
    std::vector<std::string> arguments = one.arguments;
    arguments.push_back("--json");
    const std::string where = ::testing::PrintToString(arguments);
    const Finished finished = kvtool(arguments, one.input);
    EXPECT_EQ(finished.exit_code, 0) << where << finished.err;
    EXPECT_TRUE(one.is_aside || finished.err.empty()) << where << finished.err;
    const std::string& text = one.is_aside ? finished.err : finished.out;
    for (const json& object : objects_of(text, one.shape)) {
      ASSERT_TRUE(object.is_object()) << where << "\n" << text;
      expect_named_well(object, where);
      for (const std::string& member : one.members) {
        EXPECT_TRUE(object.contains(member)) << where << ": no " << member << "\n" << text;
      }
    }
  }
}

TEST_F(JsonOutput, SaysWhatHappened) {
  const auto report = [&](std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.push_back("--json");
    return json::parse(done(arguments, input));
  };
  const std::uint64_t before = Database(file_).snapshot().txn();
  EXPECT_GT(report({"put", file_, "k", "v"})["txn"], before);
  EXPECT_EQ(report({"load", file_, "--batch", "2"}, "k1\t\nk2\t\nk3\t\n")["entry_count"], 3);
  EXPECT_EQ(report({"load", file_, "--batch", "2"}, "k1\t\nk2\t\nk3\t\n")["commit_count"], 2);
  const json erased = report({"del", file_, "--from", "k1", "--to", "k4"});
  EXPECT_EQ(erased["erased_count"], 3);
  EXPECT_EQ(erased["txn"], Database(file_).snapshot().txn());
  EXPECT_EQ(report({"del", file_, "Paris", "--table", "cities"})["erased_count"], 2);
  EXPECT_EQ(report({"copy", file_, in_directory("copied")})["entry_count"],
            stored(file_).size() + 1);
  const json dumped = json::parse(kvtool({"dump", file_, "--json"}).err);
  EXPECT_EQ(dumped["entry_count"], stored(file_).size() + 1);
  EXPECT_EQ(dumped["table_count"], 3);
}

TEST_F(JsonOutput, OfAMultimapIsAnObjectForEachValue) {
  EXPECT_EQ(done({"get", file_, "Paris", "--table", "cities", "--json"}),
            "{\"key\":\"Paris\",\"value\":\"ada\"}\n{\"key\":\"Paris\",\"value_hex\":\"ff\"}\n");
}

TEST_F(JsonOutput, LeavesComplaintsAsTheyAre) {
  refused(1, {"del", file_, "nobody", "--json"});
  refused(1, {"insert", file_, "Paris", "ada", "--table", "cities", "--json"});
  refused(2, {"load", file_, "--json"}, "no tab\n");
  refused(3, {"copy", file_, in_directory("base"), "--json"});
}

}  // namespace
}  // namespace quire::test
