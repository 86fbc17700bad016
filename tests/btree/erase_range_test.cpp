#include "btree/erase_range.h"

#include <quire/error.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "btree/estimate.h"
#include "btree/tree_store.h"
#include "format/branch.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::TreeRoot;
using test::big_endian;
using test::Model;
using test::NastyKeys;
using test::Random;
using test::TreeStore;

std::string numbered(std::uint64_t number) { return "entry " + big_endian(number); }

void erase_from_model(Model& model, const std::string& first,
                      const std::optional<std::string>& limit) {
  model.erase(model.lower_bound(first), limit ? model.lower_bound(*limit) : model.end());
}

class EraseRange : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(PageBytes, EraseRange, ::testing::Values(4096, 16384, 65536));

// Ranges of every length at every place, of keys of every kind, some values in extents; in the
// transaction that has written the entries, and in later ones.
TEST_P(EraseRange, LeavesWhatTheModelHas) {
  const std::uint64_t seed = test::choose_seed("EraseRange");
  Random random{seed};
  for (std::uint64_t run = 0; run < 6; ++run) {
    TreeStore store{GetParam(), 16'000};
    NastyKeys keys(random, static_cast<std::uint32_t>(format::key_bytes_max(GetParam())));
    TreeRoot tree;
    Model model;
    for (int round = 0; round < 12; ++round) {
      for (std::uint64_t i = random.below(GetParam() == 65536 ? 200 : 900); i > 0; --i) {
        const std::string key = keys.next();
        const std::string value =
            test::pattern(random.below(random.one_in(30) ? GetParam() * 2 : 60), random.next());
        store.put(tree, key, value);
        model[key] = value;
      }
      if (random.one_in(2)) store.sweep();
      std::string first = keys.next();
      std::optional<std::string> limit;
      if (!random.one_in(8)) limit = keys.next();
      const std::uint64_t room = store.space().free_pages();
      const std::uint64_t needed = pages_needed_for_range(tree);
      const std::uint64_t before = model.size();
      if (limit && *limit < first && random.one_in(2)) limit->swap(first);
      const std::uint64_t erased = store.erase_range(tree, first, limit);
      if (!limit || first < *limit) erase_from_model(model, first, limit);
      ASSERT_EQ(erased, before - model.size()) << "replay with QUIRE_SEED=" << seed;
      ASSERT_GE(store.space().free_pages() + needed, room);
      store.expect_sound(tree);
      store.expect_equal(tree, model);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "replay with QUIRE_SEED=" << seed;
    }
    store.expect_no_leak(tree);
  }
}

TEST_P(EraseRange, OfAllLeavesTheEmptyTree) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 20'000; ++i) store.put(tree, numbered(i), "value");
  store.commit();
  EXPECT_EQ(store.erase_range(tree, "", std::nullopt), 20'000u);
  EXPECT_FALSE(tree.root);
  EXPECT_EQ(tree.leaf_pages + tree.branch_pages + tree.entry_count + tree.height, 0u);
  store.expect_no_leak(tree);
}

// Pages between the ends are given back, not copied.
TEST_P(EraseRange, TakesAFewPagesWhateverItsLength) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 60'000; ++i) store.put(tree, numbered(i), test::pattern(60, i));
  store.commit();
  const std::uint64_t room = store.space().free_pages();
  EXPECT_EQ(store.erase_range(tree, numbered(100), numbered(59'900)), 59'800u);
  EXPECT_GE(store.space().free_pages() + 2 * 4, room);
  store.expect_no_leak(tree);
  EXPECT_LE(tree.leaf_pages, 3 + 200 * 90 / GetParam());
}

// What is left of two leaves becomes one, and so do branches; a root with one child goes.
TEST_P(EraseRange, MergesWhatIsLeftAtItsEnds) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 60'000; ++i) store.put(tree, numbered(i), test::pattern(60, i));
  EXPECT_EQ(store.erase_range(tree, numbered(1), numbered(59'999)), 59'998u);
  EXPECT_EQ(tree.leaf_pages, 1u);
  EXPECT_EQ(tree.height, 1u);
  store.expect_no_leak(tree);
}

TEST_P(EraseRange, OfNothingChangesNothing) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 9000; ++i) store.put(tree, numbered(i * 2), "value");
  store.commit();
  const TreeRoot before = tree;
  const std::uint64_t room = store.space().free_pages();
  EXPECT_EQ(store.erase_range(tree, numbered(11), numbered(12)), 0u);
  EXPECT_EQ(store.erase_range(tree, numbered(12), numbered(12)), 0u);
  EXPECT_EQ(store.erase_range(tree, numbered(14), numbered(12)), 0u);
  EXPECT_EQ(store.erase_range(tree, "f", std::nullopt), 0u);
  EXPECT_EQ(store.erase_range(tree, "", "a"), 0u);
  EXPECT_EQ(store.space().free_pages(), room);
  EXPECT_EQ(tree.root, before.root);
}

TEST_P(EraseRange, OfADamagedTreeEnds) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 60'000; ++i) store.put(tree, numbered(i), test::pattern(60, i));
  store.commit();
  // Every child of the root is the first one.
  std::byte* root = store.page(tree.root.page);
  const format::BranchView branch(root, GetParam());
  for (std::uint32_t index = 1; index < branch.count(); ++index) {
    format::branch_set_child(root, GetParam(), index, branch.child(0));
  }
  try {
    store.erase_range(tree, numbered(5), std::nullopt);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::corrupt);
  }
}

class Estimates : public EraseRange {};
INSTANTIATE_TEST_SUITE_P(PageBytes, Estimates, ::testing::Values(4096, 16384, 65536));

TEST_P(Estimates, AreNearTheTruth) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  Random random{11};
  TreeRoot tree;
  Model model;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::string key = numbered(random.next());
    store.put(tree, key, test::pattern(20, i));
    model.emplace(key, "");
  }
  std::vector<std::string> keys;
  for (const auto& [key, value] : model) keys.push_back(key);
  EXPECT_EQ(estimate(store.view(), tree, "", std::nullopt), keys.size());
  EXPECT_EQ(estimate(store.view(), tree, keys[500], keys[500]), 0u);
  EXPECT_EQ(estimate(store.view(), tree, keys[500], keys[501]), 1u);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t first = random.below(keys.size());
    const std::uint64_t limit = random.between(first, keys.size() - 1);
    const auto truth = static_cast<double>(limit - first);
    const auto found = static_cast<double>(estimate(store.view(), tree, keys[first], keys[limit]));
    // Leaves hold between a third and all of what they can.
    EXPECT_NEAR(found, truth, truth * 0.3 + 10) << first << " to " << limit;
  }
}

// 2^64 - 1 is 2^64 as a double, which no count can be.
TEST_P(Estimates, AreNoMoreThanTheTreeCountsHoweverManyThatAre) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 60'000; ++i) store.put(tree, numbered(i), "value");
  ASSERT_GT(tree.leaf_pages, 2u);
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t count : {kMost, kMost - 1, kMost / 2 + 1}) {
    tree.entry_count = count;  // damaged
    EXPECT_EQ(estimate(store.view(), tree, "", std::nullopt), count);
    for (std::uint64_t first = 0; first < 60'000; first += 1999) {
      EXPECT_LE(estimate(store.view(), tree, numbered(first), std::nullopt), count);
      EXPECT_LE(estimate(store.view(), tree, "", numbered(first)), count);
    }
  }
}

TEST_P(Estimates, OfTwoLeavesAreExact) {
  TreeStore store{GetParam(), (8u << 20) / GetParam()};
  TreeRoot tree;
  std::uint64_t count = 0;
  while (tree.height < 2) {
    store.put(tree, numbered(count), test::pattern(100, count));
    ++count;
  }
  ASSERT_EQ(tree.leaf_pages, 2u);
  for (std::uint64_t first = 0; first < count; first += 1 + count / 40) {
    for (std::uint64_t limit = first; limit < count; ++limit) {
      ASSERT_EQ(estimate(store.view(), tree, numbered(first), numbered(limit)), limit - first);
    }
  }
  tree.entry_count = std::numeric_limits<std::uint64_t>::max();  // damaged
  EXPECT_EQ(estimate(store.view(), tree, "", std::nullopt), count);
}

TEST_P(Estimates, OfOneLeafAreExact) {
  TreeStore store{GetParam(), (8u << 20) / GetParam()};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 20; ++i) store.put(tree, numbered(i), "value");
  for (std::uint64_t first = 0; first < 20; ++first) {
    EXPECT_EQ(estimate(store.view(), tree, numbered(first), std::nullopt), 20 - first);
    for (std::uint64_t limit = first; limit < 20; ++limit) {
      ASSERT_EQ(estimate(store.view(), tree, numbered(first), numbered(limit)), limit - first);
    }
  }
}

TEST_P(Estimates, OfPlacesRiseAndReachBothEnds) {
  TreeStore store{GetParam(), (64u << 20) / GetParam()};
  TreeRoot tree;
  constexpr std::uint64_t kCount = 50'000;
  for (std::uint64_t i = 0; i < kCount; ++i) store.put(tree, numbered(i * 7919 % kCount), "value");
  Cursor cursor(store.view(), tree);
  cursor.seek_part(0);
  EXPECT_EQ(cursor.key(), numbered(0));
  cursor.seek_part(0.9999999999);
  EXPECT_EQ(cursor.key(), numbered(kCount - 1));
  std::string before;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    cursor.seek_part(static_cast<double>(i) / 1000);
    ASSERT_GE(std::string(cursor.key()), before);
    before = cursor.key();
    EXPECT_GE(before, numbered(i * kCount / 1000 - std::min(i * kCount / 1000, kCount / 4)));
    EXPECT_LE(before, numbered(i * kCount / 1000 + kCount / 4));
  }
}

}  // namespace
}  // namespace quire::btree
