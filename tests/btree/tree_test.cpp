#include "btree/tree.h"

#include <quire/error.h>

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "btree/cursor.h"
#include "btree/tree_store.h"
#include "format/branch.h"
#include "format/leaf.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::PagePtr;
using format::TreeRoot;
using test::big_endian;
using test::Model;
using test::NastyKeys;
using test::Random;
using test::TreeStore;

std::string numbered(std::uint64_t number) { return "entry " + big_endian(number); }

class TreeModel : public ::testing::TestWithParam<std::uint32_t> {};

// One random change to tree and model; the tree takes no more pages than it said.
void change(TreeStore& store, TreeRoot& tree, Model& model, Random& random,
            const std::string& key) {
  const std::uint32_t page_bytes = store.view().page_bytes;
  const std::uint64_t value_max = random.one_in(20)  ? page_bytes * 3
                                  : random.one_in(8) ? page_bytes / 4
                                                     : 40;
  const std::string value = test::pattern(random.below(value_max + 1), random.next());
  const std::uint64_t room = store.space().free_pages();
  const std::uint64_t extent_pages =
      format::is_inline(key.size(), value.size(), page_bytes) ? 0 : value.size() / page_bytes + 1;
  const std::uint64_t needed = pages_needed(tree) + extent_pages;
  const bool known = model.contains(key);
  switch (random.below(6)) {
    case 0:
    case 1:
      ASSERT_EQ(store.erase(tree, key), known);
      model.erase(key);
      break;
    case 2:
      ASSERT_EQ(store.put(tree, key, value, PutMode::insert_only), !known);
      model.emplace(key, value);
      break;
    default:
      ASSERT_EQ(store.put(tree, key, value), !known);
      model[key] = value;
  }
  ASSERT_GE(store.space().free_pages() + needed, room);
  const auto found = get(store.view(), tree, key);
  ASSERT_EQ(found.has_value(), model.contains(key));
  if (found) {
    ASSERT_EQ(*found, model[key]);
  }
}

// Changes in the order of keys, from `key` on: neighbours, and keys that follow each other.
void change_in_order(TreeStore& store, TreeRoot& tree, Model& model, Random& random,
                     std::string key) {
  const bool appends = random.one_in(2);
  for (std::uint64_t i = random.below(200); i > 0; --i) {
    change(store, tree, model, random, key);
    if (::testing::Test::HasFailure()) return;
    const auto next = model.upper_bound(key);
    if (appends) {
      key = key.substr(0, 20) + big_endian(500 - i);
    } else if (next == model.end()) {
      return;
    } else {
      key = random.one_in(2) ? next->first : next->first + '\0';
    }
    if (key.size() > format::key_bytes_max(store.view().page_bytes)) return;
  }
}

TEST_P(TreeModel, BehavesLikeAMap) {
  const std::uint32_t page_bytes = GetParam();
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Random random{seed * page_bytes};
    NastyKeys keys{random, seed % 2 == 0 ? 50 : format::key_bytes_max(page_bytes)};
    TreeStore store{page_bytes, 40000};
    TreeRoot tree;
    Model model;
    for (int step = 0; step < 4000; ++step) {
      change(store, tree, model, random, keys.next());
      if (random.one_in(200)) change_in_order(store, tree, model, random, keys.next());
      const auto absent = keys.next();
      ASSERT_EQ(get(store.view(), tree, absent).has_value(), model.contains(absent));
      if (random.one_in(60)) store.commit();
      if (random.one_in(250)) store.sweep();
      if (random.one_in(500)) {
        store.expect_sound(tree);
        store.expect_equal(tree, model);
      }
      if (HasFailure()) return;
    }
    store.expect_sound(tree);
    store.expect_equal(tree, model);
    store.expect_no_leak(tree);
    if (HasFailure()) return;
  }
}

TEST_P(TreeModel, OldRootsKeepTheirData) {
  const std::uint32_t page_bytes = GetParam();
  Random random{page_bytes};
  NastyKeys keys{random, 300};
  TreeStore store{page_bytes, 40000};
  TreeRoot tree;
  Model model;
  std::vector<std::pair<TreeRoot, Model>> old;
  for (int round = 0; round < 12; ++round) {
    for (int step = 0; step < 150; ++step) {
      change(store, tree, model, random, keys.next());
      if (HasFatalFailure()) return;
    }
    old.emplace_back(tree, model);
    store.commit();
  }
  for (const auto& [root, content] : old) {
    store.expect_equal(root, content);
    store.expect_sound(root);
  }
}

TEST_P(TreeModel, RollingBackBringsTheOldTreeBack) {
  Random random{GetParam()};
  NastyKeys keys{random, 300};
  TreeStore store{GetParam(), 20000};
  TreeRoot tree;
  Model model;
  for (int round = 0; round < 10; ++round) {
    for (int step = 0; step < 100; ++step) change(store, tree, model, random, keys.next());
    store.commit();
    TreeRoot void_tree = tree;
    Model void_model = model;
    for (int step = 0; step < 100; ++step) {
      change(store, void_tree, void_model, random, keys.next());
    }
    store.roll_back();
    store.expect_equal(tree, model);
    store.expect_sound(tree);
    if (HasFailure()) return;
  }
  store.expect_no_leak(tree);
}

TEST_P(TreeModel, ErasingEverythingLeavesNoPage) {
  const std::uint32_t page_bytes = GetParam();
  enum class Order { rising, falling, random };
  for (const Order order : {Order::rising, Order::falling, Order::random}) {
    Random random{page_bytes};
    NastyKeys keys{random, format::key_bytes_max(page_bytes)};
    TreeStore store{page_bytes, 20000};
    TreeRoot tree;
    std::vector<std::string> all;
    for (int i = 0; i < 1500; ++i) {
      const std::string key = keys.next();
      if (store.put(tree, key, std::string(random.below(page_bytes / 2), 'v'))) all.push_back(key);
    }
    std::sort(all.begin(), all.end());
    if (order == Order::falling) std::reverse(all.begin(), all.end());
    for (std::size_t i = all.size(); order == Order::random && i > 1; --i) {
      std::swap(all[i - 1], all[random.below(i)]);
    }
    store.commit();
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_TRUE(store.erase(tree, all[i]));
      if (i % 100 == 0) store.expect_sound(tree);
      if (i % 300 == 0) store.sweep();
    }
    EXPECT_EQ(std::memcmp(&tree, std::make_unique<TreeRoot>().get(), sizeof tree), 0);
    store.expect_no_leak(tree);
    if (HasFailure()) return;
  }
}

TEST_P(TreeModel, ClearingLeavesNoPage) {
  Random random{GetParam()};
  NastyKeys keys{random, format::key_bytes_max(GetParam())};
  TreeStore store{GetParam(), 20000};
  TreeRoot tree;
  Model model;
  for (int i = 0; i < 1500; ++i) {
    change(store, tree, model, random, keys.next());
    if (i == 1000) store.commit();
  }
  clear(store.space(), tree);
  EXPECT_FALSE(tree.root);
  EXPECT_EQ(tree.entry_count + tree.leaf_pages + tree.branch_pages + tree.extent_pages, 0u);
  store.expect_no_leak(tree);
  EXPECT_TRUE(store.put(tree, "again", "there"));
  store.expect_sound(tree);
}

INSTANTIATE_TEST_SUITE_P(PageSizes, TreeModel, ::testing::Values(4096, 8192, 16384, 65536));

TEST(Tree, IsEmptyAtFirst) {
  TreeStore store{4096, 100};
  TreeRoot tree;
  EXPECT_FALSE(get(store.view(), tree, "key").has_value());
  EXPECT_FALSE(store.erase(tree, "key"));
  clear(store.space(), tree);
  store.expect_sound(tree);
  store.expect_equal(tree, {});
}

TEST(Tree, TakesTheEmptyKeyAndTheEmptyValue) {
  TreeStore store{4096, 100};
  TreeRoot tree;
  EXPECT_TRUE(store.put(tree, {}, {}));
  EXPECT_FALSE(store.put(tree, {}, {}));
  EXPECT_TRUE(store.put(tree, std::string(1, '\0'), "zero"));
  EXPECT_EQ(get(store.view(), tree, {}), Bytes{});
  store.expect_equal(tree, {{"", ""}, {std::string(1, '\0'), "zero"}});
  EXPECT_TRUE(store.erase(tree, {}));
  store.expect_sound(tree);
}

TEST(Tree, LeavesEverythingAloneWhenInsertOnlyFindsTheKey) {
  TreeStore store{4096, 1000};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 500; ++i) store.put(tree, numbered(i), "old");
  store.commit();
  const TreeRoot before = tree;
  const std::uint64_t room = store.space().free_pages();
  EXPECT_FALSE(store.put(tree, numbered(77), "new", PutMode::insert_only));
  EXPECT_EQ(tree.root, before.root);
  EXPECT_EQ(store.space().free_pages(), room);
  EXPECT_EQ(get(store.view(), tree, numbered(77)), "old");
  EXPECT_FALSE(store.erase(tree, "absent"));
  EXPECT_EQ(tree.root, before.root);
}

TEST(Tree, CopiesAPageOncePerTransaction) {
  TreeStore store{4096, 1000};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 2000; ++i) store.put(tree, numbered(i), "value");
  store.commit();
  const std::uint64_t room = store.space().free_pages();
  store.put(tree, numbered(1000), "first");
  EXPECT_EQ(store.space().free_pages(), room - tree.height);
  store.put(tree, numbered(1000), "again");
  store.put(tree, numbered(1001), "again");
  EXPECT_EQ(store.space().free_pages(), room - tree.height);
}

TEST(Tree, TakesKeysThatPointIntoItsOwnOlderPages) {
  TreeStore store{4096, 4000};
  TreeRoot tree;
  Model model;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    store.put(tree, numbered(i), "value " + std::to_string(i));
    model[numbered(i)] = "value " + std::to_string(i);
  }
  store.commit();
  const TreeRoot old = tree;
  Cursor cursor(store.view(), old);
  for (cursor.seek_first(); !cursor.at_end(); cursor.next()) {
    ASSERT_TRUE(store.erase(tree, cursor.key()));
    ASSERT_TRUE(store.put(tree, cursor.value(), cursor.key()));
    model[std::string(cursor.value())] = cursor.key();
    model.erase(std::string(cursor.key()));
  }
  store.expect_sound(tree);
  store.expect_equal(tree, model);
}

TEST(Tree, FillsItsPagesWhenKeysRise) {
  TreeStore store{4096, 20000};
  TreeRoot tree;
  constexpr std::uint64_t kCount = 100000;
  for (std::uint64_t i = 0; i < kCount; ++i) store.put(tree, numbered(i), "0123456789abcdef");
  store.expect_sound(tree);
  constexpr std::uint64_t kEntryBytes = 6 + 4 + 14 + 16;
  const std::uint64_t full_leaves = kCount / (format::page_room_bytes(4096) / kEntryBytes);
  EXPECT_LE(tree.leaf_pages, full_leaves + 1);
  EXPECT_LE(tree.branch_pages, tree.leaf_pages / 200);
}

TEST(Tree, MergesPagesWhenMostEntriesGo) {
  TreeStore store{4096, 20000};
  TreeRoot tree;
  Model model;
  for (std::uint64_t i = 0; i < 20000; ++i) store.put(tree, numbered(i), "0123456789abcdef");
  const std::uint64_t full = tree.leaf_pages;
  store.commit();
  for (std::uint64_t i = 0; i < 20000; ++i) {
    if (i % 10 == 3) {
      model[numbered(i)] = "0123456789abcdef";
    } else {
      ASSERT_TRUE(store.erase(tree, numbered(i)));
    }
  }
  store.expect_sound(tree);
  store.expect_equal(tree, model);
  EXPECT_LE(tree.leaf_pages, full / 3);
  EXPECT_EQ(tree.height, 2u);
}

TEST(Tree, MergesBranchesWhenTheyHaveLostMostChildren) {
  TreeStore store{4096, 20000};
  TreeRoot tree;
  Model model;
  const auto key_of = [](std::uint64_t i) { return test::pattern(300, i % 60) + big_endian(i); };
  for (std::uint64_t i = 0; i < 2400; ++i) store.put(tree, key_of(i), "v");
  ASSERT_GE(tree.height, 3u);
  const std::uint64_t full = tree.branch_pages;
  store.commit();
  for (std::uint64_t i = 0; i < 2400; ++i) {
    if (i % 20 == 7) {
      model[key_of(i)] = "v";
    } else {
      ASSERT_TRUE(store.erase(tree, key_of(i)));
    }
  }
  store.expect_sound(tree);
  store.expect_equal(tree, model);
  EXPECT_LE(tree.branch_pages, full / 6) << full;
}

TEST(Tree, MergesWithALeafOfItsOwnTransactionFirst) {
  for (const std::uint64_t written : {1u, 3u}) {
    TreeStore store{4096, 1000};
    TreeRoot tree;
    for (std::uint64_t i = 500; i-- > 0;) {
      store.put(tree, numbered(i), "0123456789abcdef");
      store.sweep();  // its leaves half full: no neighbour is of the same transaction
    }
    const format::BranchView root(store.view().read(tree.root, 1), 4096);
    const auto first_key = [&](std::uint32_t leaf) {
      return std::string(format::LeafView(store.view().read(root.child(leaf), 0), 4096).key(0));
    };
    const std::string keys[] = {first_key(1), first_key(2), first_key(3)};
    const std::uint64_t room = store.space().free_pages();
    store.put(tree, first_key(static_cast<std::uint32_t>(written)), "x");
    const std::uint64_t leaves = tree.leaf_pages;
    Cursor cursor(store.view(), tree);
    while (tree.leaf_pages == leaves) {
      cursor = Cursor(store.view(), tree);
      cursor.seek_lower_bound(keys[1]);
      ASSERT_LT(cursor.key(), keys[2]);
      store.erase(tree, std::string(cursor.key()));
    }
    // Root and two leaves were copied; one of the copies is free again.
    EXPECT_EQ(store.space().free_pages(), room - 2);
    store.expect_sound(tree);
  }
}

TEST(Tree, CutsSeparatorsToWhatSeparates) {
  TreeStore store{4096, 1000};
  TreeRoot tree;
  for (std::uint64_t i = 0; i < 300; ++i) {
    store.put(tree, numbered(i * 7919 % 300) + std::string(100, 'x'), "value");
  }
  ASSERT_EQ(tree.height, 2u);
  const format::BranchView root(store.view().read(tree.root, 1), 4096);
  for (std::uint32_t i = 1; i < root.count(); ++i) {
    const format::LeafView left(store.view().read(root.child(i - 1), 0), 4096);
    const format::LeafView right(store.view().read(root.child(i), 0), 4096);
    EXPECT_EQ(root.separator(i).size(),
              format::common_prefix_bytes(left.key(left.count() - 1), right.key(0)) + 1);
  }
}

// A put that splits every page of its path, in a tree of the greatest height but one, and then in
// one of the greatest height.
TEST(Tree, RefusesToGrowBeyondItsGreatestHeight) {
  for (const bool is_full : {false, true}) {
    TreeStore store{4096, 2000};
    TreeRoot tree;
    const std::string large(1000, 'v');
    for (const char* key : {"a", "b", "c"}) store.put(tree, key, large);
    const PagePtr leaf = tree.root;
    while (tree.height + (is_full ? 0u : 1u) < format::kTreeHeightMax) {
      PagePtr pointer;
      std::byte* page = store.space().create(tree.height, &pointer);
      format::branch_start(page, 4096, tree.root);
      for (std::uint32_t i = 1; format::branch_insert(page, 4096, i, "z" + big_endian(i), leaf);) {
        ++i;
      }
      tree.root = pointer;
      ++tree.height;
    }
    if (is_full) {
      EXPECT_THROW(store.put(tree, "0", large), Error);
    } else {
      EXPECT_TRUE(store.put(tree, "0", large));
      EXPECT_EQ(tree.height, format::kTreeHeightMax);
      EXPECT_EQ(get(store.view(), tree, "0"), large);
    }
  }
}

// Groups of keys that differ only at their end, each group under another long stem: every separator
// is long and none share a prefix, so that branches have two or three children.
TEST(Tree, GrowsDeepAndShrinksAgain) {
  TreeStore store{4096, 60000};
  Random random{5};
  TreeRoot tree;
  Model model;
  std::vector<std::string> stems;
  for (std::uint64_t i = 0; i < 700; ++i) stems.push_back(test::pattern(1880, i));
  for (const std::string& stem : stems) {
    for (const char end : {'a', 'b', 'c'}) {
      store.put(tree, stem + end, "v");
      model[stem + end] = "v";
    }
    if (random.one_in(50)) store.commit();
  }
  EXPECT_GE(tree.height, 7u);
  store.expect_sound(tree);
  store.expect_equal(tree, model);
  while (!model.empty()) {
    auto victim = model.lower_bound(test::pattern(8, random.next()));
    if (victim == model.end()) victim = model.begin();
    ASSERT_TRUE(store.erase(tree, victim->first));
    model.erase(victim);
    if (model.size() % 200 == 0) {
      store.expect_sound(tree);
      store.expect_equal(tree, model);
    }
  }
  store.expect_no_leak(tree);
}

// A separator without the long prefix that all others of a full branch share makes each of them
// longer than a branch can bear.
TEST(Tree, SplitsBranchesThatAnOutlierRobsOfTheirPrefix) {
  for (const char outlier : {'a', 'z'}) {
    TreeStore store{4096, 20000};
    TreeRoot tree;
    Model model;
    const std::string stem(1500, 'm');
    for (std::uint64_t i = 0; i < 2500; ++i) {
      const std::string key = stem + big_endian(i * 7919 % 2500);
      store.put(tree, key, "v");
      model[key] = "v";
    }
    ASSERT_GE(tree.height, 3u);
    for (int i = 0; i < 40; ++i) {
      const std::string key = outlier + std::string(1800, 'x') + std::to_string(i);
      store.put(tree, key, "v");
      model[key] = "v";
      if (i % 8 == 0) store.expect_sound(tree);
    }
    store.expect_equal(tree, model);
    for (const auto& [key, value] : model) ASSERT_TRUE(store.erase(tree, key));
    store.expect_no_leak(tree);
  }
}

TEST(Tree, FreesTheExtentsOfReplacedAndErasedValues) {
  TreeStore store{4096, 1000};
  TreeRoot tree;
  const std::string large(10000, 'x');
  store.put(tree, "a", large);
  store.put(tree, "b", large);
  EXPECT_EQ(tree.extent_pages, 6u);
  EXPECT_EQ(get(store.view(), tree, "b"), large);
  store.put(tree, "a", "small");
  EXPECT_EQ(tree.extent_pages, 3u);
  store.put(tree, "b", std::string(5000, 'y'));
  EXPECT_EQ(tree.extent_pages, 2u);
  store.expect_sound(tree);
  store.expect_no_leak(tree);
  store.erase(tree, "b");
  EXPECT_EQ(tree.extent_pages, 0u);
  store.expect_no_leak(tree);
}

}  // namespace
}  // namespace quire::btree
