// Ranges of keys of a multimap, erased with their values.
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "btree/estimate.h"
#include "btree/multimap_fixture.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using test::big_endian;
using test::NastyKeys;
using test::pair_count;
using test::pattern;
using test::Random;
using Fixture = test::MultimapFixture;

class EraseKeys : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(PageBytes, EraseKeys, ::testing::Values(4096, 16384, 65536));

// Few values and many, of short keys and long ones; in the transaction that has inserted them, and
// in later ones.
TEST_P(EraseKeys, LeavesWhatTheModelHas) {
  const std::uint64_t seed = test::choose_seed("EraseKeys");
  Random random{seed};
  for (std::uint64_t run = 0; run < 4; ++run) {
    Fixture map{GetParam()};
    NastyKeys keys(random, run == 0 ? 8 : format::key_bytes_max(GetParam()));
    for (int round = 0; round < 12; ++round) {
      for (std::uint64_t i = random.below(300); i > 0; --i) {
        const std::string key = keys.next();
        std::uint64_t left = random.one_in(60) ? random.below(GetParam() / 8) : random.below(4);
        for (; left > 0; --left) map.insert(key, pattern(random.below(30), random.next()));
      }
      if (random.one_in(2)) {
        map.commit();
        map.store.sweep();
      }
      std::string first = keys.next();
      std::optional<std::string> limit;
      if (!random.one_in(8)) limit = keys.next();
      if (limit && *limit < first && random.one_in(2)) limit->swap(first);
      map.erase_keys(first, limit);
      map.expect_whole();
      ASSERT_FALSE(HasFailure()) << "replay with QUIRE_SEED=" << seed;
    }
    map.store.expect_no_leak(map.tree, pair_count(map.model));
  }
}

TEST_P(EraseKeys, OfAllLeavesTheEmptyTree) {
  Fixture map{GetParam()};
  for (std::uint64_t i = 0; i < 9'000; ++i) map.insert(big_endian(i % 7 * i), pattern(30, i));
  map.insert("many", "1");
  for (std::uint64_t i = 0; i < 5'000; ++i) map.insert("many", big_endian(i));
  map.commit();
  map.erase_keys("", std::nullopt);
  EXPECT_FALSE(map.tree.root);
  EXPECT_EQ(map.tree.leaf_pages + map.tree.branch_pages + map.tree.extent_pages, 0u);
  map.store.expect_no_leak(map.tree, 0);
}

// The trees of values of one leaf's keys, of which some stay.
TEST_P(EraseKeys, TakesTheTreesOfValuesOfItsKeysAndNoOthers) {
  Fixture map{GetParam()};
  for (std::uint64_t key = 0; key < 5; ++key) {
    for (std::uint64_t i = 0; i < GetParam() / 2; ++i) map.insert(big_endian(key), big_endian(i));
  }
  map.commit();
  const std::uint64_t pages = map.tree.extent_pages;
  map.erase_keys(big_endian(1), big_endian(4));
  EXPECT_EQ(map.tree.entry_count, 2u);
  EXPECT_EQ(map.tree.extent_pages, pages / 5 * 2);
  map.expect_whole();
  map.insert(big_endian(2), "anew");
  map.insert(big_endian(4), "more");
  map.expect_whole();
  map.store.expect_no_leak(map.tree, pair_count(map.model));
}

TEST_P(EraseKeys, TakesAFewPagesWhateverItsLength) {
  Fixture map{GetParam()};
  for (std::uint64_t i = 0; i < 40'000; ++i) map.insert(big_endian(i / 2), pattern(40, i));
  map.commit();
  const std::uint64_t room = map.store.space().free_pages();
  map.erase_keys(big_endian(50), big_endian(19'950));
  EXPECT_GE(map.store.space().free_pages() + 2 * 4, room);
  map.expect_whole();
}

TEST_P(EraseKeys, OfNothingChangesNothing) {
  Fixture map{GetParam()};
  for (std::uint64_t i = 0; i < 4'000; ++i) map.insert(big_endian(i / 2 * 2), pattern(10, i));
  map.commit();
  const format::TreeRoot before = map.tree;
  const std::uint64_t room = map.store.space().free_pages();
  map.erase_keys(big_endian(11), big_endian(12));
  map.erase_keys(big_endian(12), big_endian(12));
  map.erase_keys(big_endian(14), big_endian(12));
  map.erase_keys("z", std::nullopt);
  EXPECT_EQ(map.store.space().free_pages(), room);
  EXPECT_EQ(map.tree.root, before.root);
}

// Of keys, whatever values they have.
TEST_P(EraseKeys, EstimatesCountKeys) {
  Fixture map{GetParam()};
  for (std::uint64_t i = 0; i < 6'000; ++i) map.insert(big_endian(i), "value");
  for (std::uint64_t i = 0; i < 6'000; ++i) map.insert(big_endian(2'000), big_endian(i));
  const auto& view = map.store.view();
  EXPECT_EQ(estimate(view, map.tree, "", std::nullopt), 6'000u);
  EXPECT_EQ(estimate(view, map.tree, big_endian(7), big_endian(8)), 1u);
  const auto half = static_cast<double>(estimate(view, map.tree, "", big_endian(3'000)));
  EXPECT_NEAR(half, 3'000, 300);
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    PairCursor cursor(view, map.tree);
    cursor.seek_part(i / 100.0);
    ASSERT_FALSE(cursor.at_end());
    ASSERT_EQ(cursor.value(), *map.model.at(std::string(cursor.key())).begin());
    seen.emplace(cursor.key());
  }
  EXPECT_GE(seen.size(), 80u);
}

}  // namespace
}  // namespace quire::btree
