// Snapshots that are kept while commits go by: what they cost, who they are, and what can be done
// about them.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "db/handles.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/log_size.h"
#include "txn/space.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kEntries = 2000;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// The log's largest size, those it has outgrown, and what a file grows by at a time.
constexpr std::uint64_t kLogBytesMax = 57 * kMiB;

std::string value_of(std::uint64_t key, std::uint64_t version) {
  return pattern(60, key * 1'000'003 + version);
}

// A small tree that is overwritten entry by entry, each in a commit of its own.
class SlowReaders : public DatabaseTest {
 protected:
  void SetUp() override {
    db_.emplace(file_, Options{.durability = Durability::relaxed});
    db_->write([](Transaction& tx) {
      for (std::uint64_t key = 0; key < kEntries; ++key) {
        tx.table().put(big_endian(key), value_of(key, 0));
      }
    });
  }

  void TearDown() override {
    db_.reset();
    DatabaseTest::TearDown();
  }

  void commit(std::uint64_t count) {
    for (std::uint64_t left = count; left > 0; --left) {
      const std::uint64_t key = random_.below(kEntries);
      db_->put(big_endian(key), value_of(key, ++version_));
    }
  }

  // Takes down what all entries are now.
  static std::string read(const Snapshot& snapshot) {
    std::string all;
    for (const auto [key, value] : snapshot.table()) all.append(key).append(value);
    return all;
  }

  pages::AllocatorControl& control() const {
    return *reinterpret_cast<pages::AllocatorControl*>(store().region().file().base() +
                                                       shared::kAllocatorControlOffset);
  }
  txn::Store& store() const { return detail::Access::store(*db_); }

  // Places in the ring between its head and the newest commit.
  std::uint64_t ring_entries() const {
    const txn::WriterHold hold(store());
    return store().visible_state().deferred_tail - control().deferred_head.load();
  }

  std::uint64_t tree_pages() const {
    const TableStatistics table = stat(*db_).tables[0];
    return table.branch_page_count + table.leaf_page_count;
  }

  // So many commits, and what they cost.
  void watch(std::uint64_t commits) {
    const std::uint64_t looks_before = control().sweep_looks.load();
    for (std::uint64_t done = 0; done < commits; done += commits / 100) {
      commit(commits / 100);
      ring_max_ = std::max(ring_max_, ring_entries());
    }
    const std::uint64_t looks = control().sweep_looks.load() - looks_before;
    std::cout << commits << " commits: file " << std::filesystem::file_size(file_) / 1024
              << " KiB, tree " << tree_pages() << " pages, kept " << kept_pages()
              << ", ring at most " << ring_max_ << " entries, looks " << looks << ", segments "
              << control().parked_segments.load() << std::endl;
    // A commit frees two pages here; each is looked at when it is parked or released, and again
    // when its checkpoint is over.
    EXPECT_LE(looks, 4 * commits);
    EXPECT_LE(ring_max_, store().allocator().file_pages());
  }

  // Pages that a sweep leaves waiting while no checkpoint runs: one that does keeps another tree.
  std::uint64_t kept_pages() const {
    const txn::WriterHold hold(store());
    const std::lock_guard running_checkpoint_ends(store().checkpoint_lock());
    const txn::State state = store().visible_state();
    txn::sweep(store(), state);
    return store().allocator().deferred_pages(state.deferred_tail);
  }

  void expect_everything_comes_back() {
    db_->checkpoint();
    EXPECT_EQ(kept_pages(), 0u);
  }

  std::optional<Database> db_;
  std::uint64_t ring_max_ = 0;
  Random random_{choose_seed("SlowReaders")};
  std::uint64_t version_ = 0;
};

TEST_F(SlowReaders, OneOldSnapshotCostsNoMoreThanItsTreeInAMillionCommits) {
  const std::uint64_t commits = rounds(1'000'000, 30'000);
  commit(1000);
  std::optional<Snapshot> old = db_->snapshot();
  const std::string before = read(*old);
  const std::uint64_t tree = tree_pages();
  watch(commits);
  EXPECT_LE(kept_pages(), 2 * tree) << "the snapshot's and the last checkpoint's";
  EXPECT_LE(readers(*db_).at(0).pinned_bytes, tree * db_->page_size_bytes());
  EXPECT_LE(std::filesystem::file_size(file_), 4 * kMiB + kLogBytesMax);
  EXPECT_LE(control().parked_segments.load(), 16u);
  EXPECT_EQ(read(*old), before);
  old.reset();
  expect_everything_comes_back();
}

TEST_F(SlowReaders, FiftySnapshotsOfDifferentAgesCostNoMoreThanTheirTrees) {
  constexpr std::uint64_t kSnapshots = 50;
  struct Held {
    Snapshot snapshot;
    std::string before;
  };
  std::vector<Held> held;
  const std::uint64_t commits = rounds(200'000, 10'000);
  for (std::uint64_t index = 0; index < kSnapshots; ++index) {
    commit(commits / 100);
    Snapshot now = db_->snapshot();
    std::string before = read(now);
    held.push_back({std::move(now), std::move(before)});
  }
  const std::uint64_t tree = tree_pages();
  watch(commits);
  EXPECT_LE(kept_pages(), (kSnapshots + 1) * tree);
  EXPECT_LE(std::filesystem::file_size(file_), 16 * kMiB + kLogBytesMax);
  // Ending in any order; whoever is left still reads what it read.
  while (!held.empty()) {
    const std::size_t victim = random_.below(held.size());
    EXPECT_EQ(read(held[victim].snapshot), held[victim].before);
    std::swap(held[victim], held.back());
    held.pop_back();
    commit(commits / 1000);
  }
  expect_everything_comes_back();
}

TEST_F(SlowReaders, AreToldByProcessThreadAgeAndWhatTheyPin) {
  const Snapshot old = db_->snapshot();
  commit(3 * kEntries);
  const ReaderInfo reader = readers(*db_).at(0);
  EXPECT_EQ(reader.pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(reader.pid_namespace, 0u) << "ours";
  EXPECT_EQ(reader.thread, static_cast<std::uint64_t>(::gettid()));
  EXPECT_EQ(reader.command.find("test-db"), 0u);
  EXPECT_EQ(reader.txn, old.txn());
  EXPECT_EQ(reader.commits_behind, 3 * kEntries);
  EXPECT_LE(reader.age_seconds, 60u);
  // Every leaf and the root have been copied since; the catalogue has not.
  const std::uint64_t page_bytes = db_->page_size_bytes();
  EXPECT_GE(reader.pinned_bytes, 20 * page_bytes);
  EXPECT_LE(reader.pinned_bytes, (tree_pages() + 1) * page_bytes);
  const Snapshot young = db_->snapshot();
  EXPECT_EQ(readers(*db_).at(1).pinned_bytes, 0u) << "nothing is newer";
}

TEST_F(SlowReaders, AreToldByTheThreadThatOpenedThem) {
  std::optional<Snapshot> held;
  std::uint64_t opener = 0;
  std::thread{[&] {
    held = db_->snapshot();
    opener = static_cast<std::uint64_t>(::gettid());
  }}.join();
  EXPECT_EQ(readers(*db_).at(0).thread, opener);
  run_in_child([&] {
    Database mine{file_};
    const Snapshot here = mine.snapshot();
    std::set<std::uint64_t> threads;
    for (const ReaderInfo& reader : readers(mine)) threads.insert(reader.thread);
    EXPECT_TRUE(threads.contains(static_cast<std::uint64_t>(::gettid()))) << "not its parent's";
  });
}

// That is when one asks.
TEST_F(SlowReaders, AreToldWhileAWriterStandsStill) {
  const Snapshot old = db_->snapshot();
  commit(100);
  Child writer{[&](Link& link) {
    Database mine{file_};
    Transaction transaction = mine.begin();
    transaction.table().put("never", "committed");
    link.send(0);
    link.receive();
  }};
  ASSERT_TRUE(writer.receive().has_value());
  EXPECT_FALSE(db_->try_begin().has_value());
  EXPECT_EQ(readers(*db_).at(0).txn, old.txn());
}

// With a snapshot that keeps most of the file, so that a transaction must make it larger.
class ToldOfSlowReaders : public SlowReaders {
 protected:
  static constexpr std::size_t kValueBytes = 900;
  static constexpr std::uint64_t kRows = 4000;

  void SetUp() override {
    SlowReaders::SetUp();
    overwrite(*db_);
    db_.reset();  // packs the file
    db_.emplace(file_, Options{.durability = Durability::relaxed});
    keep_log_size(*db_);  // those that it outgrows would be room for trees
    held_ = db_->snapshot();
    before_ = read(*held_);
  }

  void overwrite(Database& db) {
    Transaction transaction = db.begin();
    for (std::uint64_t row = 0; row < kRows; ++row) {
      transaction.table().put(big_endian(row), pattern(kValueBytes, ++version_));
    }
    size_before_commit_ = std::filesystem::file_size(file_);
    transaction.commit();  // may make the log larger
  }

  // Overwrites until the file has had to grow or `calls` is not 0.
  void overwrite_until_told(Database& db, const std::uint64_t& calls) {
    for (int round = 0; round < 12 && calls == 0; ++round) overwrite(db);
  }

  Database with(std::function<bool(const ReaderInfo&)> on_slow_reader) {
    return Database{
        file_, {.durability = Durability::relaxed, .on_slow_reader = std::move(on_slow_reader)}};
  }

  std::optional<Snapshot> held_;
  std::string before_;
  std::uint64_t size_before_commit_ = 0;
};

TEST_F(ToldOfSlowReaders, AWriterAsksBeforeTheFileGrowsAndGoesOnWhenToldSo) {
  std::uint64_t calls = 0;
  ReaderInfo told;
  std::uint64_t size_when_told = 0;
  Database asking = with([&](const ReaderInfo& reader) {
    ++calls;
    told = reader;
    size_when_told = std::filesystem::file_size(file_);
    return false;
  });
  overwrite_until_told(asking, calls);
  EXPECT_EQ(calls, 1u) << "once in a transaction";
  EXPECT_EQ(told.txn, held_->txn());
  EXPECT_EQ(told.pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_GT(told.pinned_bytes, kRows * kValueBytes);
  EXPECT_GT(std::filesystem::file_size(file_), size_when_told);
  EXPECT_EQ(read(*held_), before_);
}

TEST_F(ToldOfSlowReaders, TheFileStaysAsItIsWhenTheSnapshotHasEnded) {
  std::uint64_t calls = 0;
  std::uint64_t size_when_told = 0;
  Database asking = with([&](const ReaderInfo&) {
    ++calls;
    size_when_told = std::filesystem::file_size(file_);
    held_.reset();
    return true;
  });
  overwrite_until_told(asking, calls);
  EXPECT_EQ(calls, 1u);
  EXPECT_EQ(size_before_commit_, size_when_told);
}

TEST_F(ToldOfSlowReaders, AProcessThatReadsMayBeEnded) {
  held_.reset();
  Child reader{[&](Link& link) {
    Database mine{file_};
    const Snapshot held = mine.snapshot();
    link.send(held.txn());
    link.receive();
  }};
  ASSERT_TRUE(reader.receive().has_value());
  std::uint64_t calls = 0;
  std::uint64_t size_when_told = 0;
  Database asking = with([&](const ReaderInfo& told) {
    ++calls;
    EXPECT_EQ(told.pid, static_cast<std::uint64_t>(reader.pid()));
    size_when_told = std::filesystem::file_size(file_);
    reader.kill();
    return true;
  });
  overwrite_until_told(asking, calls);
  EXPECT_EQ(calls, 1u);
  EXPECT_EQ(size_before_commit_, size_when_told);
  EXPECT_TRUE(readers(*db_).empty());
}

TEST_F(ToldOfSlowReaders, WhatTheCallThrowsRollsTheTransactionBack) {
  std::uint64_t calls = 0;
  Database asking = with([&](const ReaderInfo&) -> bool {
    ++calls;
    throw std::runtime_error("not now");
  });
  const auto overwrite_all = [&] { overwrite_until_told(asking, calls); };
  EXPECT_THROW(overwrite_all(), std::runtime_error);
  EXPECT_EQ(calls, 1u);
  expect_sound(*db_);
  EXPECT_EQ(entries(*db_).size(), kRows);
  db_->put("after", "wards");
}

TEST_F(ToldOfSlowReaders, AnotherTransactionInTheCallIsMisuse) {
  std::uint64_t calls = 0;
  std::optional<Errc> begun;
  std::optional<Errc> checkpointed;
  Database asking = with([&](const ReaderInfo&) {
    ++calls;
    begun = errc_of([&] { (void)db_->begin(); });
    checkpointed = errc_of([&] { db_->checkpoint(); });
    EXPECT_EQ(read(db_->snapshot()).size(), before_.size()) << "reading is none";
    return false;
  });
  overwrite_until_told(asking, calls);
  EXPECT_EQ(begun, Errc::misuse);
  EXPECT_EQ(checkpointed, Errc::misuse);
}

// A snapshot of now keeps nothing that its end would give back.
TEST_F(ToldOfSlowReaders, NobodyIsToldOfASnapshotThatIsNotInTheWay) {
  held_.reset();
  const Snapshot young = db_->snapshot();
  Database asking = with([](const ReaderInfo& reader) {
    ADD_FAILURE() << "told of " << reader.txn;
    return false;
  });
  asking.write([](Transaction& tx) {
    for (std::uint64_t row = 0; row < 4 * kRows; ++row) {
      tx.table("new").put(big_endian(row), pattern(kValueBytes, row));
    }
  });
}

}  // namespace
}  // namespace quire::test
