// How full pages are, by the order in which keys come.
#include <string>

#include <gtest/gtest.h>

#include "btree/tree.h"
#include "btree/tree_store.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::TreeRoot;
using test::big_endian;
using test::Model;
using test::Random;
using test::TreeStore;

std::string numbered(std::uint64_t number) { return "entry " + big_endian(number); }

// Long runs of rising keys between keys that are there already, and from many places in turns.
TEST(Fill, FillsItsPagesWhenRunsOfKeysRiseBetweenOthers) {
  TreeStore store{4096, 20000};
  TreeRoot tree;
  Model model;
  const auto put = [&](const std::string& key) {
    store.put(tree, key, "0123456789abcdef");
    model[key] = "0123456789abcdef";
  };
  constexpr std::uint64_t kRunCount = 20;
  constexpr std::uint64_t kRunEntries = 2000;
  const auto key_of = [&](std::uint64_t run, std::uint64_t i) {
    return numbered(run * 7919 % kRunCount) + big_endian(i);
  };
  for (std::uint64_t run = 0; run < kRunCount; ++run) put(key_of(run, 0));
  for (std::uint64_t run = 0; run < kRunCount; ++run) {
    for (std::uint64_t i = 1; i < kRunEntries; ++i) put(key_of(run, i));
  }
  store.expect_sound(tree);
  store.expect_equal(tree, model);
  constexpr std::uint64_t kEntryBytes = 6 + 4 + 22 + 16;
  const std::uint64_t full_leaves =
      kRunCount * kRunEntries / (format::page_room_bytes(4096) / kEntryBytes);
  EXPECT_LE(tree.leaf_pages, full_leaves + 4 * kRunCount);
}

TEST(Fill, FillsItsPagesFiveSixthsWhenManyKeysComeAtRandom) {
  TreeStore store{4096, 20000};
  Random random{7};
  TreeRoot tree;
  constexpr std::uint64_t kCount = 60000;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    store.put(tree, big_endian(random.next()), "0123456789abcdef");
  }
  store.expect_sound(tree);
  constexpr std::uint64_t kEntryBytes = 6 + 4 + 8 + 16;
  const std::uint64_t full_leaves = tree.entry_count * kEntryBytes / format::page_room_bytes(4096);
  EXPECT_LE(tree.leaf_pages * 81 / 100, full_leaves);
}

TEST(Fill, KeepsItsPagesHalfFullWhenKeysFall) {
  TreeStore store{4096, 20000};
  TreeRoot tree;
  constexpr std::uint64_t kCount = 50000;
  for (std::uint64_t i = kCount; i-- > 0;) store.put(tree, numbered(i), "0123456789abcdef");
  store.expect_sound(tree);
  constexpr std::uint64_t kEntryBytes = 6 + 4 + 14 + 16;
  EXPECT_LE(tree.leaf_pages, 2 * (kCount * kEntryBytes / format::page_room_bytes(4096)) + 2);
}

}  // namespace
}  // namespace quire::btree
