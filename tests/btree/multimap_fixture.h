// A multimap in pages, changed beside what it should hold.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "btree/erase_range.h"
#include "btree/multimap.h"
#include "btree/pair_cursor.h"
#include "btree/tree_store.h"

namespace quire::test {

using Pairs = std::map<std::string, std::set<std::string>>;

inline std::uint64_t pair_count(const Pairs& pairs) {
  std::uint64_t count = 0;
  for (const auto& [key, values] : pairs) count += values.size();
  return count;
}

// A multimap and what it should hold.
struct MultimapFixture {
  explicit MultimapFixture(std::uint32_t page_bytes) : store(page_bytes, 40000) {}

  void insert(const std::string& key, const std::string& value) {
    btree::KeyValues values(store.space(), tree, finger, key);
    const bool is_new = model[key].insert(value).second;
    ASSERT_EQ(values.locate(value), !is_new);
    if (!is_new) return;
    const std::uint64_t room = store.space().free_pages();
    const std::uint32_t needed = values.pages_needed();
    values.insert(value);
    ASSERT_GE(store.space().free_pages() + needed, room);
  }

  void erase(const std::string& key, const std::string& value) {
    btree::KeyValues values(store.space(), tree, finger, key);
    const auto at = model.find(key);
    const bool is_there = at != model.end() && at->second.erase(value) == 1;
    ASSERT_EQ(values.locate(value), is_there);
    if (!is_there) return;
    if (at->second.empty()) model.erase(at);
    const std::uint64_t room = store.space().free_pages();
    const std::uint32_t needed = values.pages_needed();
    values.erase();
    ASSERT_GE(store.space().free_pages() + needed, room);
  }

  void erase_all(const std::string& key) {
    btree::KeyValues values(store.space(), tree, finger, key);
    const auto at = model.find(key);
    ASSERT_EQ(values.count(), at == model.end() ? 0 : at->second.size());
    if (at == model.end()) return;
    values.erase_all();
    model.erase(at);
  }

  void erase_keys(const std::string& first, const std::optional<std::string>& limit) {
    finger.forget();
    const auto from = model.lower_bound(first);
    auto to = limit ? model.lower_bound(*limit) : model.end();
    if (limit && *limit < first) to = from;
    const std::uint64_t pairs = pair_count({from, to});
    const std::uint64_t room = store.space().free_pages();
    const std::uint32_t needed = btree::pages_needed_for_range(tree);
    ASSERT_EQ(btree::erase_keys(store.space(), tree, first, limit), pairs);
    ASSERT_GE(store.space().free_pages() + needed, room);
    model.erase(from, to);
  }

  void commit() {
    store.commit();
    finger.forget();
  }

  void expect_equal() { expect_equal(tree, model); }

  // Forwards and backwards.
  void expect_equal(const format::TreeRoot& root, const Pairs& pairs) const {
    ASSERT_EQ(root.entry_count, pairs.size());
    btree::PairCursor cursor(store.view(), root);
    cursor.seek_first();
    for (const auto& [key, values] : pairs) {
      for (const std::string& value : values) {
        ASSERT_FALSE(cursor.at_end());
        ASSERT_EQ(cursor.key(), key);
        ASSERT_EQ(cursor.value(), value);
        ASSERT_EQ(cursor.value_count(), values.size());
        cursor.next();
      }
    }
    ASSERT_TRUE(cursor.at_end());
    for (auto key = pairs.rbegin(); key != pairs.rend(); ++key) {
      for (auto value = key->second.rbegin(); value != key->second.rend(); ++value) {
        ASSERT_TRUE(cursor.previous());
        ASSERT_EQ(cursor.key(), key->first);
        ASSERT_EQ(cursor.value(), *value);
      }
    }
    ASSERT_FALSE(cursor.previous());
  }

  void expect_whole() {
    store.expect_sound(tree, pair_count(model));
    expect_equal();
  }

  TreeStore store;
  format::TreeRoot tree;
  btree::PairFinger finger;
  Pairs model;
};

}  // namespace quire::test
