// Many keys at once: whatever the keys and the tree, what `get` gives for each of them.
#include <quire/error.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "btree/damaged_tree.h"
#include "btree/tree.h"
#include "btree/tree_store.h"
#include "format/leaf.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::TreeRoot;
using test::big_endian;
using test::Damaged;
using test::grouped;
using test::kPageBytes;
using test::Model;
using test::NastyKeys;
using test::Random;
using test::TreeStore;

std::vector<std::optional<Bytes>> get_all(const TreeStore& store, const TreeRoot& tree,
                                          const std::vector<std::string>& keys) {
  const std::vector<Bytes> views(keys.begin(), keys.end());
  std::vector<std::optional<Bytes>> values(keys.size(), "not looked up");
  get_many(store.view(), tree, views, values);
  return values;
}

void expect_as_model(const TreeStore& store, const TreeRoot& tree, const Model& model,
                     const std::vector<std::string>& keys) {
  const auto values = get_all(store, tree, keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto known = model.find(keys[i]);
    ASSERT_EQ(values[i].has_value(), known != model.end()) << "key " << i << " of " << keys.size();
    if (values[i]) {
      ASSERT_TRUE(*values[i] == known->second) << "key " << i << " of " << keys.size();
    }
  }
}

class GetMany : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(GetMany, GivesWhatGetGives) {
  const std::uint32_t page_bytes = GetParam();
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Random random{seed * page_bytes};
    NastyKeys keys{random, seed % 2 == 0 ? 50 : format::key_bytes_max(page_bytes)};
    TreeStore store{page_bytes, 40000};
    TreeRoot tree;
    Model model;
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < 30; ++i) {
        const std::string key = keys.next();
        if (random.one_in(4)) {
          store.erase(tree, key);
          model.erase(key);
        } else {
          const std::uint64_t value_max = random.one_in(20) ? page_bytes * 3 : 40;
          model[key] = test::pattern(random.below(value_max + 1), random.next());
          store.put(tree, key, model[key]);
        }
      }
      if (random.one_in(10)) store.commit();
      std::vector<std::string> asked;
      for (std::uint64_t left = random.below(70); left > 0; --left) {
        asked.push_back(asked.empty() || !random.one_in(5) ? keys.next()
                                                           : asked[random.below(asked.size())]);
      }
      expect_as_model(store, tree, model, asked);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PageSizes, GetMany, ::testing::Values(4096u, 16384u, 65536u));

TEST(GetManyKeys, OfAnEmptyTreeAreAbsent) {
  const TreeStore store{kPageBytes, 100};
  for (const std::size_t count : {0u, 1u, 12u, 13u, 100u}) {
    const auto values = get_all(store, TreeRoot{}, std::vector<std::string>(count, "key"));
    EXPECT_EQ(std::count(values.begin(), values.end(), std::nullopt), count);
  }
}

TEST(GetManyKeys, AreFoundInDeepTrees) {
  TreeStore store{kPageBytes, 40000};
  TreeRoot tree;
  Model model;
  std::vector<std::string> asked;
  // Neighbours differ in their last byte only, so separators are as long as keys.
  for (std::uint64_t i = 0; i < 800; ++i) {
    const std::string key = test::pattern(1500, i / 4) + static_cast<char>('a' + i % 4);
    model[key] = big_endian(i);
    store.put(tree, key, model[key]);
    asked.push_back(key);
    asked.push_back(key + "x");
  }
  ASSERT_GE(tree.height, 5);
  expect_as_model(store, tree, model, asked);
}

TEST(GetManyKeys, LeaveValuesBeyondThemAlone) {
  TreeStore store{kPageBytes, 100};
  TreeRoot tree;
  store.put(tree, "a", "1");
  const std::vector<Bytes> keys(3, "a");
  std::vector<std::optional<Bytes>> values(5, "untouched");
  get_many(store.view(), tree, keys, values);
  EXPECT_EQ(values, (std::vector<std::optional<Bytes>>{"1", "1", "1", "untouched", "untouched"}));
}

TEST(GetManyKeys, MeetADamagedPageAsGetDoes) {
  test::DamageSample sample;
  std::vector<std::string> keys;
  for (const auto& [key, value] : sample.model) keys.push_back(key);
  for (const std::uint32_t level : {0u, 1u, 2u}) {
    const std::uint32_t page = sample.pages_of(level).back();
    const Damaged damaged(sample.store, page, offsetof(format::PageHeader, birth), "?");
    try {
      get_all(sample.store, sample.tree, keys);
      ADD_FAILURE() << "nobody came by page " << page;
    } catch (const Error& error) {
      EXPECT_TRUE(test::is_corrupt(error));
      EXPECT_NE(std::string(error.what()).find("page " + std::to_string(page)), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace quire::btree
