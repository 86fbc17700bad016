#include "btree/multimap.h"

#include <iterator>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "btree/move.h"
#include "btree/multimap_fixture.h"
#include "btree/pair_cursor.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::TreeRoot;
using test::big_endian;
using test::NastyKeys;
using test::pair_count;
using test::Pairs;
using test::pattern;
using test::Random;
using Fixture = test::MultimapFixture;

class MultimapOfPages : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(All, MultimapOfPages, ::testing::Values(4096, 16384, 65536));

void look_up(const Fixture& map, const std::string& key, const std::string& value) {
  const auto at = map.model.find(key);
  const bool has_key = at != map.model.end();
  ASSERT_EQ(count_values(map.store.view(), map.tree, key), has_key ? at->second.size() : 0);
  ASSERT_EQ(contains_pair(map.store.view(), map.tree, key, value),
            has_key && at->second.contains(value));
  PairCursor cursor(map.store.view(), map.tree);
  cursor.seek_lower_bound(key, value);
  auto expected = map.model.lower_bound(key);
  const std::string* wanted = nullptr;
  if (has_key) {
    const auto inside = at->second.lower_bound(value);
    if (inside != at->second.end()) wanted = &*inside;
    if (wanted == nullptr) ++expected;
  }
  ASSERT_EQ(cursor.at_end(), expected == map.model.end());
  if (cursor.at_end()) return;
  ASSERT_EQ(cursor.key(), expected->first);
  ASSERT_EQ(cursor.value(), wanted != nullptr ? *wanted : *expected->second.begin());
}

TEST_P(MultimapOfPages, BehavesLikeAMapOfSets) {
  const std::uint32_t page_bytes = GetParam();
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    Random random{seed * page_bytes};
    NastyKeys keys{random, seed == 1 ? 8 : format::key_bytes_max(page_bytes)};
    NastyKeys values{random, seed == 2 ? 30 : format::key_bytes_max(page_bytes)};
    Fixture map{page_bytes};
    std::vector<std::string> few;
    for (int i = 0; i < 12; ++i) few.push_back(keys.next());
    Pairs before;
    TreeRoot root_before;
    for (int step = 0; step < 6000 && !::testing::Test::HasFatalFailure(); ++step) {
      const std::string key = random.one_in(3) ? keys.next() : few[random.below(few.size())];
      const bool shrinks = step / 1000 % 2 == 1;
      const auto at = map.model.find(key);
      if (random.below(8) < (shrinks ? 6u : 1u) && at != map.model.end()) {
        const auto value =
            std::next(at->second.begin(), static_cast<long>(random.below(at->second.size())));
        map.erase(key, std::string(*value));
      } else if (random.one_in(200)) {
        map.erase_all(key);
      } else {
        map.insert(key,
                   random.one_in(3) ? big_endian(static_cast<std::uint64_t>(step)) : values.next());
      }
      look_up(map, key, values.next());
      if (random.one_in(60)) map.commit();
      if (random.one_in(600)) {
        map.expect_equal(root_before, before);
        map.store.sweep();
        map.finger.forget();
        map.expect_whole();
        before = map.model;
        root_before = map.tree;
        map.commit();
      }
    }
    map.expect_whole();
    map.store.expect_no_leak(map.tree, pair_count(map.model));
  }
}

TEST_P(MultimapOfPages, MovesBetweenSetAndTreeAndGivesItsPagesBack) {
  const std::uint32_t page_bytes = GetParam();
  Fixture map{page_bytes};
  map.insert("before", "1");
  map.insert("z", "1");
  const std::uint64_t pages = map.tree.leaf_pages;
  std::uint64_t count = 0;
  while (map.tree.extent_pages < 3) map.insert("k", big_endian(++count));
  EXPECT_EQ(map.tree.leaf_pages, pages);
  map.expect_whole();
  map.commit();
  for (; count > 1; --count) map.erase("k", big_endian(count));
  EXPECT_EQ(map.tree.extent_pages, 0u);
  map.expect_whole();
  map.erase("k", big_endian(1));
  EXPECT_EQ(map.tree.entry_count, 2u);
  map.store.expect_no_leak(map.tree, 2);
}

TEST_P(MultimapOfPages, TakesTheLongestKeysWithTheLongestValues) {
  const std::uint32_t page_bytes = GetParam();
  const std::uint32_t longest = format::key_bytes_max(page_bytes);
  Fixture map{page_bytes};
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::string key = std::string(longest - 8, 'k') + big_endian(i % 3);
    map.insert(key, std::string(longest - 8, 'v') + big_endian(i));
    map.insert(key, {});
  }
  map.expect_whole();
  map.commit();
  for (std::uint64_t i = 0; i < 3; ++i) {
    map.erase_all(std::string(longest - 8, 'k') + big_endian(i));
  }
  EXPECT_FALSE(map.tree.root);
  map.store.expect_no_leak(map.tree, 0);
}

TEST_P(MultimapOfPages, FillsTheTreeOfValuesThatComeInOrder) {
  Fixture map{GetParam()};
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    map.insert("key", "value " + big_endian(i));
    bytes += 14 + 10;
  }
  map.expect_whole();
  EXPECT_LE(map.tree.extent_pages * GetParam(), bytes * 11 / 10 + 4 * GetParam());
}

TEST_P(MultimapOfPages, IsClearedWithItsTreesOfValues) {
  Fixture map{GetParam()};
  for (std::uint64_t i = 0; i < 4'000; ++i) {
    map.insert(big_endian(i % 7), pattern(30, i));
  }
  map.commit();
  map.insert(big_endian(3), "new");
  clear(map.store.space(), map.tree);
  EXPECT_FALSE(map.tree.root);
  map.store.expect_no_leak(map.tree, 0);
}

// Visits as a checkpoint does: nothing older than what it has sealed before.
class YoungPages final : public Visitor {
 public:
  explicit YoungPages(TxnId sealed) : sealed_(sealed) {}
  bool enter(format::PagePtr pointer, std::uint32_t) override {
    return pointer.birth_low > static_cast<std::uint32_t>(sealed_.value);
  }
  bool page(PageId page, const std::byte*, std::uint32_t) override {
    return found.insert(page.value).second;
  }
  void extent(const format::ExtentRef&, std::string_view) override { ADD_FAILURE(); }
  std::set<std::uint32_t> found;

 private:
  TxnId sealed_;
};

TEST_P(MultimapOfPages, ShowsACheckpointEveryPageThatIsNew) {
  Fixture map{GetParam()};
  Random random{5};
  for (std::uint64_t i = 0; i < 6'000; ++i)
    map.insert(big_endian(i % 60 / 10 * 10), pattern(30, i));
  for (int round = 0; round < 20; ++round) {
    const TxnId sealed = map.store.txn();
    map.commit();
    for (int i = 0; i < 3; ++i) {
      map.insert(big_endian(random.below(60)), pattern(random.below(30), random.next()));
    }
    std::set<std::uint32_t> young;
    for (const std::uint32_t page : map.store.check(map.tree, pair_count(map.model)).pages) {
      const auto* header = reinterpret_cast<const format::PageHeader*>(map.store.page(page));
      if (header->birth > sealed.value) young.insert(page);
    }
    YoungPages visitor(sealed);
    walk(map.store.view(), map.tree, visitor);
    ASSERT_EQ(visitor.found, young);
  }
}

TEST_P(MultimapOfPages, MovesTowardsTheBeginningOfTheFile) {
  Fixture map{GetParam()};
  TreeRoot filler;
  const auto filling = [&](std::uint64_t i) {
    map.store.put(filler, big_endian(i), pattern(GetParam() / 5, i));
  };
  for (std::uint64_t i = 0; i < 300; ++i) filling(i);
  for (std::uint64_t i = 0; i < 9'000; ++i) map.insert(big_endian(i % 3), pattern(30, i));
  clear(map.store.space(), filler);
  map.commit();
  map.store.sweep();
  const std::set<std::uint32_t> pages = map.store.check(map.tree, pair_count(map.model)).pages;
  const PageId limit{(*pages.begin() + *pages.rbegin()) / 2};
  EXPECT_TRUE(move_below(map.store.space(), map.tree, limit));
  map.finger.forget();
  map.expect_whole();
  EXPECT_LT(*map.store.check(map.tree, pair_count(map.model)).pages.rbegin(), *pages.rbegin());
  map.store.expect_no_leak(map.tree, pair_count(map.model));
}

}  // namespace
}  // namespace quire::btree
