// Deferred frees that a snapshot keeps: put aside, looked at again when it has ended, and neither
// lost nor released twice by whoever dies on the way.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "pages/page_allocator.h"
#include "support/database_test.h"
#include "support/random.h"
#include "support/stepped_child.h"

namespace quire::test {
namespace {

class Parking : public PageAllocator {
 protected:
  std::uint64_t ring_entries() const { return tail_ - tables_.control->deferred_head.load(); }

  // Entries that the next sweep looks at.
  std::uint64_t looks_of_a_sweep(const std::vector<TxnId>& pins, std::uint64_t published) {
    const std::uint64_t before = tables_.control->sweep_looks.load();
    sweep(pins, published, published);
    return tables_.control->sweep_looks.load() - before;
  }

  std::uint64_t parked_segments_in_use() const {
    const pages::ParkedFrees parked(tables_);
    std::uint64_t in_use = 0;
    for (std::uint64_t segment = 0; segment < parked.segment_count(); ++segment) {
      in_use += parked.header(segment).pin.load() != 0 ? 1 : 0;
    }
    return in_use;
  }

  // Every page is used or free, and every used one waits in exactly one deferred free.
  void expect_each_waits_once(const pages::Allocator& allocator) const {
    std::multiset<std::uint32_t> waiting;
    allocator.for_each_deferred(tail_, [&](const pages::DeferredFree& entry) {
      for (std::uint32_t page = 0; page < entry.page_count; ++page) {
        waiting.insert(entry.first_page + page);
      }
    });
    for (std::uint32_t page = 0; page < kPages; ++page) {
      EXPECT_EQ(waiting.count(page), allocator.is_used(PageId{page}) ? 1u : 0u) << "page " << page;
    }
  }
};

TEST_F(Parking, FreesTheRingOfWhatAPinKeeps) {
  commit_freeing(7, commit_taking(4, 300), 4);
  EXPECT_EQ(sweep({TxnId{5}}, 8, 8), 0u);
  EXPECT_EQ(ring_entries(), 0u);
  EXPECT_EQ(allocator_->deferred_pages(tail_), 300u);
  EXPECT_EQ(looks_of_a_sweep({TxnId{5}}, 8), 0u) << "its pin is still there";
  EXPECT_EQ(sweep({TxnId{3}, TxnId{7}}, 8, 8), 300u);
  EXPECT_EQ(allocator_->deferred_pages(tail_), 0u);
  EXPECT_EQ(used_count(), 0u);
  EXPECT_EQ(parked_segments_in_use(), 0u);
}

TEST_F(Parking, GoesOnToTheNextPinInThePagesLife) {
  commit_freeing(9, commit_taking(2, 200), 2);
  sweep({TxnId{3}, TxnId{5}, TxnId{8}, TxnId{9}}, 9, 9);
  EXPECT_EQ(looks_of_a_sweep({TxnId{3}, TxnId{8}, TxnId{9}}, 9), 0u) << "a younger pin went";
  EXPECT_EQ(looks_of_a_sweep({TxnId{8}, TxnId{9}}, 9), 200u);
  EXPECT_EQ(looks_of_a_sweep({TxnId{8}, TxnId{9}}, 9), 0u);
  EXPECT_EQ(allocator_->deferred_pages(tail_), 200u);
  EXPECT_EQ(sweep({TxnId{9}}, 9, 9), 200u);
}

TEST_F(Parking, LeavesInTheRingWhatMayStillBePinned) {
  commit_freeing(7, commit_taking(4, 1), 4);
  commit_freeing(8, commit_taking(7, 1), 7, true);
  sweep({TxnId{5}}, 6, 6);
  EXPECT_EQ(ring_entries(), 2u) << "the state before its end may be published yet; no checkpoint";
  sweep({TxnId{5}, TxnId{7}}, 8, 6);
  EXPECT_EQ(ring_entries(), 1u) << "an extent that the log names, whatever pins it";
  sweep({TxnId{5}, TxnId{7}}, 8, 7);
  EXPECT_EQ(ring_entries(), 0u);
  EXPECT_EQ(sweep({TxnId{5}, TxnId{8}}, 8, 8), 1u);
  EXPECT_EQ(sweep({TxnId{8}}, 8, 8), 1u);
}

TEST_F(Parking, UsesEmptiedSegmentsAgain) {
  for (std::uint64_t txn = 2; txn < 2000; txn += 3) {
    commit_freeing(txn + 1, commit_taking(txn, 700), txn);
    sweep({TxnId{txn}}, txn + 1, txn + 1);
    ASSERT_EQ(ring_entries(), 0u);
    ASSERT_EQ(sweep({TxnId{txn + 2}}, txn + 1, txn + 1), 700u);
  }
  EXPECT_EQ(tables_.control->parked_segments.load(), 16u);
}

TEST_F(Parking, KeepsInTheRingWhatItHasNoRoomFor) {
  tables_.segment_capacity = 0;
  allocator_.emplace(tables_);
  commit_freeing(7, commit_taking(4, 300), 4);
  EXPECT_EQ(sweep({TxnId{5}}, 8, 8), 0u);
  EXPECT_EQ(ring_entries(), 300u);
  EXPECT_EQ(sweep({TxnId{8}}, 8, 8), 300u);
  EXPECT_EQ(ring_entries(), 0u);
}

TEST_F(Parking, WhatAnotherProcessHasParkedIsReleasedHere) {
  commit_freeing(7, commit_taking(4, 300), 4);
  pages::Allocator other = successor();
  const std::vector<TxnId> pins{TxnId{5}};
  const auto states = states_of(pins);
  other.sweep(tail_, {states, TxnId{8}, TxnId{8}});
  EXPECT_EQ(looks_of_a_sweep(pins, 8), 0u);
  EXPECT_EQ(sweep({}, 8, 8), 300u);
}

TEST_F(Parking, TakesSeveralStatesThatArePinnedTogetherForOnePin) {
  commit_freeing(7, commit_taking(4, 200), 4);
  const auto sweep_with = [&](std::uint64_t first, std::uint64_t last) {
    const std::vector<pages::PinnedStates> pins{{TxnId{first}, TxnId{last}}};
    return allocator_->sweep(tail_, {pins, TxnId{8}, TxnId{8}});
  };
  EXPECT_EQ(sweep_with(0, 9), 0u);
  EXPECT_EQ(ring_entries(), 0u);
  EXPECT_EQ(sweep_with(0, 2), 0u) << "the pin has become smaller but may be the same one";
  EXPECT_EQ(sweep_with(5, 5), 0u);
  EXPECT_EQ(sweep_with(1, 2), 200u);
}

// Random lives and pins beside a judge who knows nothing of parking.
TEST_F(Parking, ReleasesExactlyWhatNobodyCanSeeAnyMore) {
  Random random{choose_seed("Parking")};
  struct Life {
    std::uint64_t birth, freed;
  };
  std::map<std::uint32_t, std::uint64_t> births;  // of pages in use
  std::map<std::uint32_t, Life> waiting;
  std::set<TxnId> pins;
  for (std::uint64_t txn = 2; txn < rounds(20000, 2000) && !HasFailure(); ++txn) {
    allocator_->begin(TxnId{txn}, tail_);
    for (std::uint64_t left = random.below(4); left > 0 && !births.empty(); --left) {
      auto victim = births.lower_bound(static_cast<std::uint32_t>(random.below(kPages)));
      if (victim == births.end()) victim = births.begin();
      allocator_->free_later({PageId{victim->first}, 1}, TxnId{victim->second}, false);
      waiting[victim->first] = {victim->second, txn};
      births.erase(victim);
    }
    for (std::uint64_t left = random.below(4); left > 0 && allocator_->free_pages() > 0; --left) {
      const PageId page = allocator_->allocate();
      ASSERT_EQ(waiting.count(page.value) + births.count(page.value), 0u) << "page " << page.value;
      births[page.value] = txn;
    }
    tail_ = allocator_->deferred_tail();
    allocator_->end();
    if (random.one_in(8)) pins.insert(TxnId{txn});
    if (random.one_in(8) && !pins.empty()) {
      auto end = pins.lower_bound(TxnId{random.below(txn)});
      pins.erase(end == pins.end() ? pins.begin() : end);
    }
    if (!random.one_in(10)) continue;
    std::uint64_t expected = 0;
    for (auto at = waiting.begin(); at != waiting.end();) {
      const auto pin = pins.lower_bound(TxnId{at->second.birth});
      const bool is_seen = pin != pins.end() && *pin < TxnId{at->second.freed};
      expected += is_seen ? 0 : 1;
      at = is_seen ? std::next(at) : waiting.erase(at);
    }
    ASSERT_EQ(sweep({pins.begin(), pins.end()}, txn, txn), expected);
    ASSERT_EQ(ring_entries(), 0u);
    ASSERT_EQ(allocator_->deferred_pages(tail_), waiting.size());
    // By pin, against the same judge.
    const std::vector<TxnId> sorted(pins.begin(), pins.end());
    const auto pinned = allocator_->pinned_pages(states_of(sorted), tail_);
    for (std::size_t index = 0; index < sorted.size(); ++index) {
      std::uint64_t seen = 0;
      std::uint64_t seen_alone = 0;
      for (const auto& [page, life] : waiting) {
        if (sorted[index].value < life.birth || sorted[index].value >= life.freed) continue;
        ++seen;
        const bool has_older = index > 0 && sorted[index - 1].value >= life.birth;
        const bool has_younger = index + 1 < sorted.size() && sorted[index + 1].value < life.freed;
        seen_alone += has_older || has_younger ? 0 : 1;
      }
      ASSERT_EQ(pinned[index].page_count, seen);
      ASSERT_EQ(pinned[index].page_count_alone, seen_alone);
    }
  }
}

// A sweep that releases, parks and goes on to the next pin, killed after any of its instructions.
class KilledSweep : public Parking {
 protected:
  void prepare() {
    commit_freeing(5, commit_taking(1, 2), 1);
    commit_freeing(8, commit_taking(6, 2), 6);
    sweep({TxnId{3}, TxnId{4}, TxnId{7}}, 8, 8);
    commit_freeing(10, commit_taking(9, 2), 9);
    commit_freeing(12, commit_taking(11, 2), 11);
  }

  void sweep_stepped() const {
    storage::RegionFile region(directory_.file("data.lock"), like_.get());
    region.map(kRegionBytes);
    pages::Allocator allocator(tables_in(region));
    const auto pins = states_of({TxnId{4}, TxnId{9}});
    if (!begin_stepping()) GTEST_SKIP() << "no ptrace here";
    allocator.sweep(tail_, {pins, TxnId{12}, TxnId{12}});
    end_stepping();
  }
};

TEST_F(KilledSweep, LosesNothingAndReleasesNothingTwice) {
  Random random{choose_seed("KilledSweep")};
  std::uint64_t length = 3000;
  for (std::uint64_t round = 0; round < rounds(120, 15) && !HasFailure(); ++round) {
    region_.reset(kRegionBytes, 4096);
    region_.ensure(0, 4096);
    tail_ = 0;
    allocator_.emplace(tables_);
    allocator_->reset(kPages);
    allocator_->recount();
    prepare();
    Child child{[&](Link&) { sweep_stepped(); }};
    const std::uint64_t steps = random.below(length * 11 / 10);
    if (const std::uint64_t taken = step(child, steps); taken < steps) length = taken;
    child.kill();

    pages::Allocator next = successor();
    next.repair(TxnId{12});
    next.repair(TxnId{12});
    next.recount();
    expect_each_waits_once(next);
    const std::uint64_t used = used_count();
    const auto same = states_of({TxnId{4}, TxnId{9}});
    next.sweep(tail_, {same, TxnId{12}, TxnId{12}});
    EXPECT_EQ(used_count(), 4u) << "of those that 4 and 9 can see, in each order of events";
    EXPECT_LE(4u, used);
    expect_each_waits_once(next);
    next.sweep(tail_, {{}, TxnId{12}, TxnId{12}});
    EXPECT_EQ(used_count(), 0u);
    EXPECT_EQ(parked_segments_in_use(), 0u);
    if (HasFailure()) std::cout << "killed after " << steps << " of " << length << std::endl;
  }
}

}  // namespace
}  // namespace quire::test
