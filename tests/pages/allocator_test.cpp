// Which pages may be taken, and what is left of a writer that died.
#include "pages/allocator.h"

#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "pages/page_allocator.h"

namespace quire::test {
namespace {

using pages::Allocator;

TEST_F(PageAllocator, GivesEachPageOnce) {
  const std::vector<PageId> pages = commit_taking(1, kPages);
  const std::set<PageId> distinct(pages.begin(), pages.end());
  EXPECT_EQ(distinct.size(), kPages);
  EXPECT_EQ(distinct.rbegin()->value, kPages - 1);
  EXPECT_EQ(allocator_->free_pages(), 0u);
  EXPECT_FALSE(allocator_->allocate_run(1).has_value());
}

TEST_F(PageAllocator, GivesRunsOfNeighboursOnly) {
  allocator_->mark_used({PageId{10}, 1});
  allocator_->mark_used({PageId{100}, 64});
  allocator_->recount();
  allocator_->begin(TxnId{1}, 0);
  EXPECT_EQ(allocator_->allocate_run(11), PageId{11});
  EXPECT_EQ(allocator_->allocate_run(10), PageId{0});
  EXPECT_EQ(allocator_->allocate_run(100), PageId{164});
  EXPECT_FALSE(allocator_->allocate_run(kPages - 263).has_value());
  EXPECT_EQ(allocator_->allocate_run(kPages - 264), PageId{264});
}

// Rule 1, case by case: a page with life [4, 7).
TEST_F(PageAllocator, ReusesAPageOnlyWhenNobodyCanSeeIt) {
  const std::vector<PageId> pages = commit_taking(4, 1);
  commit_freeing(7, pages, 4);
  EXPECT_EQ(sweep({}, 6, 9), 0u) << "a state before its end may still be published";
  EXPECT_EQ(sweep({TxnId{4}}, 8, 9), 0u) << "pinned at its birth";
  EXPECT_EQ(sweep({TxnId{6}}, 8, 9), 0u) << "pinned at its last state";
  EXPECT_TRUE(allocator_->is_used(pages[0]));
  EXPECT_EQ(sweep({TxnId{3}, TxnId{7}}, 7, 3), 1u) << "born and freed between two pins";
  EXPECT_FALSE(allocator_->is_used(pages[0]));
}

// Rule 5: the log names extents, so one born after the checkpoint must stay as it is.
TEST_F(PageAllocator, ReusesAnExtentOnlyWhenACheckpointHasSeenItsBirth) {
  const std::vector<PageId> pages = commit_taking(4, 1);
  commit_freeing(7, pages, 4, true);
  EXPECT_EQ(sweep({TxnId{3}}, 9, 3), 0u);
  EXPECT_EQ(sweep({TxnId{8}}, 9, 8), 1u);
}

TEST_F(PageAllocator, TakesBackWhatADeadWriterTook) {
  commit_taking(1, 5);
  allocator_->begin(TxnId{2}, tail_);
  for (int i = 0; i < 20; ++i) allocator_->allocate();
  allocator_->allocate_run(100);
  EXPECT_EQ(used_count(), 125u);
  Allocator next = successor();
  next.repair(TxnId{1});
  next.repair(TxnId{1});
  next.recount();
  EXPECT_EQ(used_count(), 5u);
  EXPECT_EQ(next.free_pages(), kPages - 5);
}

TEST_F(PageAllocator, KeepsWhatADeadWriterHadCommitted) {
  allocator_->begin(TxnId{2}, tail_);
  for (int i = 0; i < 20; ++i) allocator_->allocate();
  successor().repair(TxnId{2});
  EXPECT_EQ(used_count(), 20u);
}

TEST_F(PageAllocator, FinishesAReleaseThatWasInterrupted) {
  const std::vector<PageId> pages = commit_taking(1, 3);
  commit_freeing(2, pages, 1);
  tables_.control->sweep.store(2);  // died with entry 1 under way
  successor().repair(TxnId{2});
  EXPECT_FALSE(allocator_->is_used(pages[1]));
  EXPECT_EQ(tables_.control->sweep.load(), 0u);
  EXPECT_EQ(sweep({}, 2, 2), 2u) << "the other two, and that one not again";
}

// A checkpoint in the middle of a transaction took such a page for its space map; rolling the
// transaction back then freed the live map under it.
TEST_F(PageAllocator, KeepsPagesGivenBackFromACheckpointInTheMiddle) {
  allocator_->begin(TxnId{1}, tail_);
  std::vector<PageId> mine;
  for (int i = 0; i < 10; ++i) mine.push_back(allocator_->allocate());
  for (const PageId page : mine) allocator_->free_now(page);
  EXPECT_EQ(allocator_->available_pages(), kPages);
  const auto taken = allocator_->take_run(5, [](PageRun) {});
  ASSERT_TRUE(taken.has_value());
  EXPECT_GE(taken->value, 10u);
  allocator_->repair(TxnId{0});
  EXPECT_EQ(used_count(), 5u) << "the checkpoint's";
}

TEST_F(PageAllocator, GivesBackAtCommitWhatTheTransactionDidNotKeep) {
  allocator_->begin(TxnId{1}, tail_);
  std::vector<PageId> mine;
  for (int i = 0; i < 10; ++i) mine.push_back(allocator_->allocate());
  for (int i = 2; i < 8; ++i) allocator_->free_now(mine[std::size_t(i)]);
  EXPECT_EQ(allocator_->allocate(), mine[7]) << "spare pages first";
  allocator_->retire_spare();
  tail_ = allocator_->deferred_tail();
  allocator_->end();
  EXPECT_EQ(tail_, 1u) << "neighbours make one run";
  EXPECT_EQ(sweep({TxnId{1}}, 1, 1), 5u) << "never seen by any state";
  EXPECT_EQ(used_count(), 5u);
}

// The ring begins with 2,048 places: entries of odd laps move when it doubles.
TEST_F(PageAllocator, KeepsEveryDeferredFreeWhenItsRingGrows) {
  const std::vector<PageId> pages = commit_taking(1, 900);
  for (std::uint64_t txn = 2; txn < 5; ++txn) {  // turns the ring to a place in the middle of a lap
    commit_freeing(txn, pages, txn - 1);
    ASSERT_EQ(sweep({}, txn, txn), 900u);
    commit_taking(txn, 900);
  }
  for (std::uint64_t round = 0; round < 5; ++round) commit_freeing(10, pages, 9);  // 4,500 at once
  std::multiset<std::uint32_t> found;
  allocator_->for_each_deferred(tail_, [&](const pages::DeferredFree& entry) {
    EXPECT_EQ(entry.freed, 10u);
    found.insert(entry.first_page);
  });
  ASSERT_EQ(found.size(), 4500u);
  for (const PageId page : pages) ASSERT_EQ(found.count(page.value), 5u);
}

}  // namespace
}  // namespace quire::test
