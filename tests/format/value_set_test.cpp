#include "format/value_set.h"

#include <cstring>
#include <iterator>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "format/arrays.h"
#include "format/damage.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::format {
namespace {

using test::NastyKeys;
using test::Random;

alignas(64) const std::byte kPage[kPageBytesMin] = {};

std::string made_of(const std::set<std::string>& values) {
  std::byte buffer[kPageBytesMax];
  ValueSetWriter writer(buffer, static_cast<std::uint32_t>(values.size()));
  for (const std::string& value : values) writer.append(value);
  return std::string(writer.bytes());
}

void expect_equal(const std::string& bytes, const std::set<std::string>& values) {
  const ValueSet set(kPage, bytes);
  set.judge();
  ASSERT_EQ(set.count(), values.size());
  std::uint32_t index = 0;
  for (const std::string& value : values) ASSERT_EQ(set.value(index++), value);
}

TEST(ValueSet, BehavesLikeASet) {
  Random random{11};
  NastyKeys values{random, 60};
  std::set<std::string> model{"first"};
  std::string bytes = made_of(model);
  std::byte buffer[kPageBytesMax];
  for (int step = 0; step < 20'000; ++step) {
    const std::string value = values.next();
    const ValueSet set(kPage, bytes);
    const ValueSet::Position at = set.lower_bound(value);
    ASSERT_EQ(at.found, model.contains(value));
    ASSERT_EQ(at.index, std::distance(model.begin(), model.lower_bound(value)));
    if (!at.found && model.size() < 200) {
      ASSERT_EQ(set_with(set, at.index, value, buffer).size(), set.bytes_with(value));
      bytes = set_with(set, at.index, value, buffer);
      model.insert(value);
    } else if (model.size() > 1 && at.index < set.count()) {
      model.erase(std::next(model.begin(), at.index));
      bytes = set_without(set, at.index, buffer);
    }
    if (step % 100 == 0) expect_equal(bytes, model);
  }
}

TEST(ValueSet, StandsAsTheFormatSays) {
  EXPECT_EQ(made_of({"b", "", "abc"}), std::string("\3\0\0\0\3\0\4\0", 8) + "abcb");
}

TEST(ValueSet, WhoseBytesContradictEachOtherIsRefused) {
  const std::string good = made_of({"a", "bc", "def"});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(ValueSet(kPage, good.substr(0, size)).judge(), Damage) << size;
  }
  EXPECT_THROW(ValueSet(kPage, good + "g").judge(), Damage);
  for (const std::size_t at : {0u, 1u, 6u, 7u}) {  // the count, the last end
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1 << bit);
      EXPECT_THROW(ValueSet(kPage, bad).judge(), Damage) << at << " bit " << bit;
    }
  }
  EXPECT_THROW(ValueSet(kPage, std::string("\2\0\1\0\2\0bb", 8)).judge(), Damage);
}

TEST(ValueSet, FindsNothingOutsideOfDamagedBytes) {
  Random random{12};
  const std::string good = made_of({"a", "bc", "def", "ghij"});
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = good;
    for (int i = 0; i < 2; ++i) bad[random.below(bad.size())] = static_cast<char>(random.next());
    try {
      const ValueSet set(kPage, bad);
      for (std::uint32_t i = 0; i < set.count(); ++i) {
        const std::string_view value = set.value(i);
        ASSERT_GE(value.data(), bad.data());
        ASSERT_LE(value.data() + value.size(), bad.data() + bad.size());
      }
      static_cast<void>(set.lower_bound("def"));
    } catch (const Damage&) {
    }
  }
}

TEST(SubTree, StandsAsTheFormatSays) {
  TreeRoot tree;
  tree.root = {0x01020304, 0x05060708};
  tree.entry_count = 0x1112131415161718;
  tree.branch_pages = 0x21222324;
  tree.leaf_pages = 0x31323334;
  tree.height = 5;
  std::byte bytes[kSubTreeBytes];
  encode_sub_tree(tree, bytes);
  const std::string_view stored = view_of(bytes, sizeof bytes);
  EXPECT_EQ(stored, std::string_view("\x04\3\2\1\x08\7\6\5\x18\x17\x16\x15\x14\x13\x12\x11"
                                     "\x24\x23\x22\x21\x34\x33\x32\x31\5\0\0\0",
                                     kSubTreeBytes));
  const auto read = decode_sub_tree(stored);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(std::memcmp(&*read, &tree, sizeof tree), 0);
}

TEST(SubTree, WithoutRootEntriesOrHeightIsRefused) {
  TreeRoot tree;
  tree.root = {7, 8};
  tree.entry_count = tree.leaf_pages = tree.height = 1;
  std::byte bytes[kSubTreeBytes];
  encode_sub_tree(tree, bytes);
  const std::string good(view_of(bytes, sizeof bytes));
  ASSERT_TRUE(decode_sub_tree(good).has_value());
  EXPECT_FALSE(decode_sub_tree(good + '\0').has_value());
  for (const auto& [at, value] : {std::pair{0, 0}, {8, 0}, {24, 0}, {24, 21}, {25, 1}, {27, 1}}) {
    std::string bad = good;
    bad[static_cast<std::size_t>(at)] = static_cast<char>(value);
    EXPECT_FALSE(decode_sub_tree(bad).has_value()) << at;
  }
}

TEST(SubTree, StandsBesideTheLongestKey) {
  for (std::uint32_t page = kPageBytesMin; page <= kPageBytesMax; page *= 2) {
    EXPECT_GE(set_bytes_max(key_bytes_max(page), page), kSubTreeBytes);
    EXPECT_TRUE(is_inline(key_bytes_max(page), kSubTreeBytes, page));
    EXPECT_FALSE(is_inline(5, set_bytes_max(5, page) + 1, page));
    EXPECT_TRUE(is_inline(5, set_bytes_max(5, page), page));
  }
}

}  // namespace
}  // namespace quire::format
