#include "format/branch.h"

#include <bit>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "format/nasty_keys.h"
#include "format/page_buffer.h"
#include "format/quick.h"
#include "support/random.h"

namespace quire::format {
namespace {

using test::NastyKeys;
using test::PageBuffer;
using test::Random;

// Separator to child; child 0 apart.
struct Model {
  PagePtr first;
  std::map<std::string, PagePtr> others;
};

std::string text(const Separator& separator) {
  std::string all(separator.size(), '\0');
  separator.copy(0, separator.size(), all.data());
  return all;
}

// Every fact that readers rely on.
void expect_equal(const PageBuffer& page, const Model& model) {
  const BranchView branch(page.get(), page.size());
  ASSERT_EQ(branch.count(), model.others.size() + 1);
  ASSERT_EQ(branch.child(0), model.first);
  ASSERT_EQ(branch.head(0), 0u);
  ASSERT_EQ(branch.tail(0), 0u);
  std::uint32_t index = 1;
  std::uint32_t live = 0;
  for (const auto& [key, child] : model.others) {
    ASSERT_EQ(text(branch.separator(index)), key);
    ASSERT_EQ(branch.child(index), child);
    ASSERT_EQ(key.substr(0, branch.prefix_bytes()), branch.prefix());
    const std::string suffix = key.substr(branch.prefix_bytes());
    ASSERT_EQ(branch.head(index), head_of(suffix.data(), suffix.size()));
    if (suffix.size() <= 4) {
      ASSERT_EQ(branch.tail(index), suffix.size());
    }
    live += suffix.size() <= 4 ? 0 : static_cast<std::uint32_t>(suffix.size()) - 2;
    ASSERT_EQ(branch.record_bytes(index), suffix.size() <= 4 ? 0 : suffix.size() - 2);
    ++index;
  }
  ASSERT_EQ(branch.heap_live(), live);
  const auto* hints = reinterpret_cast<const std::uint32_t*>(page.get() + kHintsOffset);
  for (std::uint32_t i = 0; i < kHintCount; ++i) {
    ASSERT_EQ(hints[i], branch.count() < 17 ? 0 : branch.head((i + 1) * branch.count() / 17));
  }
}

void expect_search(const PageBuffer& page, const Model& model, const std::string& key) {
  const BranchView branch(page.get(), page.size());
  const auto above = model.others.upper_bound(key);
  ASSERT_EQ(branch.search(key),
            static_cast<std::uint32_t>(std::distance(model.others.begin(), above)));
  const std::uint64_t quick = quick_child(page.get(), page.size(), SearchKey(key));
  if (quick != 0) {
    ASSERT_EQ(std::bit_cast<PagePtr>(quick), branch.child(branch.search(key)));
  }
}

// The bytes of a page with these separators, counted anew.
std::uint32_t bytes_needed(const std::map<std::string, PagePtr>& separators) {
  std::size_t prefix = 0;
  if (!separators.empty()) {
    const std::string& low = separators.begin()->first;
    const std::string& high = separators.rbegin()->first;
    while (prefix < low.size() && prefix < high.size() && low[prefix] == high[prefix]) ++prefix;
  }
  const std::size_t count = separators.size() + 1;
  std::size_t bytes = kArraysOffset + (prefix + 3) / 4 * 4 + count * 6;
  bytes = (bytes + 7) / 8 * 8 + count * 8;
  for (const auto& [key, child] : separators) {
    if (key.size() - prefix > 4) bytes += key.size() - prefix - 2;
  }
  return static_cast<std::uint32_t>(bytes);
}

class BranchPage : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(BranchPage, BehavesLikeAMap) {
  const std::uint32_t page_bytes = GetParam();
  Random random{page_bytes};
  for (int round = 0; round < 6; ++round) {
    NastyKeys keys{random, round % 3 == 0 ? key_bytes_max(page_bytes) : 30};
    PageBuffer page{page_bytes};
    Model model{{1, 2}, {}};
    branch_start(page.get(), page_bytes, model.first);
    for (std::uint32_t step = 0; step < 1500; ++step) {
      const std::string key = keys.next();
      const PagePtr child{step + 10, step};
      const BranchView branch(page.get(), page_bytes);
      const std::uint32_t index = branch.search(key);
      if (model.others.contains(key) || key.empty()) {
        branch_set_child(page.get(), page_bytes, index, child);
        (index == 0 ? model.first : model.others[key]) = child;
      } else {
        auto with_key = model.others;
        with_key[key] = child;
        const bool fits = bytes_needed(with_key) <= page_bytes;
        ASSERT_GE(branch_insert(page.get(), page_bytes, index + 1, key, child), fits);
        if (BranchView(page.get(), page_bytes).count() > branch.count()) model.others = with_key;
      }
      const auto count = static_cast<std::uint32_t>(model.others.size()) + 1;
      if (count > 1 && random.one_in(round % 2 == 0 ? 3 : 30)) {
        const auto victim = static_cast<std::uint32_t>(random.below(count));
        branch_erase(page.get(), page_bytes, victim);
        auto entry = model.others.begin();
        std::advance(entry, victim == 0 ? 0 : victim - 1);
        if (victim == 0) model.first = entry->second;
        model.others.erase(entry);
      }
      expect_search(page, model, keys.next());
      expect_search(page, model, key);
      if (random.one_in(10)) expect_equal(page, model);
      if (HasFatalFailure()) return;
    }
    expect_equal(page, model);
  }
}

TEST_P(BranchPage, HoldsASeparatorOfTheGreatestSize) {
  const std::uint32_t page_bytes = GetParam();
  const std::string longest(key_bytes_max(page_bytes), 'x');
  PageBuffer page{page_bytes};
  branch_start(page.get(), page_bytes, {1, 1});
  ASSERT_TRUE(branch_insert(page.get(), page_bytes, 1, longest, {2, 2}));
  ASSERT_TRUE(branch_insert(page.get(), page_bytes, 1, "a", {3, 3}));
  expect_equal(page, {{1, 1}, {{"a", {3, 3}}, {longest, {2, 2}}}});
}

TEST_P(BranchPage, IsBuiltFromPartsOfASequence) {
  const std::uint32_t page_bytes = GetParam();
  PageBuffer left{page_bytes};
  PageBuffer right{page_bytes};
  branch_start(left.get(), page_bytes, {1, 1});
  branch_insert(left.get(), page_bytes, 1, "stem of b", {2, 2});
  branch_start(right.get(), page_bytes, {3, 3});
  branch_insert(right.get(), page_bytes, 1, "stem of d", {4, 4});
  const BranchView left_view(left.get(), page_bytes);
  const BranchView right_view(right.get(), page_bytes);
  PageBuffer page{page_bytes};

  const auto joined = BranchSequence::joined(left_view, Separator("stem of c"), right_view);
  branch_build(page.get(), page_bytes, joined, 0, 4);
  expect_equal(page,
               {{1, 1}, {{"stem of b", {2, 2}}, {"stem of c", {3, 3}}, {"stem of d", {4, 4}}}});
  branch_build(page.get(), page_bytes, joined, 2, 4);
  expect_equal(page, {{3, 3}, {{"stem of d", {4, 4}}}});
  branch_build(page.get(), page_bytes, joined, 3, 4);
  expect_equal(page, {{4, 4}, {}});
  const auto inserted = BranchSequence::inserted(left_view, 2, Separator("stem of cat"), {9, 9});
  branch_build(page.get(), page_bytes, inserted, 0, 3);
  expect_equal(page, {{1, 1}, {{"stem of b", {2, 2}}, {"stem of cat", {9, 9}}}});
  branch_build(page.get(), page_bytes, inserted, 1, 3);
  expect_equal(page, {{2, 2}, {{"stem of cat", {9, 9}}}});
}

INSTANTIATE_TEST_SUITE_P(Sizes, BranchPage, ::testing::Values(4096, 8192, 16384, 32768, 65536));

TEST(BranchPage, TellsAnEndFromAZero) {
  PageBuffer page{4096};
  branch_start(page.get(), 4096, {1, 1});
  Model model{{1, 1}, {}};
  const std::string zeros(9, '\0');
  std::uint32_t index = 1;
  for (const std::size_t size : {1u, 2u, 3u, 4u, 5u, 7u}) {
    const std::string key = zeros.substr(0, size);
    ASSERT_TRUE(branch_insert(page.get(), 4096, index, key, {index + 1, 0}));
    model.others[key] = {++index, 0};
  }
  for (std::size_t size = 0; size < 9; ++size) {
    expect_search(page, model, zeros.substr(0, size));
    expect_search(page, model, zeros.substr(0, size) + "a");
  }
  expect_equal(page, model);
}

TEST(SeparatorText, ComparesAcrossItsPieces) {
  const std::string key = "prefixHEADrest";
  for (std::uint32_t prefix = 0; prefix <= 10; ++prefix) {
    const std::uint32_t head = head_of(key.data() + prefix, 4);
    const Separator pieces(std::string_view(key).substr(0, prefix), head, 4,
                           std::string_view(key).substr(prefix + 4));
    EXPECT_EQ(text(pieces), key);
    for (std::uint32_t size = 0; size <= key.size(); ++size) {
      std::string other = key.substr(0, size);
      EXPECT_EQ(Separator::common_prefix_bytes(pieces, Separator(other)), size);
      EXPECT_EQ(Separator::common_prefix_bytes(Separator(other), pieces), size);
      other += "#and more";
      EXPECT_EQ(Separator::common_prefix_bytes(pieces, Separator(other)), size);
    }
  }
}

// Whatever a page holds, reading and changing it stays inside and ends.
void exercise(const PageBuffer& damaged_page, Random& random, NastyKeys& keys) {
  const std::uint32_t page_bytes = damaged_page.size();
  const auto try_on_copy = [&](auto&& change) {
    PageBuffer page{damaged_page};
    try {
      change(page);
    } catch (const Damage& damage) {
      ASSERT_STRNE(damage.what(), "");
    }
  };
  const std::string key = keys.next();
  try_on_copy([&](PageBuffer& page) {
    const BranchView branch(page.get(), page_bytes);
    std::size_t sum = 0;
    for (std::uint32_t i = 1; i < branch.count(); ++i) {
      sum += text(branch.separator(i)).size() + branch.child(i).page;
    }
    ASSERT_LT(sum, std::uint64_t{1} << 50);
  });
  try_on_copy([&](PageBuffer& page) {
    const BranchView branch(page.get(), page_bytes);
    const std::uint32_t index = branch.search(key);
    ASSERT_LT(index, branch.count());
    branch_set_child(page.get(), page_bytes, index, {1, 1});
  });
  try_on_copy([&](PageBuffer& page) {
    static_cast<void>(quick_child(page.get(), page_bytes, SearchKey(key)));
  });
  try_on_copy([&](PageBuffer& page) {
    const std::uint32_t index = BranchView(page.get(), page_bytes).search(key);
    branch_insert(page.get(), page_bytes, index + 1, key, {1, 1});
  });
  try_on_copy([&](PageBuffer& page) {
    const std::uint32_t count = BranchView(page.get(), page_bytes).count();
    if (count > 1) {
      branch_erase(page.get(), page_bytes, static_cast<std::uint32_t>(random.below(count)));
    }
  });
  try_on_copy([&](PageBuffer& page) {
    PageBuffer target{page_bytes};
    const BranchView branch(page.get(), page_bytes);
    const auto all = BranchSequence::joined(branch, Separator(key), branch);
    branch_fits(all, 0, all.count(), page_bytes);
    branch_build(target.get(), page_bytes, all, 0, all.count());
  });
}

PageBuffer sample_page(Random& random, NastyKeys& keys, bool stem) {
  PageBuffer page{4096};
  branch_start(page.get(), page.size(), {1, 1});
  for (std::uint32_t i = 0; i < 100; ++i) {
    const std::string key = (stem ? "common stem" : "") + keys.next();
    const std::uint32_t index = BranchView(page.get(), page.size()).search(key);
    branch_insert(page.get(), page.size(), index + 1, key + std::to_string(random.below(9)),
                  {i, i});
  }
  return page;
}

TEST(DamagedBranch, NeverLeadsOutOfThePageByOneByte) {
  Random random{1};
  NastyKeys keys{random, 40};
  for (const bool stem : {false, true}) {
    const PageBuffer page = sample_page(random, keys, stem);
    for (std::uint32_t at = 0; at < page.size(); ++at) {
      for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        PageBuffer damaged_page{page};
        damaged_page.get()[at] = static_cast<std::byte>(value);
        exercise(damaged_page, random, keys);
      }
    }
  }
}

TEST(DamagedBranch, NeverLeadsOutOfThePageByItsFields) {
  Random random{2};
  NastyKeys keys{random, 100};
  for (int round = 0; round < 20; ++round) {
    const PageBuffer page = sample_page(random, keys, round % 2 == 0);
    for (const std::uint32_t field : {24u, 26u, 28u, 30u, 32u, 34u}) {
      for (const std::uint32_t value :
           {0u, 1u, 16u, 17u, 18u, 127u, 128u, 129u, 4095u, 4096u, 4097u, 32767u, 65535u}) {
        PageBuffer damaged_page{page};
        store_le(damaged_page.get() + field, static_cast<std::uint16_t>(value));
        exercise(damaged_page, random, keys);
      }
    }
  }
}

TEST(DamagedBranch, NeverLeadsOutOfThePageByNoise) {
  Random random{3};
  NastyKeys keys{random, 100};
  for (int round = 0; round < 3000; ++round) {
    PageBuffer page = sample_page(random, keys, round % 2 == 0);
    const std::uint32_t first = random.one_in(4) ? 0 : 24;
    const std::uint64_t changes = random.between(1, 30);
    for (std::uint64_t i = 0; i < changes; ++i) {
      const std::uint64_t limit = random.one_in(2) ? 400 : page.size();
      page.get()[random.between(first, limit - 1)] = static_cast<std::byte>(random.below(256));
    }
    exercise(page, random, keys);
  }
}

TEST(DamagedBranch, HasSeparatorsOutOfOrder) {
  PageBuffer left{4096};
  PageBuffer right{4096};
  PageBuffer page{4096};
  branch_start(left.get(), left.size(), {1, 1});
  branch_insert(left.get(), left.size(), 1, "long stem 1", {2, 2});
  branch_start(right.get(), right.size(), {3, 3});
  branch_insert(right.get(), right.size(), 1, "long stem 2", {4, 4});
  const auto children = BranchSequence::joined(BranchView(left.get(), 4096), Separator("z"),
                                               BranchView(right.get(), 4096));
  EXPECT_TRUE(branch_fits(children, 0, 4, page.size()));
  try {
    branch_build(page.get(), page.size(), children, 0, 4);
    ADD_FAILURE() << "built from separators out of order";
  } catch (const Damage& damage) {
    EXPECT_EQ(damage.page(), 77u);
    EXPECT_STREQ(damage.what(), "separators of a branch are out of order");
  }
}

TEST(DamagedBranch, HasASeparatorLongerThanAnyKey) {
  PageBuffer page{4096};
  const std::string stem(1000, 'x');
  branch_start(page.get(), page.size(), {1, 1});
  branch_insert(page.get(), page.size(), 1, stem, {2, 2});
  branch_insert(page.get(), page.size(), 2, stem + std::string(900, 'y'), {3, 3});
  const BranchArrays arrays(3, 1000);
  header_of(page.get()).heap_begin = 2048;
  store_le(page.get() + arrays.tail(2), std::uint16_t{2048});
  store_le(page.get() + 2048, std::uint16_t{938});
  const BranchView branch(page.get(), page.size());
  EXPECT_EQ(text(branch.separator(2)).size(), key_bytes_max(4096));
  store_le(page.get() + 2048, std::uint16_t{939});
  EXPECT_THROW(branch.separator(2), Damage);
}

// A hostile writer may take children away between search and change; these were assertions.
TEST(DamagedBranch, HasFewerChildrenThanWereSearched) {
  PageBuffer page{4096};
  branch_start(page.get(), page.size(), {40, 1});
  EXPECT_THROW(branch_erase(page.get(), page.size(), 0), Damage);
  EXPECT_THROW(branch_insert(page.get(), page.size(), 2, "z", {41, 1}), Damage);
  EXPECT_THROW(branch_set_child(page.get(), page.size(), 1, {41, 1}), Damage);
}

}  // namespace
}  // namespace quire::format
