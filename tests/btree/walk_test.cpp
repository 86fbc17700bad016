#include "btree/walk.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "btree/tree_store.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::PagePtr;
using format::TreeRoot;
using test::big_endian;
using test::TreeStore;

struct Counting final : Visitor {
  bool enter(PagePtr pointer, std::uint32_t) override { return pointer.birth_low >= oldest; }
  bool page(PageId, const std::byte* bytes, std::uint32_t level) override {
    if (level == 0) {
      const format::LeafView leaf(bytes, 4096);
      EXPECT_GT(std::string(leaf.key(0)), last_key);
      last_key = leaf.key(leaf.count() - 1);
      entries += leaf.count();
    }
    levels.push_back(level);
    return level >= lowest;
  }
  void extent(const format::ExtentRef&, std::string_view key) override {
    extent_keys.emplace_back(key);
  }

  std::uint32_t oldest = 0;
  std::uint32_t lowest = 0;
  std::vector<std::uint32_t> levels;
  std::vector<std::string> extent_keys;
  std::string last_key;
  std::uint64_t entries = 0;
};

struct Sample {
  Sample() : store(4096, 5000) {
    for (std::uint64_t i = 0; i < 4000; ++i) {
      store.put(tree, "stem" + big_endian(i * 7919 % 4000), std::string(100, 'v'));
    }
    store.put(tree, "large", std::string(4000, 'v'));
    store.put(tree, "very large", std::string(40000, 'v'));
    store.commit();
  }
  TreeStore store;
  TreeRoot tree;
};

TEST(Walk, SeesEveryPageParentsFirst) {
  Sample sample;
  Counting counting;
  walk(sample.store.view(), sample.tree, counting);
  EXPECT_EQ(counting.levels.size(), sample.tree.leaf_pages + sample.tree.branch_pages);
  EXPECT_EQ(counting.entries, sample.tree.entry_count);
  EXPECT_EQ(counting.extent_keys, (std::vector<std::string>{"large", "very large"}));
  EXPECT_EQ(counting.levels[0], sample.tree.height - 1u);
  for (std::size_t i = 1; i < counting.levels.size(); ++i) {
    EXPECT_GE(counting.levels[i] + 1, counting.levels[i - 1]);
  }
}

TEST(Walk, LeavesOutWhatIsOld) {
  Sample sample;
  const auto newest = static_cast<std::uint32_t>(sample.store.txn().value);
  sample.store.put(sample.tree, "stem" + big_endian(2000), "new");
  Counting counting;
  counting.oldest = newest;
  walk(sample.store.view(), sample.tree, counting);
  EXPECT_EQ(counting.levels.size(), sample.tree.height);
}

TEST(Walk, StaysAboveWhereItIsToldTo) {
  Sample sample;
  Counting counting;
  counting.lowest = 2;
  walk(sample.store.view(), sample.tree, counting);
  EXPECT_EQ(counting.levels.size(), sample.tree.branch_pages);
  EXPECT_TRUE(counting.extent_keys.empty());
}

TEST(Walk, OfAnEmptyTreeSeesNothing) {
  Sample sample;
  Counting counting;
  walk(sample.store.view(), TreeRoot{}, counting);
  EXPECT_TRUE(counting.levels.empty());
}

}  // namespace
}  // namespace quire::btree
