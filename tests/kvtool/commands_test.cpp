#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

using Put = KvtoolTest;
using Get = KvtoolTest;
using Del = KvtoolTest;
using Tables = KvtoolTest;
using Stat = KvtoolTest;
using Readers = KvtoolTest;
using Check = KvtoolTest;
using Copy = KvtoolTest;
using Salvage = KvtoolTest;
using Watch = KvtoolTest;

TEST_F(Put, StoresAndReplacesAValue) {
  done({"put", file_, "ada", "Lovelace"});
  EXPECT_EQ(done({"get", file_, "ada"}), "Lovelace");
  done({"put", file_, "ada", "King"});
  EXPECT_EQ(done({"get", file_, "ada"}), "King");
}

TEST_F(Put, TakesEveryByteFromStandardInput) {
  const std::string value = pattern(5'000'001, 7) + std::string("\0\n\r\n", 4);
  done({"put", file_, "large"}, value);
  EXPECT_EQ(done({"get", file_, "large"}), value);
  done({"put", file_, "none"});
  EXPECT_EQ(stored(file_), (Entries{{"large", value}, {"none", ""}}));
}

TEST_F(Put, TakesEmptyAndOddArguments) {
  const Entries odd = {{"", ""},         {"[a,b]", "[c]"}, {"{x}", "\"y\""}, {"a=b", "=c"},
                       {"/slash", "%%"}, {"a b", " "},     {"'", "`"},       {"\\t", "\\x41"}};
  for (const auto& [key, value] : odd) {
    done({"put", file_, key, value});
  }
  done({"put", file_, "--", "-k", "--hex"});
  Entries expected = odd;
  expected["-k"] = "--hex";
  EXPECT_EQ(stored(file_), expected);
  EXPECT_EQ(done({"get", file_, "[a,b]"}), "[c]");
  EXPECT_EQ(done({"get", file_, "--", "-k"}), "--hex");
}

TEST_F(Put, TakesHexadecimal) {
  done({"put", file_, "--hex", "00fF", "0a"});
  done({"put", file_, "--hex", "00", "--table", "t"}, "raw");
  EXPECT_EQ(stored(file_), (Entries{{std::string("\0\xff", 2), "\n"}}));
  EXPECT_EQ(stored(file_, "t"), (Entries{{std::string(1, '\0'), "raw"}}));
  EXPECT_EQ(done({"get", file_, "--hex", "00ff"}), "\n");
}

TEST_F(Put, WaitsForTheDiskUnlessTold) {
  const ScratchDirectory directory(ScratchDirectory::Place::disk);  // nothing in memory is flushed
  const std::string file = directory.file("db");
  const Database database(file);  // the last to close the file would flush it
  done({"put", file, "ada", "Lovelace", "--sync", "full"});
  const std::uint64_t durable = stat(database).durable_lsn;
  if (durable == 0) GTEST_SKIP() << "temporary files are in memory here";
  done({"put", file, "alan", "Turing", "--sync", "relaxed"});
  EXPECT_EQ(stat(database).durable_lsn, durable);
  done({"put", file, "grace", "Hopper"});
  EXPECT_GT(stat(database).durable_lsn, durable);
  EXPECT_EQ(stored(file), (Entries{{"ada", "Lovelace"}, {"alan", "Turing"}, {"grace", "Hopper"}}));
}

TEST_F(Put, ChoosesThePageSizeOfANewFile) {
  done({"put", file_, "ada", "Lovelace", "--page-size", "65536"});
  const Database database(file_);
  EXPECT_EQ(database.page_size_bytes(), 65536U);
  EXPECT_NE(refused(3, {"put", file_, "x", "y", "--page-size", "4096"}), "");
}

TEST_F(Put, RefusesAKeyThatIsTooLong) {
  done({"put", file_, std::string(key_bytes_max(4096), 'k'), "longest"});
  refused(3, {"put", file_, std::string(key_bytes_max(4096) + 1, 'k'), "longer"});
  EXPECT_EQ(stored(file_).size(), 1U);
}

TEST_F(Get, SaysThatAKeyIsAbsent) {
  done({"put", file_, "ada", "Lovelace"});
  EXPECT_EQ(refused(1, {"get", file_, "al\nan"}), "kvtool get: no key al\\nan in " + file_ + "\n");
  refused(1, {"get", file_, "ada", "--table", "nothing"});
}

TEST_F(Get, PrintsTheBytesAndNothingElse) {
  for (const auto& [key, value] : awkward_entries()) {
    std::string digits;
    for (const char byte : key) {
      constexpr char kDigits[] = "0123456789abcdef";
      digits += kDigits[static_cast<unsigned char>(byte) >> 4];
      digits += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    if (key.size() != 1) {
      done({"put", file_, "--hex", digits}, value);
      EXPECT_EQ(done({"get", file_, "--hex", digits}), value) << digits;
    }
  }
}

TEST_F(Del, RemovesAKeyOnce) {
  done({"put", file_, "ada", "Lovelace"});
  done({"put", file_, "alan", "Turing"});
  done({"put", file_, "ada", "King", "--table", "t"});
  done({"del", file_, "ada"});
  EXPECT_EQ(refused(1, {"del", file_, "ada"}), "kvtool del: no key ada in " + file_ + "\n");
  EXPECT_EQ(stored(file_), (Entries{{"alan", "Turing"}}));
  done({"del", file_, "--hex", "616461", "--table", "t", "--sync", "relaxed"});
  EXPECT_EQ(stored(file_, "t"), Entries{});
}

TEST_F(Tables, PrintsTheNamesInOrder) {
  done({"put", file_, "k", "v"});
  EXPECT_EQ(done({"tables", file_}), "");
  EXPECT_EQ(done({"tables", file_, "--json"}), "[]\n");
  store(file_, {{"k", "v"}}, "b");
  store(file_, {{"k", "v"}, {"l", "w"}}, "a\tb");
  store(file_, {{"k", "v"}}, "\xff");
  EXPECT_EQ(done({"tables", file_}), "a\\tb\nb\n\\xff\n");
  EXPECT_EQ(
      done({"tables", file_, "--json"}),
      "[\n"
      "  {\n    \"name\": \"a\\tb\",\n    \"is_multimap\": false,\n    \"entry_count\": 2\n  },\n"
      "  {\n    \"name\": \"b\",\n    \"is_multimap\": false,\n    \"entry_count\": 1\n  },\n"
      "  {\n    \"name_hex\": \"ff\",\n    \"is_multimap\": false,\n    \"entry_count\": 1\n  }\n"
      "]\n");
}

TEST_F(Stat, CountsTheEntriesOfEveryTable) {
  Entries entries;
  for (int i = 0; i < 1234; ++i) {
    entries["key " + std::to_string(i)] = "value";
  }
  store(file_, entries, "gr\xc3\xbc\xc3\x9f");
  done({"put", file_, "k", "v"});
  const std::string people = done({"stat", file_});
  EXPECT_NE(people.find("4 KiB"), std::string::npos) << people;
  EXPECT_NE(people.find("  table      entries"), std::string::npos) << people;
  EXPECT_NE(people.find("  (default)        1"), std::string::npos) << people;
  EXPECT_NE(people.find("  gr\xc3\xbc\xc3\x9f         1,234"), std::string::npos) << people;

  const std::string json = done({"stat", file_, "--json"});
  EXPECT_NE(json.find("\"page_size_bytes\": 4096"), std::string::npos) << json;
  EXPECT_NE(json.find("\"name\": \"gr\xc3\xbc\xc3\x9f\",\n      \"entry_count\": 1234"),
            std::string::npos)
      << json;
}

TEST_F(Readers, AreShownOldestFirst) {
  done({"put", file_, "k", "v"});
  EXPECT_EQ(done({"readers", file_}), "no snapshot is open\n");
  EXPECT_EQ(done({"readers", file_, "--json"}), "[]\n");
  Database database(file_);
  const Snapshot old = database.snapshot();
  for (int i = 0; i < 7; ++i) database.put("k", std::to_string(i));
  const Snapshot young = database.snapshot();
  const std::string pid = std::to_string(::getpid());
  const std::string text = done({"readers", file_});
  const std::size_t first = text.find("\n  test-kvtool  ");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_NE(text.find("  7  ", first), std::string::npos) << text;
  EXPECT_NE(text.find("\n  test-kvtool  ", first + 1), std::string::npos) << text;
  const std::string json = done({"readers", file_, "--json"});
  const std::size_t of_old = json.find("\"txn\": " + std::to_string(old.txn()) + ",");
  const std::size_t of_young = json.find("\"txn\": " + std::to_string(young.txn()) + ",");
  EXPECT_LT(of_old, of_young) << json;
  for (const std::string& member :
       {"\"pid\": " + pid, "\"thread\": " + pid, std::string("\"commits_behind\": 7"),
        std::string("\"command\": \"test-kvtool\"")}) {
    EXPECT_NE(json.find(member), std::string::npos) << member << " in " << json;
  }
}

TEST_F(Check, CountsWhatItHasSeen) {
  done({"load", file_, "--page-size", "16384"}, "a\t1\nb\t2\n");
  done({"put", file_, "c", "3", "--table", "t"});
  const std::string people = done({"check", file_});
  EXPECT_EQ(people.substr(0, 4), "ok: ") << people;
  EXPECT_NE(people.find(", 3 entries, "), std::string::npos) << people;
  const std::string json = done({"check", file_, "--json"});
  EXPECT_NE(json.find("\"ok\": true"), std::string::npos) << json;
  EXPECT_NE(json.find("\"entry_count\": 3"), std::string::npos) << json;
  EXPECT_NE(json.find("\"faults\": []"), std::string::npos) << json;
}

TEST_F(Check, FailsForADamagedFile) {
  const std::string file = in_directory("damaged.quire");
  Entries entries;
  for (int i = 0; i < 20000; ++i) {
    entries["key " + std::to_string(i)] = "value " + std::to_string(i);
  }
  store(file, entries);
  {
    // One byte of each entry-bearing page region: the upper part of the file.
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string content((std::istreambuf_iterator<char>(bytes)), {});
    std::size_t damaged_count = 0;
    for (std::size_t at = content.find("value 1234"); at != std::string::npos;
         at = content.find("value 1234", at + 1)) {
      bytes.clear();
      bytes.seekp(static_cast<std::streamoff>(at));
      bytes.put('V');
      ++damaged_count;
    }
    ASSERT_GT(damaged_count, 0U);
  }
  const Finished people = kvtool({"check", file});
  EXPECT_EQ(people.exit_code, 1);
  EXPECT_NE(people.out.find("damaged: "), std::string::npos) << people.out;
  const Finished json = kvtool({"check", file, "--json"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_NE(json.out.find("\"ok\": false"), std::string::npos) << json.out;
  EXPECT_NE(json.out.find("\"table\": \"\",\n      \"first_key\": \"key 1"), std::string::npos)
      << json.out;
}

TEST_F(Copy, WritesEveryTableIntoANewFile) {
  store(file_, awkward_entries());
  store(file_, random_entries(3, 500), "random");
  const std::string target = in_directory("copy.quire");
  done({"copy", file_, target});
  EXPECT_EQ(done({"dump", target}), done({"dump", file_}));
  done({"check", target});
}

TEST_F(Copy, ChangesThePageSize) {
  store(file_, random_entries(4, 500));
  const std::string target = in_directory("copy.quire");
  done({"copy", file_, target, "--page-size", "16384"});
  EXPECT_EQ(stored(target), stored(file_));
  EXPECT_EQ(Database(target).page_size_bytes(), 16384U);
  done({"check", target});
}

TEST_F(Copy, LeavesNothingWhenItIsEnded) {
  store(file_, random_entries(5, 300'000));
  const std::string directory = in_directory("copies");
  std::filesystem::create_directory(directory);
  const std::string script =
      "\"$KVTOOL\" copy \"$0\" \"$1/target\" & "
      "until [ -e \"$1/target.new\" ]; do :; done; "
      "kill -TERM $!; wait $!";
  const Finished finished = run({"/bin/sh", "-c", script, file_, directory});
  EXPECT_EQ(finished.exit_code, 3) << finished.err;
  EXPECT_TRUE(contains(finished.err, "ended by a signal")) << finished.err;
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(Copy, RefusesATargetThatExists) {
  done({"put", file_, "ada", "Lovelace"});
  const std::string target = in_directory("copy.quire");
  done({"put", target, "alan", "Turing"});
  refused(3, {"copy", file_, target});
  EXPECT_EQ(stored(target), (Entries{{"alan", "Turing"}}));
}

TEST_F(Salvage, CopiesEverythingOfAWholeFile) {
  store(file_, awkward_entries());
  store(file_, random_entries(5, 500), "random");
  const std::string target = in_directory("salvaged.quire");
  const std::string people = done({"salvage", file_, target});
  EXPECT_EQ(people.substr(0, 5), "all: ") << people;
  EXPECT_EQ(done({"dump", target}), done({"dump", file_}));
  done({"check", target});
  EXPECT_NE(
      done({"salvage", "--json", file_, in_directory("again.quire")}).find("\"complete\": true"),
      std::string::npos);
}

TEST_F(Salvage, ListsWhatIsLost) {
  Entries all;
  for (int i = 0; i < 5000; ++i) {
    all["key " + std::to_string(i)] = "value " + std::to_string(i);
  }
  const std::string broken = in_directory("broken.quire");
  store(broken, all);
  {
    std::fstream bytes(broken, std::ios::in | std::ios::out | std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(bytes)), {});
    bytes.clear();
    for (std::size_t at = content.find("value 4321"); at != std::string::npos;
         at = content.find("value 4321", at + 1)) {
      bytes.seekp(static_cast<std::streamoff>(at));
      bytes.put('V');
    }
  }

  const Finished people = kvtool({"salvage", broken, file_});
  EXPECT_EQ(people.exit_code, 1) << people.err;
  EXPECT_EQ(people.out.substr(0, 11), "lost: page ") << people.out;
  const Entries made = stored(file_);
  EXPECT_FALSE(made.contains("key 4321"));
  EXPECT_GT(made.size(), 4800U);
  for (const auto& [key, value] : made) {
    EXPECT_EQ(value, all.at(key));
  }
  const Finished json = kvtool({"salvage", broken, in_directory("json.quire"), "--json"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_NE(json.out.find("\"first_key\": \"key 4"), std::string::npos) << json.out;
}

TEST_F(Salvage, RefusesATargetThatExistsAndASourceThatIsInUse) {
  done({"put", file_, "ada", "Lovelace"});
  refused(3, {"salvage", file_, file_});
  refused(3, {"salvage", in_directory("nothing.quire"), in_directory("target.quire")});
  const Database open(file_);
  refused(3, {"salvage", file_, in_directory("target.quire")});
}

TEST_F(Watch, PrintsCommitsThatCameAlready) {
  done({"put", file_, "ada", "Lovelace"});
  const Database database(file_);
  const std::string newest = std::to_string(database.snapshot().txn());
  EXPECT_EQ(done({"watch", file_, "--after", "0", "--count", "1"}), newest + "\n");
}

TEST_F(Watch, RunsACommandAfterEach) {
  done({"put", file_, "ada", "Lovelace"});
  const Database database(file_);
  const std::string newest = std::to_string(database.snapshot().txn());
  EXPECT_EQ(done({"watch", file_, "--after", "0", "--count", "1", "--exec", "echo txn $QUIRE_TXN"}),
            newest + "\ntxn " + newest + "\n");
}

TEST_F(Watch, PrintsEachCommitOfAnotherProcess) {
  Database database(file_);
  database.put("count", "0");
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    for (int i = 1; !is_over; ++i) {
      database.put("count", std::to_string(i));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  const std::string first = std::to_string(database.snapshot().txn());
  const std::string printed = done({"watch", file_, "--after", first, "--count", "3"});
  is_over = true;
  writer.join();
  EXPECT_EQ(std::count(printed.begin(), printed.end(), '\n'), 3);
}

TEST_F(Watch, SaysWhenNoneCame) {
  done({"put", file_, "ada", "Lovelace"});
  refused(1, {"watch", file_, "--timeout", "0.1"});
  refused(2, {"watch", file_, "--timeout", "-1"});
  refused(2, {"watch", file_, "--count", "0"});
  refused(3, {"watch", in_directory("nothing.quire")});
}

}  // namespace
}  // namespace quire::test
