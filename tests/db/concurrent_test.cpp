// Threads of one process: readers beside a writer, many writers, snapshots that travel.
#include <quire/quire.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/system.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kKeyCount = 64;

// Gives every key of the table the same value, so that a reader can tell a whole commit from half
// of one.
void stamp(Transaction& tx, std::uint64_t number) {
  Table table = tx.table();
  for (std::uint64_t key = 0; key < kKeyCount; ++key) {
    table.put(big_endian(key), std::to_string(number) + std::string(number % 50, '.'));
  }
  if (number % 5 == 0) table.put("large", pattern(5000 + number % 3 * 4000, number));
}

// The number that the snapshot's commit stamped; fails the test when keys disagree.
std::uint64_t stamped(const Snapshot& snapshot) {
  const TableView table = snapshot.table();
  const Bytes first = *table.get(big_endian(0));
  std::uint64_t count = 0;
  for (auto [key, value] : table) {
    if (key == "large") continue;
    EXPECT_EQ(value, first);
    ++count;
  }
  EXPECT_EQ(count, kKeyCount);
  return std::stoull(std::string{first});
}

void add_one(Transaction& tx, Bytes key) {
  Table table = tx.table();
  const std::uint64_t before = std::stoull(std::string{table.get(key).value_or("0")});
  table.put(key, std::to_string(before + 1));
}

void run_threads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

using Threads = DatabaseTest;

TEST_F(Threads, ReadersSeeWholeCommitsInOrderWhileAWriterCommits) {
  Database db{file_, {.durability = Durability::relaxed}};
  db.write([](Transaction& tx) { stamp(tx, 0); });
  std::atomic<bool> done{false};
  std::thread writer{[&] {
    for (std::uint64_t number = 1; number <= rounds(8000, 1500); ++number) {
      Transaction tx = db.begin();
      stamp(tx, number);
      tx.commit(number % 20 == 0 ? Durability::full : Durability::relaxed);
      if (number % 100 == 0) db.checkpoint();
    }
    done = true;
  }};
  run_threads(3, [&](int) {
    std::uint64_t last_txn = 0;
    std::uint64_t last_number = 0;
    for (bool last_round = false; !last_round;) {
      last_round = done;
      const Snapshot now = db.snapshot();
      const std::uint64_t number = stamped(now);
      EXPECT_GE(now.txn(), last_txn);
      EXPECT_GE(number, last_number);
      last_txn = now.txn();
      last_number = number;
    }
    EXPECT_EQ(last_number, rounds(8000, 1500));
  });
  writer.join();
}

TEST_F(Threads, AReaderSeesEveryCommitThatHasReturnedBefore) {
  Database db{file_, {.durability = Durability::relaxed}};
  db.write([](Transaction& tx) { stamp(tx, 0); });
  std::atomic<std::uint64_t> returned{0};
  constexpr std::uint64_t kLast = rounds(8000, 1500);
  std::thread writer{[&] {
    for (std::uint64_t number = 1; number <= kLast; ++number) {
      db.write([&](Transaction& tx) { stamp(tx, number); });
      returned = number;
    }
  }};
  run_threads(2, [&](int) {
    for (std::uint64_t seen = 0; seen < kLast;) {
      const std::uint64_t before = returned;
      seen = stamped(db.snapshot());
      EXPECT_GE(seen, before);
    }
  });
  writer.join();
}

TEST_F(Threads, OneSnapshotIsReadByManyAtOnce) {
  Database db{file_, {.durability = Durability::relaxed}};
  db.write([](Transaction& tx) { stamp(tx, 7); });
  const Snapshot shared = db.snapshot();
  std::thread writer{[&] {
    for (std::uint64_t number = 8; number < rounds(3000, 500); ++number) {
      db.write([&](Transaction& tx) { stamp(tx, number); });
    }
  }};
  run_threads(3, [&](int) {
    for (std::uint64_t i = 0; i < rounds(4000, 500); ++i) EXPECT_EQ(stamped(shared), 7u);
  });
  writer.join();
}

TEST_F(Threads, SnapshotsMoveBetweenThem) {
  Database db{file_, {.durability = Durability::relaxed}};
  std::mutex mutex;
  std::vector<std::pair<Snapshot, std::uint64_t>> baskets;
  run_threads(4, [&](int thread) {
    Random random{static_cast<std::uint64_t>(thread)};
    for (std::uint64_t i = 0; i < rounds(2000, 400); ++i) {
      const std::uint64_t number = db.write([&](Transaction& tx) {
        stamp(tx, tx.txn());
        return tx.txn();
      });
      Snapshot taken = db.snapshot();
      const std::uint64_t seen = stamped(taken);
      EXPECT_GE(seen, number);
      std::optional<std::pair<Snapshot, std::uint64_t>> other;
      {
        const std::lock_guard lock{mutex};
        baskets.emplace_back(std::move(taken), seen);
        const auto at = static_cast<long>(random.below(baskets.size()));
        if (baskets.size() > 10) {
          other.emplace(std::move(baskets[static_cast<std::size_t>(at)]));
          baskets.erase(baskets.begin() + at);
        }
      }
      if (other) {
        EXPECT_EQ(stamped(other->first), other->second);
      }
    }
  });
  for (const auto& [snapshot, number] : baskets) EXPECT_EQ(stamped(snapshot), number);
}

TEST_F(Threads, ManyWritersLoseNoIncrement) {
  Database db{file_, {.durability = Durability::relaxed}};
  constexpr std::uint64_t kEach = rounds(8000, 1500);
  run_threads(6, [&](int thread) {
    for (std::uint64_t i = 0; i < kEach; ++i) {
      db.write([&](Transaction& tx) {
        add_one(tx, "all");
        add_one(tx, std::to_string(thread));
      });
    }
  });
  EXPECT_EQ(db.get("all"), std::to_string(6 * kEach));
  for (int thread = 0; thread < 6; ++thread) {
    EXPECT_EQ(db.get(std::to_string(thread)), std::to_string(kEach));
  }
}

TEST_F(Threads, FullCommitsInGroupsAreSeenAndDurableWhenTheyReturn) {
  Database db{file_};
  constexpr std::uint64_t kEach = rounds(2000, 400);
  run_threads(4, [&](int thread) {
    for (std::uint64_t i = 1; i <= kEach; ++i) {
      Transaction tx = db.begin();
      const std::uint64_t number = tx.txn();
      add_one(tx, std::to_string(thread));
      tx.commit(i % 3 == 0 ? Durability::relaxed : Durability::full);
      EXPECT_GE(db.snapshot().txn(), number);
      EXPECT_EQ(db.get(std::to_string(thread)), std::to_string(i));
    }
  });
  EXPECT_EQ(entries(db).size(), 4u);
}

TEST_F(Threads, TryBeginNeverGivesTwoTransactionsAtOnce) {
  Database db{file_, {.durability = Durability::relaxed}};
  std::atomic<int> inside{0};
  std::atomic<std::uint64_t> committed{0};
  run_threads(4, [&](int) {
    for (std::uint64_t i = 0; i < rounds(8000, 1500); ++i) {
      std::optional<Transaction> tx = db.try_begin();
      if (!tx) continue;
      EXPECT_EQ(inside++, 0);
      add_one(*tx, "all");
      --inside;
      if (i % 4 == 0) continue;
      tx->commit();
      ++committed;
    }
  });
  EXPECT_EQ(db.get("all"), std::to_string(committed));
}

TEST_F(Threads, CheckpointsAndSyncsRunBesideReadersAndWriters) {
  Database db{file_, {.durability = Durability::relaxed}};
  db.write([](Transaction& tx) { stamp(tx, 0); });
  run_threads(4, [&](int thread) {
    for (std::uint64_t i = 1; i <= rounds(1000, 200); ++i) {
      if (thread == 0) db.checkpoint();
      if (thread == 1) db.write([&](Transaction& tx) { stamp(tx, i); });
      if (thread == 2) stamped(db.snapshot());
      if (thread == 3) db.sync();
    }
  });
  EXPECT_EQ(stamped(db.snapshot()), rounds(1000, 200));
}

TEST_F(Threads, ThatComeAndGoLeaveNoReaderBehind) {
  Database db{file_, {.durability = Durability::relaxed}};
  db.write([](Transaction& tx) { stamp(tx, 0); });
  for (std::uint64_t round = 1; round <= rounds(300, 60); ++round) {
    run_threads(4, [&](int thread) {
      if (thread == 0) db.write([&](Transaction& tx) { stamp(tx, round); });
      const Snapshot one = db.snapshot();
      const Snapshot other = db.snapshot();
      EXPECT_LE(stamped(one), stamped(other));
    });
  }
  EXPECT_EQ(stat(db).reader_count, 0u);
}

TEST_F(Threads, ThatDieInsideATransactionStopNobody) {
  Database db{file_, {.durability = Durability::relaxed}};
  std::vector<std::optional<Transaction>> left(40);
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::thread{[&] {
      left[i].emplace(db.begin());
      left[i]->table().put("left", pattern(3000, i));
    }}.join();
    db.write([](Transaction& tx) { add_one(tx, "all"); });
  }
  EXPECT_EQ(db.get("all"), "40");
  EXPECT_EQ(db.get("left"), std::nullopt);
}

TEST_F(Threads, OpenAndCloseTheSameFileAtOnce) {
  constexpr std::uint64_t kEach = rounds(300, 60);
  run_threads(4, [&](int) {
    for (std::uint64_t i = 0; i < kEach; ++i) {
      Database db{file_, {.durability = Durability::relaxed}};
      db.write([](Transaction& tx) { add_one(tx, "all"); });
    }
  });
  EXPECT_EQ(Database{file_}.get("all"), std::to_string(4 * kEach));
}

// A flush that stands still until it is let go.
struct HeldFlush {
  std::mutex mutex;
  std::condition_variable changed;
  bool holds = false;
  bool reached = false;
};
HeldFlush held_flush;
int (*const real_msync)(void*, std::size_t, int) = storage::system.msync;

int msync_that_waits(void* address, std::size_t size_bytes, int flags) {
  std::unique_lock lock{held_flush.mutex};
  if (held_flush.holds && !held_flush.reached) {
    held_flush.reached = true;
    held_flush.changed.notify_all();
    held_flush.changed.wait(lock, [] { return !held_flush.holds; });
  }
  lock.unlock();
  return real_msync(address, size_bytes, flags);
}

// The newest commit waits for its flush, so readers still begin at the one before. A third
// transaction must not take that one's pages, although the newest has freed them and nobody reads
// them yet.
TEST_F(Threads, PagesOfThePublishedCommitOutliveANewerOneThatWaitsForItsFlush) {
  storage::system.msync = msync_that_waits;
  {
    Database db{file_};
    const auto fill = [](Transaction& tx, std::uint64_t seed) {
      for (std::uint64_t i = 0; i < 400; ++i) tx.table().put(big_endian(i), pattern(400, seed + i));
    };
    db.write([&](Transaction& tx) { fill(tx, 0); });
    held_flush.holds = true;
    std::thread waiting{[&] { db.write([&](Transaction& tx) { fill(tx, 1000); }); }};
    {
      std::unique_lock lock{held_flush.mutex};
      held_flush.changed.wait(lock, [] { return held_flush.reached; });
    }
    std::optional<Transaction> hungry;
    EXPECT_EQ(errc_of([&] {
                hungry.emplace(db.begin());
                Table table = hungry->table("hungry");
                for (std::uint64_t i = 0; i < 20'000; ++i)
                  table.put(big_endian(i), pattern(300, i));
                const Snapshot now = db.snapshot();
                const std::uint64_t seed =
                    now.table().get(big_endian(0)) == pattern(400, 0) ? 0 : 1000;
                for (std::uint64_t i = 0; i < 400; ++i) {
                  EXPECT_EQ(now.table().get(big_endian(i)), pattern(400, seed + i));
                }
              }),
              std::nullopt);
    {
      const std::lock_guard lock{held_flush.mutex};
      held_flush.holds = false;
    }
    held_flush.changed.notify_all();
    waiting.join();
    EXPECT_EQ(db.get(big_endian(0)), pattern(400, 1000));
  }
  storage::system.msync = real_msync;
}

TEST_F(Threads, ReadLargeValuesWhileTheyAreReplacedAndErased) {
  Database db{file_, {.durability = Durability::relaxed}};
  std::atomic<bool> done{false};
  std::thread writer{[&] {
    for (std::uint64_t i = 0; i < rounds(2000, 400); ++i) {
      db.write([&](Transaction& tx) {
        const std::string key = std::to_string(i % 5);
        if (i % 7 == 6) {
          tx.table().erase(key);
        } else {
          tx.table().put(key, big_endian(i) + pattern(i % 11 * 3000, i));
        }
      });
    }
    done = true;
  }};
  run_threads(2, [&](int) {
    while (!done) {
      const Snapshot now = db.snapshot();
      for (auto [key, value] : now.table()) {
        std::uint64_t number = 0;
        for (const char c : value.substr(0, 8))
          number = number << 8 | static_cast<unsigned char>(c);
        ASSERT_EQ(value.substr(8), pattern(number % 11 * 3000, number));
      }
    }
  });
  writer.join();
}

}  // namespace
}  // namespace quire::test
