// Savepoints and nested parts of transactions: what comes back, what stays, what is refused.
#include <quire/quire.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/database_test.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

// What the transaction sees.
Tables contents(Transaction& tx) {
  Tables all;
  all[""] = entries(tx.table());
  for (const std::string& name : tx.tables()) all[name] = entries(tx.table(name));
  return all;
}

// A change of everything that a transaction can change; different ones overlap.
void change_much(Transaction& tx, std::uint64_t seed) {
  Random random{seed};
  Table table = tx.table();
  for (int i = 0; i < 200; ++i) {
    const std::string key = big_endian(random.below(1000));
    if (random.one_in(3)) {
      table.erase(key);
    } else {
      table.put(key, pattern(random.below(300), random.next()));
    }
  }
  for (std::uint64_t i = 0; i < 100; ++i) {
    table.put(big_endian(10'000 * (seed + 1) + i), "in order");
  }
  tx.table("large").put(big_endian(random.below(4)), pattern(20'000 + random.below(9000), seed));
  tx.table("large").erase(big_endian(random.below(4)));
  tx.table("new " + std::to_string(seed % 3)).put("a", std::to_string(seed));
  if (random.one_in(2)) tx.drop("new " + std::to_string(random.below(3)));
  if (random.one_in(4)) tx.table("cleared").clear();
  for (std::uint64_t i = 0; i < 50; ++i) tx.table("cleared").put(big_endian(i), pattern(99, seed));
}

class Savepoints : public DatabaseTest {
 protected:
  // As recovery makes it of a copy of the files' bytes while the database is open.
  Tables recovered() const {
    const std::filesystem::path copy = directory_.file("recovered");
    write_file(copy, read_file(file_));
    Tables all;
    {
      Database db{copy};
      all = tables_of(db);
      expect_sound(db);
    }
    std::filesystem::remove(copy);
    std::filesystem::remove(lock_file_of(copy));
    return all;
  }

  // What was committed is what was seen, also after recovery, and no page is lost.
  void commit_and_expect(Database& db, Transaction& tx, const Tables& expected) const {
    EXPECT_EQ(contents(tx), expected);
    tx.commit();
    EXPECT_EQ(tables_of(db), expected);
    EXPECT_EQ(recovered(), expected);
    expect_sound(db);
  }
};

using NestedParts = Savepoints;
using SavepointMisuse = Savepoints;

TEST_F(Savepoints, RolledBackBringBackWhatWasThere) {
  Database db{file_};
  db.write([](Transaction& tx) { change_much(tx, 1); });
  Transaction tx = db.begin();
  change_much(tx, 2);
  const Tables before = contents(tx);
  Savepoint savepoint = tx.savepoint();
  for (std::uint64_t round = 3; round < 6; ++round) {
    change_much(tx, round);
    savepoint.rollback();
    ASSERT_EQ(contents(tx), before);
  }
  change_much(tx, 7);
  savepoint.rollback();
  commit_and_expect(db, tx, before);
}

TEST_F(Savepoints, ReleasedKeepWhatWasDone) {
  Database db{file_};
  Transaction tx = db.begin();
  change_much(tx, 1);
  Savepoint savepoint = tx.savepoint();
  change_much(tx, 2);
  const Tables after = contents(tx);
  savepoint.release();
  EXPECT_FALSE(savepoint.is_open());
  commit_and_expect(db, tx, after);
}

TEST_F(Savepoints, ThatEndWithoutReleaseRollBack) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("a", "1");
  {
    const Savepoint savepoint = tx.savepoint();
    tx.table().put("a", "2");
    tx.table("made").put("b", "3");
  }
  commit_and_expect(db, tx, {{"", {{"a", "1"}}}});
}

TEST_F(Savepoints, AreKeptByTheCommit) {
  Database db{file_};
  Transaction tx = db.begin();
  const Savepoint outer = tx.savepoint();
  change_much(tx, 1);
  const Savepoint inner = tx.savepoint();
  change_much(tx, 2);
  commit_and_expect(db, tx, contents(tx));
  EXPECT_FALSE(outer.is_open());
  EXPECT_FALSE(inner.is_open());
}

TEST_F(Savepoints, OfWhichNothingIsLeftMakeNoCommit) {
  Database db{file_};
  db.put("a", "1");
  const std::uint64_t before = db.snapshot().txn();
  db.write([](Transaction& tx) {
    const Savepoint savepoint = tx.savepoint();
    change_much(tx, 1);
  });
  db.write([](Transaction& tx) {
    Savepoint savepoint = tx.savepoint();
    tx.table().put("b", "2");
    savepoint.rollback();
  });
  EXPECT_EQ(db.snapshot().txn(), before);
}

// Every order of opening, releasing and rolling back, with changes between.
TEST_F(Savepoints, OfAnyDepthAgreeWithCopiesOfTheTables) {
  const std::uint64_t seed = choose_seed("savepoints");
  Random random{seed};
  Database db{file_, {.durability = Durability::relaxed}};
  for (std::uint64_t run = 0; run < rounds(25, 4); ++run) {
    Transaction tx = db.begin();
    std::vector<std::pair<Savepoint, Tables>> open;
    for (int step = 0; step < 24; ++step) {
      const auto at = static_cast<std::ptrdiff_t>(random.below(open.size() + 1));
      switch (random.below(5)) {
        case 0:
        case 1:
          open.emplace_back(tx.savepoint(), contents(tx));
          break;
        case 2:
          if (static_cast<std::size_t>(at) == open.size()) break;
          open[static_cast<std::size_t>(at)].first.rollback();
          ASSERT_EQ(contents(tx), open[static_cast<std::size_t>(at)].second) << seed;
          open.erase(open.begin() + at + 1, open.end());
          break;
        case 3: {
          if (static_cast<std::size_t>(at) == open.size()) break;
          const Tables now = contents(tx);
          open[static_cast<std::size_t>(at)].first.release();
          ASSERT_EQ(contents(tx), now) << seed;
          open.erase(open.begin() + at, open.end());
          break;
        }
        default:
          break;
      }
      if (!random.one_in(3)) change_much(tx, random.next());
    }
    if (random.one_in(3)) {
      while (!open.empty()) open.pop_back();
    }
    commit_and_expect(db, tx, contents(tx));
    ASSERT_FALSE(HasFailure()) << "replay with QUIRE_SEED=" << seed;
    open.clear();
  }
}

TEST_F(Savepoints, BringTablesBackWithTheirHandles) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table("old").put("a", "1");
    tx.table("dropped").put("b", "2");
  });
  Transaction tx = db.begin();
  Table old = tx.table("old");
  Table dropped = tx.table("dropped");
  Table made = tx.table("made");
  Savepoint savepoint = tx.savepoint();
  old.clear();
  EXPECT_TRUE(tx.drop("dropped"));
  made.put("c", "3");
  EXPECT_TRUE(tx.drop("old"));
  EXPECT_EQ(tx.tables(), (std::vector<std::string>{"made"}));
  savepoint.rollback();
  EXPECT_EQ(tx.tables(), (std::vector<std::string>{"dropped", "old"}));
  EXPECT_EQ(old.get("a"), "1");
  EXPECT_EQ(dropped.get("b"), "2");
  EXPECT_TRUE(made.empty());
  made.put("d", "4");
  savepoint.release();
  commit_and_expect(
      db, tx, {{"", {}}, {"dropped", {{"b", "2"}}}, {"made", {{"d", "4"}}}, {"old", {{"a", "1"}}}});
}

TEST_F(Savepoints, InvalidateCursorsOfTablesThatComeBack) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("a", "1");
  tx.table("other").put("b", "2");
  Savepoint savepoint = tx.savepoint();
  tx.table().put("a", "3");
  const Cursor of_changed = tx.table().begin();
  const Cursor of_other = tx.table("other").begin();
  savepoint.rollback();
  EXPECT_EQ(errc_of([&] { (void)of_changed.key(); }), Errc::misuse);
  EXPECT_EQ(of_other.key(), "b");
}

// One value after the other is stored and given up; so are many small entries.
TEST_F(Savepoints, RolledBackAgainAndAgainDoNotMakeTheFileLarger) {
  Database db{file_};
  db.write([](Transaction& tx) { change_much(tx, 1); });
  std::uint64_t first_bytes = 0;
  Transaction tx = db.begin();
  for (std::uint64_t round = 0; round < 40; ++round) {
    const Savepoint savepoint = tx.savepoint();
    tx.table().put("huge", pattern(3 << 20, round));
    for (std::uint64_t i = 0; i < 3000; ++i) tx.table().put(big_endian(i), pattern(300, i));
    if (round == 1) first_bytes = std::filesystem::file_size(file_);
  }
  EXPECT_EQ(std::filesystem::file_size(file_), first_bytes);
}

// Keeps the pages of a part, not one tree for each.
TEST_F(Savepoints, ReleasedAgainAndAgainDoNotMakeTheFileLarger) {
  Database db{file_};
  Transaction tx = db.begin();
  std::uint64_t first_bytes = 0;
  const Savepoint outer = tx.savepoint();
  for (std::uint64_t round = 0; round < 60; ++round) {
    Savepoint savepoint = tx.savepoint();
    for (std::uint64_t i = 0; i < 2000; ++i) tx.table().put(big_endian(i), pattern(300, round));
    savepoint.release();
    if (round == 2) first_bytes = std::filesystem::file_size(file_);
  }
  EXPECT_EQ(std::filesystem::file_size(file_), first_bytes);
}

TEST_F(Savepoints, LetATransactionGoOnThatHasRunOutOfSpace) {
  Database db{file_, {.reserve = 24 << 20}};
  db.write([](Transaction& tx) { change_much(tx, 1); });
  Transaction tx = db.begin();
  change_much(tx, 2);
  const Tables before = contents(tx);
  Savepoint savepoint = tx.savepoint();
  for (int large : {0, 1}) {
    std::uint64_t done = 0;
    const auto code = errc_of([&] {
      for (;; ++done) {
        tx.table("t").put("key " + std::to_string(done), pattern(large ? 500'000 : 300, done));
      }
    });
    EXPECT_EQ(code, Errc::no_space);
    EXPECT_GT(done, 10u);
    EXPECT_EQ(errc_of([&] { tx.table().put("a", "1"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { savepoint.release(); }), Errc::misuse);
    savepoint.rollback();
    EXPECT_EQ(contents(tx), before);
    change_much(tx, 3);
    savepoint.rollback();
  }
  tx.table().put("after", "1");
  Tables after = before;
  after[""]["after"] = "1";
  commit_and_expect(db, tx, after);
}

TEST_F(Savepoints, SurviveALogThatIsTooSmallForTheTransaction) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("a", "1");
  Savepoint savepoint = tx.savepoint();
  for (std::uint64_t i = 0; i < 40'000; ++i) tx.table("t").put(big_endian(i), pattern(200, i));
  savepoint.rollback();
  commit_and_expect(db, tx, {{"", {{"a", "1"}}}});
}

// Whether the value was begun, written or finished before the savepoint or since: no page is lost,
// and what was finished before it is there.
// The inner one's rollback freed the pages, the outer one's took that back, and nobody was left to
// free them.
TEST_F(Savepoints, GiveUpAValueForGoodWhenOneInsideTheOtherIsRolledBack) {
  Database db{file_};
  const std::string text = pattern(200'000, 1);
  for (const bool is_finished : {false, true}) {
    for (const bool is_outer_kept : {false, true}) {
      Transaction tx = db.begin();
      tx.table().put("a", std::to_string(is_finished));
      ValueWriter writer = tx.table().writer("key", text.size());
      writer.write(text);
      Savepoint outer = tx.savepoint();
      Savepoint inner = tx.savepoint();
      if (is_finished) writer.finish();
      inner.rollback();
      inner.release();
      is_outer_kept ? outer.release() : outer.rollback();
      tx.commit();
      EXPECT_EQ(entries(db), (Entries{{"a", std::to_string(is_finished)}}));
      expect_sound(db);
    }
  }
}

TEST_F(Savepoints, GiveUpValuesThatAreWrittenInPieces) {
  Database db{file_};
  const std::string text = pattern(200'000, 1);
  for (int finished_at = 0; finished_at < 4; ++finished_at) {
    Transaction tx = db.begin();
    tx.table().put("round", std::to_string(finished_at));
    ValueWriter writer = tx.table().writer("key", text.size());
    writer.write(Bytes(text).substr(0, 100'000));
    Savepoint outer = tx.savepoint();
    Savepoint inner = tx.savepoint();
    ValueWriter other = tx.table("other").writer("key", text.size());
    other.write(text);
    if (finished_at == 1) other.finish();
    if (finished_at > 1) {
      writer.write(Bytes(text).substr(100'000));
      writer.finish();
    }
    if (finished_at == 3) inner.release();
    const Savepoint third = tx.savepoint();
    const std::span<std::byte> reserved = tx.table().reserve("reserved", 50'000);
    std::fill(reserved.begin(), reserved.end(), std::byte{1});
    outer.rollback();
    EXPECT_EQ(errc_of([&] { writer.finish(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { other.finish(); }), Errc::misuse);
    EXPECT_EQ(contents(tx), (Tables{{"", {{"round", std::to_string(finished_at)}}}}));
    outer.rollback();
    tx.table().put("after", "");
    outer.rollback();
    commit_and_expect(db, tx, {{"", {{"round", std::to_string(finished_at)}}}});
  }
}

TEST_F(NestedParts, AreWholeOrNotThere) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table().put("a", "1");
    EXPECT_THROW(tx.nested([](Transaction& part) {
      part.table().put("a", "2");
      part.nested([](Transaction& inner) { inner.table().put("b", "3"); });
      throw std::runtime_error("no");
    }),
                 std::runtime_error);
    EXPECT_EQ(entries(tx.table()), (Entries{{"a", "1"}}));
    const int answer = tx.nested([](Transaction& part) {
      part.table().put("c", "4");
      EXPECT_THROW(part.nested([](Transaction& inner) -> int {
        inner.table().erase("a");
        throw std::runtime_error("no");
      }),
                   std::runtime_error);
      return 42;
    });
    EXPECT_EQ(answer, 42);
  });
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}, {"c", "4"}}));
}

// What waits in memory to be put is put before the part has come to its end.
TEST_F(NestedParts, ForWhichThereIsNoRoomFailAsAWhole) {
  Database db{file_, {.reserve = 24 << 20}};
  Random random{3};
  Transaction tx = db.begin();
  std::uint64_t parts = 0;
  const auto code = errc_of([&] {
    for (;; ++parts) {
      tx.nested([&](Transaction& part) {
        for (int i = 0; i < 1500; ++i) part.table().put(big_endian(random.next()), pattern(600, 1));
      });
    }
  });
  EXPECT_EQ(code, Errc::no_space);
  EXPECT_GT(parts, 3u);
  EXPECT_EQ(tx.table().size(), parts * 1500);
  EXPECT_TRUE(tx.table().erase(tx.table().begin().key()));
  commit_and_expect(db, tx, contents(tx));
}

TEST_F(NestedParts, OfAThousandLevelsWork) {
  Database db{file_};
  Transaction tx = db.begin();
  std::vector<Savepoint> open;
  for (int level = 0; level < 1000; ++level) {
    open.push_back(tx.savepoint());
    tx.table().put("level", std::to_string(level));
  }
  open[700].rollback();
  EXPECT_EQ(tx.table().get("level"), "699");
  open[300].release();
  open[10].rollback();
  EXPECT_EQ(tx.table().get("level"), "9");
  commit_and_expect(db, tx, {{"", {{"level", "9"}}}});
}

TEST_F(SavepointMisuse, OfOneThatHasEndedIsRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  Savepoint outer = tx.savepoint();
  Savepoint inner = tx.savepoint();
  outer.rollback();
  EXPECT_TRUE(outer.is_open());
  EXPECT_FALSE(inner.is_open());
  EXPECT_EQ(errc_of([&] { inner.rollback(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { inner.release(); }), Errc::misuse);
  Savepoint other = tx.savepoint();
  outer.release();
  EXPECT_EQ(errc_of([&] { outer.release(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { other.rollback(); }), Errc::misuse);
  Savepoint moved = tx.savepoint();
  const Savepoint there = std::move(moved);
  EXPECT_EQ(errc_of([&] { moved.release(); }), Errc::misuse);  // NOLINT: the claim
  EXPECT_TRUE(there.is_open());
  tx.table().put("a", "1");
  tx.commit();
  EXPECT_FALSE(there.is_open());
  EXPECT_EQ(errc_of([&] { outer.rollback(); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { tx.savepoint(); }), Errc::misuse);
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}}));
}

TEST_F(SavepointMisuse, OfATransactionThatIsGoneDoesNoHarm) {
  Database db{file_};
  std::optional<Savepoint> kept;
  {
    Transaction tx = db.begin();
    kept.emplace(tx.savepoint());
    tx.table().put("a", "1");
    Transaction moved = std::move(tx);
    EXPECT_TRUE(kept->is_open());
    moved.table().put("b", "2");
  }
  EXPECT_FALSE(kept->is_open());
  EXPECT_EQ(errc_of([&] { kept->rollback(); }), Errc::misuse);
  Transaction next = db.begin();
  next.table().put("c", "3");
  kept.reset();
  next.commit();
  EXPECT_EQ(entries(db), (Entries{{"c", "3"}}));
}

TEST_F(SavepointMisuse, OnAnotherThreadIsRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  Savepoint savepoint = tx.savepoint();
  tx.table().put("a", "1");
  std::thread([&] {
    EXPECT_EQ(errc_of([&] { savepoint.rollback(); }), Errc::misuse);
    const Savepoint taken = std::move(savepoint);
  }).join();
  EXPECT_EQ(tx.table().get("a"), "1");
  tx.commit();
  EXPECT_EQ(entries(db), (Entries{{"a", "1"}}));
}

TEST_F(SavepointMisuse, AfterAFailureThatIsNotWantOfSpaceIsRefused) {
  Database db{file_};
  Transaction tx = db.begin();
  tx.table().put("a", "1");
  Savepoint savepoint = tx.savepoint();
  EXPECT_EQ(errc_of([&] { tx.table().put(std::string(5000, 'k'), "2"); }), Errc::too_large);
  tx.table().put("b", "2");  // a refused argument is no failure
  savepoint.rollback();
  commit_and_expect(db, tx, {{"", {{"a", "1"}}}});
}

}  // namespace
}  // namespace quire::test
