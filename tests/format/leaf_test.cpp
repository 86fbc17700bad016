#include "format/leaf.h"

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

using Model = std::map<std::string, std::string>;

// Every fact that readers rely on.
void expect_equal(const PageBuffer& page, const Model& model) {
  const LeafView leaf(page.get(), page.size());
  ASSERT_EQ(leaf.count(), model.size());
  std::uint32_t index = 0;
  std::uint32_t live = 0;
  for (const auto& [key, value] : model) {
    const LeafEntry entry = leaf.entry(index);
    ASSERT_EQ(entry.key, key);
    ASSERT_EQ(entry.value, value);
    ASSERT_EQ(key.compare(0, leaf.prefix_bytes(), model.begin()->first, 0, leaf.prefix_bytes()), 0);
    const std::string tail = key.substr(leaf.prefix_bytes());
    ASSERT_EQ(leaf.head(index), head_of(tail.data(), tail.size()));
    live += entry.record_bytes();
    ++index;
  }
  ASSERT_EQ(leaf.heap_live(), live);
  const auto* hints = reinterpret_cast<const std::uint32_t*>(page.get() + kHintsOffset);
  for (std::uint32_t i = 0; i < kHintCount; ++i) {
    ASSERT_EQ(hints[i], leaf.count() < 17 ? 0 : leaf.head((i + 1) * leaf.count() / 17));
  }
}

void expect_search(const PageBuffer& page, const Model& model, const std::string& key) {
  const LeafView leaf(page.get(), page.size());
  const auto bound = model.lower_bound(key);
  const auto position = leaf.lower_bound(key);
  const auto index = static_cast<std::uint32_t>(std::distance(model.begin(), bound));
  ASSERT_EQ(position.index, index);
  ASSERT_EQ(position.found, bound != model.end() && bound->first == key);
  const auto found = leaf.find(key);
  ASSERT_EQ(found.has_value(), position.found);
  if (found) {
    ASSERT_EQ(found->value, bound->second);
  }
  std::string_view value;
  const QuickFind quick = quick_find(page.get(), page.size(), SearchKey(key), value);
  if (quick == QuickFind::unknown) return;
  ASSERT_EQ(quick == QuickFind::found, position.found);
  if (position.found) {
    ASSERT_EQ(value, bound->second);
  }
}

class LeafPage : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(LeafPage, BehavesLikeAMap) {
  const std::uint32_t page_bytes = GetParam();
  Random random{page_bytes};
  for (int round = 0; round < 12; ++round) {
    NastyKeys keys{random, round % 2 == 0 ? key_bytes_max(page_bytes) : 60};
    PageBuffer page{page_bytes};
    Model model;
    for (int step = 0; step < 1500; ++step) {
      const std::string key = keys.next();
      const std::string value(random.below(random.one_in(4) ? page_bytes / 4 + 1 : 40), 'v');
      const LeafEntry entry{key, value, false};
      if (!is_inline(key.size(), value.size(), page_bytes)) continue;
      if (model.empty()) {
        leaf_start(page.get(), page_bytes, entry);
        model[key] = value;
      } else {
        const LeafView leaf(page.get(), page_bytes);
        const auto position = leaf.lower_bound(key);
        const std::uint32_t used = leaf.used_bytes();
        if (position.found && random.one_in(3) && model.size() > 1) {
          leaf_erase(page.get(), page_bytes, position.index);
          model.erase(key);
        } else if (position.found) {
          const bool fits =
              used - leaf.entry(position.index).record_bytes() + entry.record_bytes() <=
              page_room_bytes(page_bytes);
          ASSERT_EQ(leaf_replace(page.get(), page_bytes, position.index, entry), fits);
          if (fits) model[key] = value;
        } else {
          const bool fits = used + entry.record_bytes() + 6 <= page_room_bytes(page_bytes);
          ASSERT_EQ(leaf_insert(page.get(), page_bytes, position.index, entry), fits);
          if (fits) {
            model[key] = value;
          } else if (model.size() > 1) {
            const auto victim = static_cast<std::uint32_t>(random.below(model.size()));
            model.erase(std::string(leaf.key(victim)));
            leaf_erase(page.get(), page_bytes, victim);
          }
        }
      }
      expect_search(page, model, keys.next());
      expect_search(page, model, key);
      if (random.one_in(10)) expect_equal(page, model);
      if (HasFatalFailure()) return;
    }
    expect_equal(page, model);
  }
}

TEST_P(LeafPage, HoldsTwoEntriesOfTheGreatestSize) {
  const std::uint32_t page_bytes = GetParam();
  const std::string low(key_bytes_max(page_bytes), 'a');
  const std::string high(key_bytes_max(page_bytes), 'b');
  const ExtentRef extent{.size_bytes = 5, .first_page = 6, .page_count = 7, .birth = 8};
  PageBuffer page{page_bytes};
  leaf_start(page.get(), page_bytes, {high, extent_bytes(extent), true});
  ASSERT_TRUE(leaf_insert(page.get(), page_bytes, 0, {low, extent_bytes(extent), true}));
  const LeafView leaf(page.get(), page_bytes);
  EXPECT_EQ(leaf.find(low)->extent().first_page, 6u);
  EXPECT_EQ(leaf.find(high)->extent().birth, 8u);
  EXPECT_TRUE(leaf.find(high)->in_extent);
}

TEST_P(LeafPage, IsBuiltFromPartsOfASequence) {
  const std::uint32_t page_bytes = GetParam();
  PageBuffer left{page_bytes};
  PageBuffer right{page_bytes};
  leaf_start(left.get(), page_bytes, {"b", "1", false});
  leaf_insert(left.get(), page_bytes, 1, {"d", "2", false});
  leaf_start(right.get(), page_bytes, {"f", "3", false});
  leaf_insert(right.get(), page_bytes, 1, {"h", "4", false});
  const LeafView left_view(left.get(), page_bytes);
  PageBuffer page{page_bytes};

  const auto build = [&](const LeafSequence& entries, std::uint32_t first, std::uint32_t last) {
    leaf_build(page.get(), page_bytes, entries, first, last);
  };
  const auto joined = LeafSequence::joined(left_view, LeafView(right.get(), page_bytes));
  build(joined, 0, joined.count());
  expect_equal(page, {{"b", "1"}, {"d", "2"}, {"f", "3"}, {"h", "4"}});
  build(joined, 1, 3);
  expect_equal(page, {{"d", "2"}, {"f", "3"}});
  const auto inserted = LeafSequence::inserted(left_view, 1, {"c", "5", false});
  build(inserted, 0, 3);
  expect_equal(page, {{"b", "1"}, {"c", "5"}, {"d", "2"}});
  const auto replaced = LeafSequence::replaced(left_view, 1, {"d", "6", false});
  build(replaced, 0, 2);
  expect_equal(page, {{"b", "1"}, {"d", "6"}});
  build(replaced, 1, 2);
  expect_equal(page, {{"d", "6"}});
}

TEST_P(LeafPage, ReplacesInPlaceWhenTheValueDoesNotGrow) {
  const std::uint32_t page_bytes = GetParam();
  PageBuffer page{page_bytes};
  leaf_start(page.get(), page_bytes, {"key", "12345", false});
  leaf_insert(page.get(), page_bytes, 1, {"other", "x", false});
  const char* before = LeafView(page.get(), page_bytes).entry(0).value.data();
  ASSERT_TRUE(leaf_replace(page.get(), page_bytes, 0, {"key", "abc", false}));
  EXPECT_EQ(LeafView(page.get(), page_bytes).entry(0).value.data(), before);
  expect_equal(page, {{"key", "abc"}, {"other", "x"}});
}

INSTANTIATE_TEST_SUITE_P(Sizes, LeafPage, ::testing::Values(4096, 8192, 16384, 32768, 65536));

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
  const std::string value(random.below(page_bytes / 4), 'v');
  try_on_copy([&](PageBuffer& page) {
    const LeafView leaf(page.get(), page_bytes);
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      const LeafEntry entry = leaf.entry(i);
      for (const char byte : entry.key) sum += static_cast<unsigned char>(byte);
      for (const char byte : entry.value) sum += static_cast<unsigned char>(byte);
    }
    ASSERT_LT(sum, std::uint64_t{1} << 40);
  });
  try_on_copy([&](PageBuffer& page) {
    ASSERT_LE(LeafView(page.get(), page_bytes).lower_bound(key).index, 65536u);
    LeafView(page.get(), page_bytes).find(key);
  });
  try_on_copy([&](PageBuffer& page) {
    std::string_view value;
    if (quick_find(page.get(), page_bytes, SearchKey(key), value) != QuickFind::found) return;
    ASSERT_LE(value.data() + value.size(), reinterpret_cast<const char*>(page.get()) + page_bytes);
    ASSERT_GE(value.data(), reinterpret_cast<const char*>(page.get()) + kArraysOffset);
  });
  try_on_copy([&](PageBuffer& page) {
    const auto position = LeafView(page.get(), page_bytes).lower_bound(key);
    if (position.found) {
      leaf_replace(page.get(), page_bytes, position.index, {key, value, false});
    } else {
      leaf_insert(page.get(), page_bytes, position.index, {key, value, false});
    }
  });
  try_on_copy([&](PageBuffer& page) {
    const LeafView leaf(page.get(), page_bytes);
    if (leaf.count() > 1) {
      leaf_erase(page.get(), page_bytes, static_cast<std::uint32_t>(random.below(leaf.count())));
    }
  });
  try_on_copy([&](PageBuffer& page) {
    PageBuffer target{page_bytes};
    const LeafView leaf(page.get(), page_bytes);
    const auto all = LeafSequence::joined(leaf, leaf);
    leaf_build(target.get(), page_bytes, all, 0, all.count());
  });
}

PageBuffer sample_page(Random& random, NastyKeys& keys) {
  PageBuffer page{4096};
  leaf_start(page.get(), page.size(), {"", "", false});
  for (int i = 0; i < 60; ++i) {
    const std::string key = keys.next();
    const auto position = LeafView(page.get(), page.size()).lower_bound(key);
    if (position.found) continue;
    leaf_insert(page.get(), page.size(), position.index,
                {key, std::string(random.below(60), 'v'), false});
  }
  return page;
}

TEST(DamagedLeaf, NeverLeadsOutOfThePageByOneByte) {
  Random random{1};
  NastyKeys keys{random, 50};
  const PageBuffer page = sample_page(random, keys);
  for (std::uint32_t at = 0; at < page.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      PageBuffer damaged_page{page};
      damaged_page.get()[at] = static_cast<std::byte>(value);
      exercise(damaged_page, random, keys);
    }
    // The key and value bytes behave alike; a sample of them is enough.
    if (at > LeafView(page.get(), page.size()).heap_begin() + 64) at += 6;
  }
}

TEST(DamagedLeaf, NeverLeadsOutOfThePageByItsFields) {
  Random random{2};
  NastyKeys keys{random, 200};
  for (int round = 0; round < 20; ++round) {
    const PageBuffer page = sample_page(random, keys);
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

TEST(DamagedLeaf, NeverLeadsOutOfThePageByNoise) {
  Random random{3};
  NastyKeys keys{random, 200};
  for (int round = 0; round < 3000; ++round) {
    PageBuffer page = sample_page(random, keys);
    const std::uint32_t first = random.one_in(4) ? 0 : 24;
    const std::uint64_t changes = random.between(1, 30);
    for (std::uint64_t i = 0; i < changes; ++i) {
      const std::uint64_t limit = random.one_in(2) ? 400 : page.size();
      page.get()[random.between(first, limit - 1)] = static_cast<std::byte>(random.below(256));
    }
    exercise(page, random, keys);
  }
}

// The reason that the call throws; empty when it throws none.
template <typename Call>
std::string damage_of(Call&& call) {
  try {
    call();
  } catch (const Damage& damage) {
    EXPECT_EQ(damage.page(), 77u);
    return damage.what();
  }
  return {};
}

TEST(DamagedLeaf, IsNamedWithItsReason) {
  PageBuffer page{4096};
  leaf_start(page.get(), page.size(), {"key", "value", false});
  header_of(page.get()).entry_count = 0;
  EXPECT_EQ(damage_of([&] { LeafView(page.get(), page.size()); }), "leaf without entries");
}

TEST(DamagedLeaf, HasAKeyShorterThanThePrefix) {
  PageBuffer page{4096};
  leaf_start(page.get(), page.size(), {"a long key", "", false});
  store_le(page.get() + page.size() - 14, std::uint16_t{3});
  EXPECT_EQ(damage_of([&] { LeafView(page.get(), page.size()).entry(0); }),
            "leaf's key is shorter than the prefix");
}

TEST(DamagedLeaf, HasKeysOutOfOrder) {
  PageBuffer left{4096};
  PageBuffer right{4096};
  PageBuffer page{4096};
  leaf_start(left.get(), left.size(), {"long stem 1", "", false});
  leaf_insert(left.get(), left.size(), 1, {"z", "", false});
  leaf_start(right.get(), right.size(), {"long stem 2", "", false});
  const auto entries =
      LeafSequence::joined(LeafView(left.get(), 4096), LeafView(right.get(), 4096));
  EXPECT_EQ(damage_of([&] { leaf_build(page.get(), page.size(), entries, 0, 3); }),
            "keys of a leaf are out of order");
}

// A hostile writer may take entries away between search and change; this was an assertion.
TEST(DamagedLeaf, HasFewerEntriesThanWereSearched) {
  PageBuffer page{4096};
  leaf_start(page.get(), page.size(), {"key", "value", false});
  EXPECT_NE(damage_of([&] { leaf_erase(page.get(), page.size(), 0); }), "");
  EXPECT_NE(damage_of([&] { leaf_insert(page.get(), page.size(), 2, {"z", "", false}); }), "");
}

}  // namespace
}  // namespace quire::format
