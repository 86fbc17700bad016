// Runs of neighbouring pages, in files of several areas.
#include <cstdint>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "pages/page_allocator.h"
#include "support/random.h"

namespace quire::test {
namespace {

using pages::kAreaPages;

constexpr std::uint64_t kFilePages = 3 * kAreaPages + 1000;

class Runs : public PageAllocator {
 protected:
  Runs() {
    allocator_->extend(kFilePages);
    allocator_->begin(TxnId{1}, tail_);
  }

  // The lowest run by looking at every page.
  std::optional<PageId> lowest_run(std::uint64_t page_count) const {
    std::uint64_t run = 0;
    for (std::uint64_t page = 0; page < kFilePages; ++page) {
      run = allocator_->is_used(PageId{static_cast<std::uint32_t>(page)}) ? 0 : run + 1;
      if (run == page_count) return PageId{static_cast<std::uint32_t>(page + 1 - run)};
    }
    return std::nullopt;
  }

  void use_all_but(const std::vector<PageRun>& runs) {
    allocator_->mark_used({PageId{0}, kFilePages});
    allocator_->recount();
    for (const PageRun run : runs) allocator_->give_back(run);
  }
};

TEST_F(Runs, AreTheLowestThatFitWhateverWasTakenAndGivenBackBefore) {
  Random random{choose_seed("Runs")};
  std::vector<PageRun> taken;
  for (int step = 0; step < 3000; ++step) {
    const bool is_long = random.one_in(20);
    const auto count = static_cast<std::uint32_t>(1 + random.below(is_long ? 40000 : 300));
    if (const auto expected = lowest_run(count); expected || random.below(2) == 0) {
      const auto found = allocator_->allocate_run(count);
      ASSERT_EQ(found, expected) << count << " pages, step " << step;
      if (found) taken.push_back({*found, count});
    }
    while (!taken.empty() && random.below(5) < 2) {
      std::swap(taken[random.below(taken.size())], taken.back());
      PageRun& run = taken.back();
      const auto part = static_cast<std::uint32_t>(1 + random.below(run.page_count));
      run.page_count -= part;
      allocator_->give_back({PageId{run.first.value + run.page_count}, part});
      if (run.page_count == 0) taken.pop_back();
    }
  }
}

TEST_F(Runs, AreFoundAcrossTheEndsOfAreas) {
  use_all_but({{PageId{kAreaPages - 3}, 7}, {PageId{2 * kAreaPages - 5}, 5}});
  EXPECT_FALSE(allocator_->has_run(8));
  EXPECT_EQ(allocator_->allocate_run(7), PageId{kAreaPages - 3});
  EXPECT_EQ(allocator_->allocate_run(5), PageId{2 * kAreaPages - 5});
}

TEST_F(Runs, MayBeLongerThanAnArea) {
  use_all_but({{PageId{5}, 3 * kAreaPages}});
  EXPECT_FALSE(allocator_->has_run(3 * kAreaPages + 1));
  EXPECT_EQ(allocator_->allocate_run(3 * kAreaPages), PageId{5});
}

TEST_F(Runs, BecomeLongEnoughByOnePageBetweenTwo) {
  use_all_but({{PageId{1000}, 700}, {PageId{1701}, 700}});
  EXPECT_FALSE(allocator_->has_run(701)) << "after which the area is known to have none";
  allocator_->give_back({PageId{1700}, 1});
  EXPECT_EQ(allocator_->allocate_run(1401), PageId{1000});
}

TEST_F(Runs, AreFoundInPagesThatTheFileGainsAndNotBeyondItsEnd) {
  use_all_but({{PageId{kFilePages - 100}, 100}});
  EXPECT_FALSE(allocator_->has_run(101));
  allocator_->extend(kFilePages + 27);
  EXPECT_FALSE(allocator_->has_run(128));
  EXPECT_EQ(allocator_->allocate_run(127), PageId{kFilePages - 100});
}

// Killed between raising the hint and clearing the bits, or between two words of them.
TEST_F(Runs, AreFoundByASuccessorWhereAReleaseWasInterrupted) {
  use_all_but({});
  EXPECT_FALSE(allocator_->has_run(1));
  allocator_->free_later({PageId{100}, 200}, TxnId{0}, false);
  tail_ = allocator_->deferred_tail();
  allocator_->end();
  tables_.control->sweep.store(1);  // died with the entry under way
  pages::Allocator next = successor();
  next.repair(TxnId{1});
  next.recount();
  next.begin(TxnId{2}, tail_);
  EXPECT_EQ(next.allocate_run(200), PageId{100});
}

}  // namespace
}  // namespace quire::test
