#include "btree/cursor.h"

#include <string>

#include <gtest/gtest.h>

#include "btree/tree_store.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::TreeRoot;
using test::Model;
using test::NastyKeys;
using test::Random;
using test::TreeStore;

struct Sample {
  Sample(std::uint32_t page_bytes, int entries, std::uint64_t seed)
      : store(page_bytes, 20000), random(seed), keys(random, format::key_bytes_max(page_bytes)) {
    for (int i = 0; i < entries; ++i) {
      const std::string key = keys.next();
      const std::string value(random.below(random.one_in(30) ? page_bytes * 2 : 30), 'v');
      store.put(tree, key, value);
      model[key] = value;
    }
    for (int i = 0; i < entries / 3; ++i) {
      const std::string key = keys.next();
      store.erase(tree, key);
      model.erase(key);
    }
  }

  TreeStore store;
  TreeRoot tree;
  Model model;
  Random random;
  NastyKeys keys;
};

void expect_at(const Cursor& cursor, const Model& model, Model::const_iterator place) {
  ASSERT_EQ(cursor.at_end(), place == model.end());
  if (place == model.end()) return;
  ASSERT_EQ(cursor.key(), place->first);
  ASSERT_EQ(cursor.value(), place->second);
}

class CursorModel : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(CursorModel, SeeksAsAMapDoes) {
  Sample sample{GetParam(), 3000, 1};
  Cursor cursor(sample.store.view(), sample.tree);
  for (int i = 0; i < 3000; ++i) {
    const std::string key = sample.keys.next();
    cursor.seek_lower_bound(key);
    expect_at(cursor, sample.model, sample.model.lower_bound(key));
    cursor.seek_upper_bound(key);
    expect_at(cursor, sample.model, sample.model.upper_bound(key));
    ASSERT_EQ(cursor.seek_exact(key), sample.model.contains(key));
    expect_at(cursor, sample.model, sample.model.find(key));
    if (HasFatalFailure()) return;
  }
}

TEST_P(CursorModel, WandersAsAnIteratorDoes) {
  Sample sample{GetParam(), 3000, 2};
  Cursor cursor(sample.store.view(), sample.tree);
  auto place = sample.model.cend();
  for (int i = 0; i < 300; ++i) {
    const std::string key = sample.keys.next();
    if (sample.random.one_in(2)) {
      cursor.seek_lower_bound(key);
      place = sample.model.lower_bound(key);
    }
    const bool forwards = sample.random.one_in(2);
    for (std::uint64_t steps = sample.random.below(200); steps > 0; --steps) {
      if (sample.random.one_in(10) == forwards) {
        if (place != sample.model.end()) {
          cursor.next();
          ++place;
        }
      } else {
        ASSERT_EQ(cursor.previous(), place != sample.model.begin());
        if (place != sample.model.begin()) --place;
      }
      expect_at(cursor, sample.model, place);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(CursorModel, GoesToBothEnds) {
  Sample sample{GetParam(), 2000, 3};
  Cursor cursor(sample.store.view(), sample.tree);
  EXPECT_TRUE(cursor.at_end());
  cursor.seek_first();
  expect_at(cursor, sample.model, sample.model.begin());
  EXPECT_FALSE(cursor.previous());
  expect_at(cursor, sample.model, sample.model.begin());
  cursor.seek_last();
  expect_at(cursor, sample.model, std::prev(sample.model.end()));
  cursor.next();
  EXPECT_TRUE(cursor.at_end());
  EXPECT_TRUE(cursor.previous());
  expect_at(cursor, sample.model, std::prev(sample.model.end()));
  cursor.seek_end();
  EXPECT_TRUE(cursor.at_end());
}

INSTANTIATE_TEST_SUITE_P(PageSizes, CursorModel, ::testing::Values(4096, 65536));

TEST(Cursor, StandsAtTheEndOfAnEmptyTree) {
  TreeStore store{4096, 100};
  Cursor cursor(store.view(), TreeRoot{});
  cursor.seek_first();
  EXPECT_TRUE(cursor.at_end());
  cursor.seek_last();
  EXPECT_TRUE(cursor.at_end());
  cursor.seek_lower_bound("key");
  EXPECT_TRUE(cursor.at_end());
  EXPECT_FALSE(cursor.seek_exact("key"));
  EXPECT_FALSE(cursor.previous());
  EXPECT_TRUE(cursor.same_place(Cursor{}));
}

TEST(Cursor, GoesItsOwnWayWhenCopied) {
  Sample sample{4096, 500, 4};
  Cursor cursor(sample.store.view(), sample.tree);
  cursor.seek_lower_bound("key 2");
  Cursor copy = cursor;
  EXPECT_TRUE(copy.same_place(cursor));
  copy.next();
  EXPECT_FALSE(copy.same_place(cursor));
  copy.previous();
  EXPECT_TRUE(copy.same_place(cursor));
  copy.seek_end();
  EXPECT_FALSE(copy.same_place(cursor));
  cursor.seek_end();
  EXPECT_TRUE(copy.same_place(cursor));
}

TEST(Cursor, TellsWhichValuesLiveInExtents) {
  TreeStore store{4096, 100};
  TreeRoot tree;
  store.put(tree, "large", std::string(5000, 'x'));
  store.put(tree, "small", "y");
  Cursor cursor(store.view(), tree);
  cursor.seek_first();
  ASSERT_TRUE(cursor.value_extent().has_value());
  EXPECT_EQ(cursor.value_extent()->size_bytes, 5000u);
  EXPECT_EQ(cursor.value(), std::string(5000, 'x'));
  cursor.next();
  EXPECT_FALSE(cursor.value_extent().has_value());
}

}  // namespace
}  // namespace quire::btree
