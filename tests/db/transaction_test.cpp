// Begin, commit, roll back, and what is refused.
#include <quire/quire.h>

#include <stdexcept>
#include <string>
#include <thread>

#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using Transactions = DatabaseTest;
using TransactionMisuse = DatabaseTest;
using Conveniences = DatabaseTest;

TEST_F(Transactions, OthersSeeNothingBeforeCommitAndEverythingAfter) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("a", "1");
  tx.table("named").put("b", "2");
  EXPECT_TRUE(entries(db).empty());
  EXPECT_TRUE(db.snapshot().tables().empty());
  tx.commit();
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}}));
  EXPECT_EQ(entries(db, "named"), (Entries{{"b", "2"}}));
}

TEST_F(Transactions, RollBackUnlessCommitted) {
  Database db{file_};
  db.put("a", "1");
  {
    Transaction tx = db.begin();
    tx.table().put("a", "2");
    tx.table().put("b", pattern(100'000, 1));
  }
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}}));
  Transaction tx = db.begin();
  tx.table().erase("a");
  tx.rollback();
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}}));
  expect_sound(db);
}

TEST_F(Transactions, MayBeEmpty) {
  Database db{file_};
  db.begin().commit();
  db.begin().commit(Durability::relaxed);
  db.begin().rollback();
  db.write([](Transaction&) {});
  db.put("a", "1");
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}}));
}

TEST_F(Transactions, AnExceptionRollsBackAndPassesOn) {
  Database db{file_};
  EXPECT_THROW(db.write([](Transaction& tx) {
    tx.table().put("a", "1");
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_TRUE(entries(db).empty());
  db.put("b", "2");
  EXPECT_EQ(entries(db), (Entries{{"b", "2"}}));
}

TEST_F(Transactions, WriteReturnsWhatTheBodyReturns) {
  Database db{file_};
  const std::string got = db.write([](Transaction& tx) {
    tx.table().put("a", "1");
    return std::string{*tx.table().get("a")};
  });
  EXPECT_EQ(got, "1");
  EXPECT_TRUE(db.write([](Transaction& tx) { return tx.table().erase("a"); }));
  EXPECT_FALSE(db.write([](Transaction& tx) { return tx.table().erase("a"); }));
}

TEST_F(Transactions, NumbersRiseAndSnapshotsShowThem) {
  Database db{file_};
  std::uint64_t last = db.snapshot().txn();
  for (int i = 0; i < 20; ++i) {
    Transaction tx = db.begin();
    const std::uint64_t number = tx.txn();
    tx.table().put("i", std::to_string(i));
    tx.commit(i % 2 == 0 ? Durability::full : Durability::relaxed);
    EXPECT_GT(number, last);
    EXPECT_EQ(db.snapshot().txn(), number);
    last = number;
  }
}

TEST_F(Transactions, RelaxedAndFullCommitsAreBothVisibleAtOnce) {
  Database db{file_, {.durability = Durability::relaxed}};
  for (int i = 0; i < 200; ++i) {
    Transaction tx = db.begin();
    tx.table().put("i", std::to_string(i));
    if (i % 7 == 0) {
      tx.commit(Durability::full);
    } else {
      tx.commit();
    }
    ASSERT_EQ(db.get("i"), std::to_string(i));
  }
}

TEST_F(Transactions, SyncMakesRelaxedCommitsDurable) {
  Database db{file_, {.durability = Durability::relaxed}};
  db.put("a", "1");
  db.sync();
  const std::uint64_t durable = stat(db).durable_lsn;
  db.put("a", "2");
  EXPECT_EQ(stat(db).durable_lsn, durable);
  db.sync();
  EXPECT_GT(stat(db).durable_lsn, durable);
  db.sync();
}

TEST_F(Transactions, AFullCommitIsDurableWhenItReturns) {
  Database db{file_};
  std::uint64_t durable = stat(db).durable_lsn;
  for (int i = 0; i < 10; ++i) {
    db.put("i", std::to_string(i));
    const std::uint64_t now = stat(db).durable_lsn;
    EXPECT_GT(now, durable);
    durable = now;
  }
}

TEST_F(Transactions, ACheckpointHoldsTheNewestCommitAndEmptiesTheLog) {
  Database db{file_};
  for (int i = 0; i < 100; ++i) db.put(std::to_string(i), "x");
  EXPECT_GT(stat(db).log_used_bytes, 0u);
  db.checkpoint();
  const Statistics after = stat(db);
  EXPECT_GE(after.checkpoint_txn, db.snapshot().txn());
  EXPECT_EQ(after.log_used_bytes, 0u);
  db.checkpoint();
  EXPECT_EQ(entries(db).size(), 100u);
}

TEST_F(Transactions, TryBeginGivesNothingWhileAnotherThreadWrites) {
  Database db{file_};
  Transaction tx = db.begin();
  std::thread{[&] { EXPECT_FALSE(db.try_begin().has_value()); }}.join();
  tx.rollback();
  std::thread{[&] {
    std::optional<Transaction> other = db.try_begin();
    ASSERT_TRUE(other.has_value());
    other->table().put("a", "1");
    other->commit();
  }}.join();
  EXPECT_EQ(db.get("a"), "1");
}

TEST_F(Transactions, BeginWaitsForTheRunningOne) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("first", "1");
  std::thread other{[&] {
    db.write([](Transaction& second) {
      EXPECT_EQ(second.table().get("first"), "1");
      second.table().put("second", "2");
    });
  }};
  tx.commit();
  other.join();
  EXPECT_EQ(entries(db), (Entries{{"first", "1"}, {"second", "2"}}));
}

TEST_F(Transactions, KeepTheDatabaseOpen) {
  std::optional<Database> db{file_};
  Transaction tx = db->begin();
  Snapshot before = db->snapshot();
  db.reset();
  tx.table().put("a", "1");
  tx.commit();
  EXPECT_TRUE(before.table().empty());
  EXPECT_EQ(Database{file_}.get("a"), "1");
}

TEST_F(Transactions, MoveAndTheirTablesStayGood) {
  Database db{file_};
  Transaction one = db.begin();
  Table table = one.table("t");
  table.put("a", "1");
  Transaction other = std::move(one);
  table.put("b", "2");
  other.table("t").put("c", "3");
  other.commit();
  EXPECT_EQ(entries(db, "t"), (Entries{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
}

TEST_F(Transactions, AssignmentRollsTheOldOneBack) {
  Database one{file_};
  Database other{directory_.file("other")};
  Transaction tx = one.begin();
  tx.table().put("a", "1");
  tx = other.begin();
  tx.table().put("b", "2");
  tx.commit();
  EXPECT_TRUE(entries(one).empty());
  EXPECT_EQ(entries(other), (Entries{{"b", "2"}}));
  one.put("writable", "again");
}

TEST_F(Transactions, OfDifferentDatabasesMayRunOnOneThread) {
  Database one{file_};
  Database other{directory_.file("other")};
  one.write([&](Transaction& tx) {
    tx.table().put("a", "1");
    other.write([](Transaction& inner) { inner.table().put("b", "2"); });
  });
  EXPECT_EQ(one.get("a"), "1");
  EXPECT_EQ(other.get("b"), "2");
  expect_sound(other);
}

TEST_F(Transactions, AThreadThatEndsWithOneRollsItBack) {
  Database db{file_};
  std::optional<Transaction> left;
  std::thread{[&] {
    left.emplace(db.begin());
    left->table().put("a", "1");
  }}.join();
  db.put("b", "2");
  EXPECT_EQ(entries(db), (Entries{{"b", "2"}}));
  EXPECT_EQ(errc_of([&] { left->commit(); }), Errc::misuse);
  left.reset();
  db.put("c", "3");
}

TEST_F(TransactionMisuse, AnythingAfterCommitIsRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  table.put("a", "1");
  tx.commit();
  EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.commit(Durability::relaxed); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.table(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.drop("t"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.tables(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.put("b", "2"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.insert("b", "2"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.erase("a"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.clear(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.get("a"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.size(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { table.begin(); }), Errc::misuse);
  tx.rollback();
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}}));
}

// What has been committed cannot be a part any more, and does not go.
TEST_F(TransactionMisuse, APartThatCommitsTheWholeIsRefusedAndTheCommitStands) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("whole", "1");
  const auto end_in_part = [](auto end) {
    return [end](Transaction& part) {
      part.table().put("part", "2");
      end(part);
    };
  };
  EXPECT_EQ(errc_of([&] { tx.nested(end_in_part([](Transaction& part) { part.commit(); })); }),
            Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.nested([](Transaction&) { FAIL() << "after the commit"; }); }),
            Errc::misuse);
  EXPECT_EQ(entries(db), (Entries{{"part", "2"}, {"whole", "1"}}));
  Transaction second = db.begin();
  second.table().clear();
  EXPECT_EQ(
      errc_of([&] { second.nested(end_in_part([](Transaction& part) { part.rollback(); })); }),
      Errc::misuse);
  EXPECT_EQ(entries(db), (Entries{{"part", "2"}, {"whole", "1"}}));
}

TEST_F(TransactionMisuse, CommitAfterRollbackIsRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("a", "1");
  tx.rollback();
  tx.rollback();
  EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.table().put("a", "1"); }), Errc::misuse);
  EXPECT_TRUE(entries(db).empty());
}

TEST_F(TransactionMisuse, ASecondOneOnTheSameThreadIsRefused) {
  Database db{file_};
  Database same{file_};
  Transaction tx = db.begin();
  EXPECT_EQ(errc_of([&] { db.begin(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { same.begin(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { db.put("a", "1"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { db.erase("a"); }), Errc::misuse);
  tx.table().put("b", "2");
  tx.commit();
  EXPECT_EQ(entries(db), (Entries{{"b", "2"}}));
}

TEST_F(TransactionMisuse, WaitingForOneselfIsRefused) {
  run_in_child([&] {
    Database db{file_};
    Transaction tx = db.begin();
    tx.table().put("a", "1");
    EXPECT_EQ(errc_of([&] { db.checkpoint(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { check(db); }), Errc::misuse);
    tx.commit();
    EXPECT_EQ(db.get("a"), "1");
  });
}

TEST_F(TransactionMisuse, UseOnAnotherThreadIsRefusedAndHarmsNothing) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  table.put("a", "1");
  std::thread{[&] {
    EXPECT_EQ(errc_of([&] { tx.table(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.put("b", "2"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.erase("a"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { table.get("a"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { tx.drop("t"); }), Errc::misuse);
  }}.join();
  table.put("c", "3");
  tx.commit();
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}, {"c", "3"}}));
}

TEST_F(TransactionMisuse, CommitOnAnotherThreadIsRefused) {
  Database db{file_};
  {
    Transaction tx = db.begin();
    tx.table().put("a", "1");
    std::thread{[&] { EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::misuse); }}.join();
  }
  db.put("b", "2");
  EXPECT_EQ(db.get("b"), "2");
}

TEST_F(TransactionMisuse, MovedFromObjectsAreRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  Transaction moved_tx = std::move(tx);
  EXPECT_EQ(errc_of([&] { tx.table(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.tables(); }), Errc::misuse);
  tx.rollback();
  moved_tx.table().put("a", "1");
  moved_tx.commit();
  Snapshot snapshot = db.snapshot();
  Snapshot moved_snapshot = std::move(snapshot);
  EXPECT_EQ(errc_of([&] { snapshot.table(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { snapshot.tables(); }), Errc::misuse);
  EXPECT_EQ(moved_snapshot.table().get("a"), "1");
  Database moved_db = std::move(db);
  EXPECT_EQ(errc_of([&] { db.snapshot(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { db.begin(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { db.put("a", "2"); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { db.sync(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { db.checkpoint(); }), Errc::misuse);
  EXPECT_EQ(moved_db.get("a"), "1");
}

TEST_F(TransactionMisuse, EveryWriteThroughAReadOnlyHandleIsRefused) {
  Database writer{file_};
  writer.put("a", "1");
  Database reader{file_, {.read_only = true}};
  EXPECT_EQ(errc_of([&] { reader.begin(); }), Errc::read_only);
  EXPECT_EQ(errc_of([&] { reader.try_begin(); }), Errc::read_only);
  EXPECT_EQ(errc_of([&] { reader.put("a", "2"); }), Errc::read_only);
  EXPECT_EQ(errc_of([&] { reader.erase("a"); }), Errc::read_only);
  EXPECT_EQ(errc_of([&] { reader.checkpoint(); }), Errc::read_only);
  EXPECT_EQ(reader.get("a"), "1");
  writer.put("a", "2");
  EXPECT_EQ(reader.get("a"), "2");
}

TEST_F(Conveniences, PutGetAndEraseActOnTheDefaultTable) {
  Database db{file_};
  EXPECT_EQ(db.get("a"), std::nullopt);
  db.put("a", "1");
  const std::optional<std::string> copy = db.get("a");
  db.put("a", "2");
  EXPECT_EQ(copy, "1");
  EXPECT_EQ(db.get("a"), "2");
  EXPECT_TRUE(db.erase("a"));
  EXPECT_FALSE(db.erase("a"));
  EXPECT_EQ(db.get("a"), std::nullopt);
}

TEST_F(Conveniences, PathAndPageSizeAreTold) {
  Database db{file_, {.page_size = 8192}};
  EXPECT_EQ(db.page_size_bytes(), 8192u);
  EXPECT_TRUE(std::filesystem::equivalent(db.path(), file_));
  EXPECT_EQ(Database{directory_.file("other")}.page_size_bytes(), 4096u);
}

}  // namespace
}  // namespace quire::test
