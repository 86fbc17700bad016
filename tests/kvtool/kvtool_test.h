// Fixture of the tests that run the built kvtool; every test ends with `kvtool check` of its
// database.
#pragma once

#include <quire/quire.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kvtool/process.h"
#include "support/random.h"
#include "support/scratch.h"

namespace quire::test {

using Entries = std::map<std::string, std::string>;

inline std::vector<std::string> kvtool_command(std::vector<std::string> arguments) {
  const char* program = std::getenv("KVTOOL");
  arguments.insert(arguments.begin(), program != nullptr ? program : "KVTOOL-is-not-set");
  return arguments;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Keys and values with every byte, empty ones, and what the text formats must escape.
inline Entries awkward_entries() {
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) {
    all_bytes += static_cast<char>(byte);
  }
  Entries entries = {{"", ""},
                     {"empty value", ""},
                     {all_bytes, all_bytes},
                     {std::string(3, '\0'), std::string(5, '\0')},
                     {"\\", "\\\\x00\\t"},
                     {"tab\there", "line\nfeed\r\n"},
                     {"\"quoted\"", "{\"key\":\"value\"}"},
                     {"#table", "end 3"},
                     {"gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac \xf0\x9f\x98\x80"},
                     {"c1 \xc2\x9b", "del \x7f, esc \x1b[31m"},
                     {"overlong two", "\xc0\x80"},
                     {"overlong three", "\xe0\x80\x80"},
                     {"overlong four", "\xf0\x80\x80\x80"},
                     {"surrogate", "\xed\xa0\x80"},
                     {"beyond Unicode", "\xf4\x90\x80\x80"},
                     {"cut \xe2\x82", "stray \x80 \xff"},
                     {"ends in \r", "ends in \r"}};
  for (int byte = 0; byte < 256; ++byte) {
    entries[std::string(1, static_cast<char>(byte))] = std::string(1, static_cast<char>(byte));
  }
  return entries;
}

inline Entries random_entries(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  Entries entries;
  while (entries.size() < count) {
    const std::string key = pattern(random.below(40), random.next());
    const std::size_t value_bytes = random.one_in(20) ? random.below(20000) : random.below(100);
    entries[key] = pattern(value_bytes, random.next());
  }
  return entries;
}

class KvtoolTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (std::filesystem::exists(file_)) {
      const Finished checked = kvtool({"check", file_});
      EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
    }
  }

  Finished kvtool(const std::vector<std::string>& arguments, const std::string& input = {}) const {
    return run(kvtool_command(arguments), input);
  }

  // Expects exit code 0 and nothing on stderr; returns what it printed.
  std::string done(const std::vector<std::string>& arguments, const std::string& input = {}) const {
    const Finished finished = kvtool(arguments, input);
    EXPECT_EQ(finished.exit_code, 0) << ::testing::PrintToString(arguments);
    EXPECT_EQ(finished.err, "") << ::testing::PrintToString(arguments);
    return finished.out;
  }

  // Expects the exit code, an empty stdout and one line on stderr; returns that line.
  std::string refused(int exit_code, const std::vector<std::string>& arguments,
                      const std::string& input = {}) const {
    const Finished finished = kvtool(arguments, input);
    EXPECT_EQ(finished.exit_code, exit_code) << ::testing::PrintToString(arguments);
    EXPECT_EQ(finished.out, "") << ::testing::PrintToString(arguments);
    EXPECT_EQ(finished.err.find('\n') + 1, finished.err.size()) << finished.err;
    EXPECT_EQ(finished.err.substr(0, 7), "kvtool ") << finished.err;
    return finished.err;
  }

  // The names of all commands, as the help lists them.
  std::vector<std::string> command_names() const {
    const std::string help = done({"--help"});
    std::vector<std::string> names;
    for (std::size_t at = help.find("\n", help.find("Subcommands:")) + 1;
         help.compare(at, 2, "  ") == 0; at = help.find('\n', at) + 1) {
      const std::size_t first = at + 2;
      if (help[first] != ' ') names.push_back(help.substr(first, help.find(' ', first) - first));
    }
    return names;
  }

  static void store(const std::string& file, const Entries& entries, const std::string& table = {},
                    const Options& options = {}) {
    Database database(file, options);
    database.write([&](Transaction& transaction) {
      Table target = transaction.table(table);
      for (const auto& [key, value] : entries) {
        target.put(key, value);
      }
    });
  }

  static Entries stored(const std::string& file, const std::string& table = {}) {
    const Database database(file, {.create_if_missing = false});
    const Snapshot snapshot = database.snapshot();
    Entries entries;
    for (const auto [key, value] : snapshot.table(table)) {
      entries.emplace(key, value);
    }
    return entries;
  }

  std::string in_directory(const std::string& name) const { return directory_.file(name); }

  ScratchDirectory directory_;
  std::string file_ = directory_.file("kv.quire");
};

}  // namespace quire::test
