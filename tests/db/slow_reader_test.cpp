// Snapshots that are kept while commits go by: what they cost, who they are, and what can be done
// about them.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "db/handles.h"
#include "support/database_test.h"
#include "txn/space.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kEntries = 2000;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

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

  // Pages that a sweep leaves waiting.
  std::uint64_t kept_pages() const {
    const txn::WriterHold hold(store());
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
  EXPECT_LE(std::filesystem::file_size(file_), 4 * kMiB);
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
  EXPECT_LE(std::filesystem::file_size(file_), 16 * kMiB);
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

}  // namespace
}  // namespace quire::test
