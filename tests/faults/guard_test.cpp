// Options::guard_sigbus: a page that cannot be read ends the call, not the process, and the
// database takes nothing back that it has said and says nothing more.
#include <quire/quire.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include "faults/lost_page.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"

namespace quire::test {
namespace {

const Options kGuarded{.guard_sigbus = true};
constexpr std::uint64_t kEntries = 4000;
constexpr std::uint64_t kMetasBytes = 128 << 10;

// What a process may do with a database, each of which reads or writes its file.
struct Call {
  const char* name;
  std::function<void(Database&, const std::filesystem::path& scratch)> make;
};

void read_all(const Database& db) {
  const Snapshot now = db.snapshot();
  for (const std::string& name : now.tables()) entries(now.table(name));
  EXPECT_EQ(entries(now.table()).size(), kEntries);
}

void read_backwards(const Database& db) {
  const Snapshot now = db.snapshot();
  const TableView table = now.table();
  std::uint64_t count = 0;
  for (Cursor at = table.end(); at != table.begin(); ++count) --at;
  EXPECT_EQ(count, kEntries);
}

void get_each(const Database& db) {
  const Snapshot now = db.snapshot();
  for (std::uint64_t i = 0; i + 1 < kEntries; ++i) {
    ASSERT_EQ(now.table().get(big_endian(i)), pattern(150, i));
  }
}

void get_all(const Database& db) {
  const Snapshot now = db.snapshot();
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; i + 1 < kEntries; ++i) keys.push_back(big_endian(i));
  const std::vector<Bytes> asked(keys.begin(), keys.end());
  std::vector<std::optional<Bytes>> values(keys.size());
  now.table().get_many(asked, values);
  for (std::uint64_t i = 0; i < keys.size(); ++i) ASSERT_EQ(values[i], pattern(150, i));
}

// Goes on as long as values are as they were put. One that has turned to zeros since it was handed
// out is for the next call to report.
void read_until_zeros(const Database& db) {
  const Snapshot now = db.snapshot();
  for (std::uint64_t i = 0; i + 1 < kEntries; ++i) {
    if (now.table().get(big_endian(i)) == pattern(150, i)) continue;
    now.table().size();
    ADD_FAILURE() << "a wrong value, and nobody says so";
    return;
  }
}

const std::vector<Call>& calls() {
  static const std::vector<Call> all = {
      {"get", [](Database& db, const auto&) { get_each(db); }},
      {"get_many", [](Database& db, const auto&) { get_all(db); }},
      {"cursor", [](Database& db, const auto&) { read_all(db); }},
      {"backwards", [](Database& db, const auto&) { read_backwards(db); }},
      {"large value",
       [](Database& db, const auto&) { EXPECT_EQ(db.get("large"), pattern(900'000, 1)); }},
      {"put", [](Database& db, const auto&) { db.put("key", "value"); }},
      {"large put", [](Database& db, const auto&) { db.put("key", pattern(400'000, 2)); }},
      {"erase", [](Database& db, const auto&) { db.erase(big_endian(kEntries / 2)); }},
      {"clear",
       [](Database& db, const auto&) { db.write([](Transaction& tx) { tx.table().clear(); }); }},
      {"drop",
       [](Database& db, const auto&) { db.write([](Transaction& tx) { tx.drop("more"); }); }},
      {"checkpoint",
       [](Database& db, const auto&) {
         db.put("key", "value");
         db.checkpoint();
       }},
      {"copy", [](Database& db, const auto& to) { copy(db.snapshot(), to); }},
      {"check", [](Database& db, const auto&) { EXPECT_TRUE(check(db).ok()); }},
      {"statistics", [](Database& db, const auto&) { stat(db); }},
  };
  return all;
}

class GuardTest : public DatabaseTest {
 protected:
  GuardTest() { skip_final_check(); }

  void fill() const {
    Database db{file_};
    db.write([](Transaction& tx) {
      for (std::uint64_t i = 0; i + 1 < kEntries; ++i)
        tx.table().put(big_endian(i), pattern(150, i));
      tx.table().put("large", pattern(900'000, 1));
      for (std::uint64_t i = 0; i < 500; ++i) tx.table("more").put(big_endian(i), pattern(50, i));
    });
  }

  static void expect_refuses_everything(Database& db) {
    EXPECT_EQ(errc_of([&] { db.snapshot(); }), Errc::io);
    EXPECT_EQ(errc_of([&] { db.begin(); }), Errc::io);
    EXPECT_EQ(errc_of([&] { db.try_begin(); }), Errc::io);
    EXPECT_EQ(errc_of([&] { db.get("a"); }), Errc::io);
    EXPECT_EQ(errc_of([&] { db.put("a", "b"); }), Errc::io);
    EXPECT_EQ(errc_of([&] { db.sync(); }), Errc::io);
    EXPECT_EQ(errc_of([&] { db.checkpoint(); }), Errc::io);
    EXPECT_EQ(errc_of([&] { check(db); }), Errc::io);
    EXPECT_EQ(errc_of([&] { stat(db); }), Errc::io);
    EXPECT_EQ(errc_of([&] { readers(db); }), Errc::io);
    EXPECT_EQ(errc_of([&] { Database{db.path()}; }), Errc::io) << "the same instance";
  }
};

TEST_F(GuardTest, EveryCallOnATruncatedFileEndsWithIoAndNeverTheProcess) {
  fill();
  const std::string whole = read_file(file_);
  for (const std::uint64_t left : {std::uint64_t{0}, kMetasBytes, whole.size() / 2}) {
    for (const Call& call : calls()) {
      SCOPED_TRACE(std::string{call.name} + " with " + std::to_string(left) + " bytes left");
      run_in_child([&] {
        write_file(file_, whole);
        Database db{file_, kGuarded};
        std::filesystem::resize_file(file_, left);
        const auto code = errc_of([&] { call.make(db, directory_.file("copy")); });
        // Corrupt: what compares the size with the metas notices before it touches a page.
        EXPECT_TRUE(code == Errc::io || code == Errc::corrupt || (!code && left > 0));
        EXPECT_FALSE(std::filesystem::exists(directory_.file("copy")) && code);
        if (code == Errc::io) expect_refuses_everything(db);
      });
      std::filesystem::remove(directory_.file("copy"));
    }
  }
}

TEST_F(GuardTest, TheErrorNamesThePage) {
  fill();
  run_in_child([&] {
    Database db{file_, kGuarded};
    std::filesystem::resize_file(file_, kMetasBytes);
    const std::string text = text_of([&] { read_all(db); });
    EXPECT_NE(text.find(file_.filename().string() + ": page "), std::string::npos) << text;
    EXPECT_NE(text.find("cannot be read"), std::string::npos) << text;
  });
}

TEST_F(GuardTest, WithoutItTheProcessEnds) {
  fill();
  Child reader{[&](Link&) {
    Database db{file_};
    std::filesystem::resize_file(file_, kMetasBytes);
    read_all(db);
  }};
  const int code = reader.wait();
  EXPECT_TRUE(code == -SIGBUS || (kSanitized && code != 0)) << code;
}

TEST_F(GuardTest, NoHandlerIsInstalledUnlessAsked) {
  run_in_child([&] {
    struct sigaction before = {};
    ::sigaction(SIGBUS, nullptr, &before);
    Database db{file_};
    struct sigaction after = {};
    ::sigaction(SIGBUS, nullptr, &after);
    EXPECT_EQ(before.sa_sigaction, after.sa_sigaction);
    const Database guarded{file_, kGuarded};
    ::sigaction(SIGBUS, nullptr, &after);
    EXPECT_NE(before.sa_sigaction, after.sa_sigaction);
  });
}

TEST_F(GuardTest, OneHandleAsksForAllOfTheProcess) {
  fill();
  run_in_child([&] {
    Database db{file_};
    const Snapshot now = db.snapshot();
    const Database guarded{file_, kGuarded};
    std::filesystem::resize_file(file_, kMetasBytes);
    EXPECT_EQ(errc_of([&] { entries(now.table()); }), Errc::io);
    expect_refuses_everything(db);
  });
}

TEST_F(GuardTest, AValueIsReadThroughBeforeItIsHandedOut) {
  fill();
  run_in_child([&] {
    const Database db{file_, kGuarded};
    const Snapshot now = db.snapshot();
    const Bytes value = now.table().get("large").value();
    const auto* window = value.data();
    const std::uint64_t offset = read_file(file_).find(value.substr(9000, 64)) + 3 * 4096;
    ASSERT_GT(lose_page(file_, offset), 0);
    EXPECT_EQ(window[0], value[0]) << "the pages before are there";
    EXPECT_EQ(errc_of([&] { now.table().get("large"); }), Errc::io);
  });
}

// A transaction in the middle of which the file goes: nothing of it is acknowledged or published.
TEST_F(GuardTest, AWriterCommitsNothingAfterALoss) {
  fill();
  for (const bool is_large : {false, true}) {
    run_in_child([&] {
      Database db{file_, kGuarded};
      {
        Transaction tx = db.begin();
        tx.table().put("key", "value");
        const std::uint64_t count = is_large ? 20'000 : 10;
        for (std::uint64_t i = 0; i < count; ++i)
          tx.table("new").put(big_endian(i), pattern(80, i));
        std::filesystem::resize_file(file_, kMetasBytes);
        EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::io);
      }
      expect_refuses_everything(db);
    });
    std::filesystem::remove(file_);
    fill();
  }
}

TEST_F(GuardTest, ThreadsAllGetTheError) {
  fill();
  run_in_child([&] {
    Database db{file_, kGuarded};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        std::optional<Errc> code;
        while (!code) code = errc_of([&] { read_until_zeros(db); });
        EXPECT_EQ(code, Errc::io);
      });
    }
    threads.emplace_back([&] {
      std::optional<Errc> code;
      while (!code) code = errc_of([&] { db.put("key", "value"); });
      EXPECT_EQ(code, Errc::io);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    std::filesystem::resize_file(file_, kMetasBytes);
    for (std::thread& thread : threads) thread.join();
  });
}

// Whatever page this process loses, and whenever: others find all that it has acknowledged, nothing
// of what it stored into nowhere, and go on.
TEST_F(GuardTest, OthersGoOnWhateverPageOneProcessLoses) {
  Random random{choose_seed("GuardTest")};
  Database db{file_};
  for (int i = 0; i < 60; ++i) advance(db);
  for (std::uint64_t round = 0; round < rounds(250, 40) && !HasFailure(); ++round) {
    const std::uint64_t page = random.one_in(2) ? 0 : random.below(64);
    Child loser{[&](Link& link) {
      Database own{file_, kGuarded};
      const std::uint64_t file_pages = std::filesystem::file_size(file_) / 4096;
      const std::uint64_t lost = page != 0 ? page : random.below(file_pages);
      for (std::uint64_t n = random.below(20); n > 0; --n) link.send(advance(own));
      EXPECT_GT(lose_page(file_, lost * 4096), 0);
      const auto code = errc_of([&] {
        for (int i = 0; i < 30; ++i) {
          link.send(advance(own, i % 3 == 0 ? Durability::relaxed : Durability::full));
          if (i % 10 == 5) own.checkpoint();
        }
      });
      if (!code) return;  // it never met that page
      EXPECT_EQ(code, Errc::io);
      expect_refuses_everything(own);
    }};
    std::uint64_t acknowledged = 0;
    while (const std::optional<std::uint64_t> number = loser.receive()) acknowledged = *number;
    EXPECT_EQ(loser.wait(), 0);
    db.sync();
    EXPECT_GE(expect_ledger(db), acknowledged);
    if (random.one_in(2)) db.checkpoint();
    advance(db);
    if (random.one_in(8)) expect_sound(db);
  }
  expect_sound(db);
}

TEST_F(GuardTest, ALockFileCutUnderIsNoDeathAndTheNextOpenFindsAll) {
  for (const std::uint64_t left :
       std::initializer_list<std::uint64_t>{0, 4096, 8192, 16384, 1 << 20}) {
    SCOPED_TRACE(std::to_string(left) + " bytes left");
    std::uint64_t acknowledged = 0;
    Child worker{[&](Link& link) {
      Database db{file_, kGuarded};
      std::uint64_t count = 0;
      for (int i = 0; i < 12; ++i) link.send(count = advance(db));
      const Snapshot held = db.snapshot();
      {
        Transaction tx = db.begin();
        advance(tx);
        std::filesystem::resize_file(lock_file_of(file_), left);
        const auto code = errc_of([&] { tx.commit(); });
        EXPECT_TRUE(code == Errc::io || (code == std::nullopt && left > 100'000));
        if (!code) link.send(++count);
      }
      while (!errc_of([&] { link.send(advance(db)); })) {
      }
      expect_refuses_everything(db);
      EXPECT_EQ(errc_of([&] { held.table().get("count"); }), Errc::io);
    }};
    while (const std::optional<std::uint64_t> number = worker.receive()) acknowledged = *number;
    EXPECT_EQ(worker.wait(), 0);
    Database db{file_};
    EXPECT_EQ(expect_ledger(db), acknowledged);
    expect_sound(db);
  }
}

}  // namespace
}  // namespace quire::test
