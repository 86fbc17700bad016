// What fork leaves in the child: handles that refuse, and a parent unharmed.
#include <quire/quire.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
      ::pause();
      ::_exit(0);
    }
    link.send(static_cast<std::uint64_t>(grandchild));
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

}  // namespace
}  // namespace quire::test
