// What fork leaves in the child: handles that refuse, and a parent unharmed.
#include <quire/quire.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"

namespace quire::test {
namespace {

using AfterFork = DatabaseTest;

TEST_F(AfterFork, TheChildsHandlesRefuse) {
  Database db{file_};
  db.put("a", "1");
  const Snapshot snapshot = db.snapshot();
  const TableView table = snapshot.table();
  Cursor at = table.begin();
  run_in_child([&] {
    EXPECT_EQ(errc_of([&] { db.snapshot(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { db.begin(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { db.try_begin(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { db.get("a"); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { db.put("a", "2"); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { db.erase("a"); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { db.sync(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { db.checkpoint(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { stat(db); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { check(db); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { readers(db); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { snapshot.table(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { snapshot.tables(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { table.get("a"); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { table.begin(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { *at; }), Errc::forked);
    EXPECT_EQ(errc_of([&] { ++at; }), Errc::forked);
  });
  EXPECT_EQ(snapshot.table().get("a"), "1");
  db.put("b", "2");
}

TEST_F(AfterFork, TheChildsTransactionRefusesAndTheParentsGoesOn) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  table.put("a", "1");
  run_in_child([&] {
    EXPECT_EQ(errc_of([&] { tx.table(); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { table.put("b", "2"); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { table.get("a"); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::forked);
    tx.rollback();
  });
  table.put("c", "3");
  tx.commit();
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}, {"c", "3"}}));
}

TEST_F(AfterFork, TheChildMayOpenTheFileAnew) {
  Database db{file_};
  for (std::uint64_t round = 0; round < 10; ++round) {
    run_in_child([&] {
      Database mine{file_};
      EXPECT_EQ(expect_ledger(mine), 2 * round);
      advance(mine);
      EXPECT_EQ(expect_ledger(mine), 2 * round + 1);
    });
    EXPECT_EQ(expect_ledger(db), 2 * round + 1);
    advance(db);
  }
}

TEST_F(AfterFork, DestroyingTheChildsHandlesHarmsNobody) {
  std::optional<Database> db{file_};
  for (int i = 0; i < 30; ++i) advance(*db);
  std::optional<Snapshot> snapshot{db->snapshot()};
  run_in_child([&] {
    snapshot.reset();
    db.reset();
  });
  for (int i = 0; i < 60; ++i) advance(*db);
  EXPECT_EQ(expect_ledger(*snapshot), 30u);
  EXPECT_EQ(stat(*db).process_count, 1u);
  EXPECT_EQ(stat(*db).reader_count, 1u);
}

TEST_F(AfterFork, DestroyingTheChildsTransactionDoesNotRollBackTheParents) {
  Database db{file_};
  std::optional<Transaction> tx{db.begin()};
  advance(*tx);
  run_in_child([&] { tx.reset(); });
  run_in_child([&] {
    Database mine{file_};
    EXPECT_FALSE(mine.try_begin().has_value()) << "the parent's transaction still runs";
  });
  tx->commit();
  EXPECT_EQ(expect_ledger(db), 1u);
}

TEST_F(AfterFork, AChildThatOutlivesTheParentHoldsNothing) {
  Child grandchildren{[&](Link& link) {
    Database db{file_};
    const Snapshot held = db.snapshot();
    Transaction tx = db.begin();
    advance(tx);
    const ::pid_t grandchild = ::fork();
    if (grandchild == 0) {
      // From here: until fork has returned there, the parent's locks have two holders.
      link.send(static_cast<std::uint64_t>(::getpid()));
      ::pause();
      ::_exit(0);
    }
    link.receive();
  }};
  const auto grandchild = grandchildren.receive();
  ASSERT_TRUE(grandchild.has_value());
  grandchildren.kill();
  Database db{file_};
  EXPECT_EQ(stat(db).process_count, 1u);
  EXPECT_EQ(stat(db).reader_count, 0u);
  EXPECT_EQ(advance(db), 1u);
  ::kill(static_cast<::pid_t>(*grandchild), SIGKILL);
}

TEST_F(AfterFork, ManyChildrenOpenAnewAndCommit) {
  Database db{file_};
  advance(db);
  std::vector<Child> children;
  for (int i = 0; i < 6; ++i) {
    children.emplace_back([&](Link&) {
      Database mine{file_};
      for (int n = 0; n < 30; ++n) advance(mine, Durability::relaxed);
    });
  }
  for (int n = 0; n < 30; ++n) advance(db, Durability::relaxed);
  for (Child& child : children) EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(expect_ledger(db), 1u + 7 * 30);
}

// Whatever the other threads of the parent are in the middle of, the child can use the library.
TEST_F(AfterFork, WhileThreadsWorkTheChildrenMayOpenAnew) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator may be locked by a thread when it forks";
  Database db{file_, {.durability = Durability::relaxed, .guard_sigbus = true}};
  advance(db);
  const std::filesystem::path others = directory_.file("other");
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    while (!stop) advance(db, Durability::full);
  });
  threads.emplace_back([&] {
    while (!stop) advance(db);
  });
  threads.emplace_back([&] {
    while (!stop) expect_ledger(db);
  });
  threads.emplace_back([&] {
    while (!stop) Database{others, {.guard_sigbus = true}}.put("a", "1");
  });
  threads.emplace_back([&] {
    while (!stop) db.checkpoint();
  });
  for (std::uint64_t i = 0; i < 60 && !HasFailure(); ++i) {
    run_in_child([&] {
      EXPECT_EQ(errc_of([&] { db.snapshot(); }), Errc::forked);
      {
        Database mine{file_, {.guard_sigbus = true}};
        advance(mine);
        EXPECT_GT(expect_ledger(mine), 1u);
      }
      Database{others, {.guard_sigbus = true}}.put("b", "2");
    });
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  expect_sound(others);
}

// No handler of a fork runs for these; the programs they start hold nothing of ours.
TEST_F(AfterFork, ProgramsStartedInsideATransactionDoNoHarm) {
  Database db{file_};
  const Snapshot held = db.snapshot();
  Transaction tx = db.begin();
  advance(tx);
  const std::string look = "ls -l /proc/self/fd | grep -c '" + file_.string() + "'";
  std::string found;
  std::FILE* told = ::popen(look.c_str(), "r");
  ASSERT_NE(told, nullptr);
  for (int byte; (byte = std::fgetc(told)) != EOF;) found += static_cast<char>(byte);
  ::pclose(told);
  EXPECT_EQ(found, "0\n") << "a descriptor has outlived exec";
  EXPECT_EQ(std::system("true"), 0);
  const ::pid_t child = ::vfork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(expect_ledger(held), 0u);
  tx.commit();
  EXPECT_EQ(expect_ledger(db), 1u);
}

TEST_F(AfterFork, AProcessThatExecutesAnotherProgramHasLeft) {
  Database db{file_};
  Child replaced{[&](Link& link) {
    Database mine{file_};
    const Snapshot held = mine.snapshot();
    Transaction tx = mine.begin();
    advance(tx);
    link.send(1);
    link.receive();
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
  }};
  ASSERT_EQ(replaced.receive(), 1u);
  EXPECT_FALSE(db.try_begin().has_value());
  replaced.send(1);
  EXPECT_EQ(advance(db), 1u) << "begins as soon as the transaction is gone";
  // The system gives the writer lock back a moment before it closes the files.
  while (stat(db).process_count > 1) std::this_thread::yield();
  EXPECT_TRUE(readers(db).empty());
  EXPECT_EQ(::kill(replaced.pid(), 0), 0) << "the program runs";
}

}  // namespace
}  // namespace quire::test
