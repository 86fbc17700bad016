// That quick answers are right is tested with the views (leaf_test.cpp, branch_test.cpp); here,
// that ordinary pages get them.
#include "format/quick.h"

#include <bit>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "format/page_buffer.h"
#include "support/random.h"

namespace quire::format {
namespace {

using test::PageBuffer;
using test::Random;

// As many keys of that size, in order, whose heads all differ.
std::vector<std::string> random_keys(Random& random, std::size_t count, std::size_t key_bytes,
                                     const std::string& prefix) {
  std::set<std::string> keys;
  std::set<std::string> heads;
  while (keys.size() < count) {
    std::string key = prefix;
    while (key.size() < key_bytes) key += static_cast<char>(random.below(256));
    if (heads.insert(key.substr(0, prefix.size() + 4)).second) keys.insert(std::move(key));
  }
  return {keys.begin(), keys.end()};
}

TEST(QuickFind, AnswersForLeavesOfShortKeys) {
  Random random{test::choose_seed("AnswersForLeavesOfShortKeys")};
  for (const std::size_t count : {16u, 17u, 31u, 32u}) {
    for (const std::size_t key_bytes : {8u, 12u, 16u}) {
      const auto keys = random_keys(random, count, key_bytes, "pre");
      PageBuffer page{4096};
      leaf_start(page.get(), page.size(), {keys[0], keys[0], false});
      for (std::uint32_t i = 1; i < keys.size(); ++i) {
        leaf_insert(page.get(), page.size(), i, {keys[i], keys[i], false});
      }
      for (const std::string& key : keys) {
        std::string_view value;
        ASSERT_EQ(quick_find(page.get(), page.size(), SearchKey(key), value), QuickFind::found);
        ASSERT_EQ(value, key);
        std::string other = key;
        other[4] = static_cast<char>(other[4] + 1);
        if (count > 1 &&
            quick_find(page.get(), page.size(), SearchKey(other), value) != QuickFind::absent) {
          ASSERT_EQ(LeafView(page.get(), page.size()).find(other).has_value(), false);
        }
      }
    }
  }
}

TEST(QuickFind, LeavesValuesInExtentsToTheView) {
  const ExtentRef extent{.size_bytes = 5000, .first_page = 99, .page_count = 2};
  for (const std::uint32_t page_bytes : {4096u, 65536u}) {
    PageBuffer page{page_bytes};
    leaf_start(page.get(), page_bytes, {"key12345", extent_bytes(extent), true});
    std::string_view value;
    EXPECT_EQ(quick_find(page.get(), page_bytes, SearchKey("key12345"), value), QuickFind::unknown);
  }
}

TEST(QuickChild, AnswersForBranchesOfShortSeparators) {
  Random random{test::choose_seed("AnswersForBranchesOfShortSeparators")};
  for (const std::size_t count : {16u, 17u, 100u, 200u, 272u}) {
    for (const char* prefix : {"", "p", "pref"}) {
      const auto keys = random_keys(random, count, 16, prefix);
      PageBuffer page{4096};
      branch_start(page.get(), page.size(), {1, 1});
      std::uint32_t index = 0;
      for (const std::string& key : keys) {
        ++index;
        const std::string separator = key.substr(0, std::string(prefix).size() + 4);
        if (!branch_insert(page.get(), page.size(), index, separator, {index + 1, 1})) break;
      }
      const BranchView branch(page.get(), page.size());
      std::uint32_t answered = 0;
      for (const std::string& key : keys) {
        std::string other = key;  // has the head of no separator, mostly
        other[std::string(prefix).size() + 3] ^= 1;
        const std::uint64_t child = quick_child(page.get(), page.size(), SearchKey(other));
        if (child == 0) continue;
        ++answered;
        ASSERT_EQ(std::bit_cast<PagePtr>(child), branch.child(branch.search(other)));
      }
      EXPECT_GE(answered * 10, keys.size() * 9) << count << " children behind '" << prefix << "'";
    }
  }
}

TEST(QuickFind, LeavesRecordsThatExceedThePageToTheView) {
  Random random{test::choose_seed("LeavesRecordsThatExceedThePageToTheView")};
  const auto keys = random_keys(random, 20, 16, "");
  PageBuffer page{4096};
  leaf_start(page.get(), page.size(), {keys[0], "v", false});
  for (std::uint32_t i = 1; i < keys.size(); ++i) {
    leaf_insert(page.get(), page.size(), i, {keys[i], "v", false});
  }
  const std::uint32_t offset = LeafView(page.get(), page.size()).record_offset(3);
  store_le(page.get() + offset + 2, std::uint16_t{0x7fff});
  std::string_view value;
  EXPECT_EQ(quick_find(page.get(), page.size(), SearchKey(keys[3]), value), QuickFind::unknown);
}

TEST(QuickChild, LeavesArraysThatExceedThePageToTheView) {
  Random random{test::choose_seed("LeavesArraysThatExceedThePageToTheView")};
  const auto keys = random_keys(random, 100, 16, "");
  PageBuffer page{4096};
  branch_start(page.get(), page.size(), {1, 1});
  std::uint32_t index = 0;
  for (const std::string& key : keys) {
    ++index;
    branch_insert(page.get(), page.size(), index, key.substr(0, 4), {index + 1, 1});
  }
  store_le(page.get() + offsetof(PageHeader, entry_count), std::uint16_t{60000});
  for (const std::string& key : keys) {
    EXPECT_EQ(quick_child(page.get(), page.size(), SearchKey(key.substr(0, 3) + "\x01zzzzz")), 0u);
  }
}

}  // namespace
}  // namespace quire::format
