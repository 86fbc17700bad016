// Trees whose pages lie: everything ends with a result or Errc::corrupt.
#include <quire/error.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "btree/cursor.h"
#include "btree/damaged_tree.h"
#include "btree/tree.h"
#include "btree/tree_store.h"
#include "btree/walk.h"
#include "format/branch.h"
#include "format/leaf.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::LeafView;
using format::PagePtr;
using format::TreeRoot;
using test::big_endian;
using test::Damaged;
using test::grouped;
using test::has_fault;
using test::kPageBytes;
using test::meaningful_bytes;
using test::tolerate;
using test::TreeStore;
using Sample = test::DamageSample;

// Everything that reads.
void read_everywhere(Sample& sample) {
  const pages::PageView& view = sample.store.view();
  tolerate([&] { get(view, sample.tree, sample.keys.next()); });
  tolerate([&] { get(view, sample.tree, grouped(sample.random.below(400))); });
  tolerate([&] {
    std::vector<std::string> keys;
    for (int i = 0; i < 20; ++i) keys.push_back(grouped(sample.random.below(400)));
    const std::vector<Bytes> views(keys.begin(), keys.end());
    std::vector<std::optional<Bytes>> values(views.size());
    get_many(view, sample.tree, views, values);
  });
  tolerate([&] {
    Cursor cursor(view, sample.tree);
    std::size_t sum = 0;
    for (cursor.seek_first(); !cursor.at_end(); cursor.next()) sum += cursor.value().size();
    EXPECT_LT(sum, std::size_t{1} << 32);
  });
  tolerate([&] {
    Cursor cursor(view, sample.tree);
    while (cursor.previous()) cursor.key();
  });
  tolerate([&] {
    Cursor cursor(view, sample.tree);
    cursor.seek_lower_bound(sample.keys.next());
    cursor.seek_upper_bound(grouped(sample.random.below(400)));
  });
}

// Everything that writes, in a transaction that is rolled back.
void write_everywhere(Sample& sample) {
  for (int i = 0; i < 6; ++i) {
    TreeRoot tree = sample.tree;
    tolerate([&] {
      for (int step = 0; step < 20; ++step) {
        const std::string key =
            sample.random.one_in(2) ? sample.keys.next() : grouped(sample.random.below(400));
        if (sample.random.one_in(2)) {
          sample.store.erase(tree, key);
        } else {
          sample.store.put(tree, key, std::string(sample.random.below(900), 'n'));
        }
      }
    });
    sample.store.roll_back();
  }
  TreeRoot tree = sample.tree;
  tolerate([&] { clear(sample.store.space(), tree); });
  sample.store.roll_back();
}

TEST(DamagedTree, IsRefusedWhenItsHeightLeadsOutOfThePath) {
  Sample sample;
  for (const int height : {21, 100, 255}) {
    TreeRoot tree = sample.tree;
    tree.height = static_cast<std::uint8_t>(height);
    const std::string level(1, static_cast<char>(height - 1));
    const Damaged damaged(sample.store, tree.root.page, offsetof(format::PageHeader, level), level);
    const std::string key = grouped(1);
    EXPECT_TRUE(has_fault(sample.store.check(tree), "height is out of range"));
    EXPECT_THROW(get(sample.store.view(), tree, key), Error);
    EXPECT_THROW(sample.store.put(tree, key, "value"), Error);
    EXPECT_THROW(sample.store.erase(tree, key), Error);
    EXPECT_THROW(clear(sample.store.space(), tree), Error);
    Cursor cursor(sample.store.view(), tree);
    EXPECT_THROW(cursor.seek_first(), Error);
    EXPECT_THROW(cursor.seek_last(), Error);
    EXPECT_THROW(cursor.seek_lower_bound(key), Error);
  }
}

TEST(DamagedTree, IsNotCopiedOnceSealed) {
  Sample sample;
  sample.store.seal(sample.tree);
  const std::uint32_t page = sample.pages_of(0)[5];
  const std::string key(LeafView(sample.store.page(page), kPageBytes).key(0));
  const Damaged damaged(sample.store, page, 3000, "?");
  TreeRoot tree = sample.tree;
  try {
    sample.store.put(tree, key, "new");
    ADD_FAILURE() << "a damaged page was copied";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("page " + std::to_string(page)), std::string::npos);
  }
}

TEST(DamagedTree, NeverCrashesWhereverAByteLies) {
  Sample sample;
  for (const std::uint32_t level : {0u, 1u, 2u}) {
    const auto pages = sample.pages_of(level);
    const std::uint32_t page = pages[pages.size() / 2];
    for (const std::uint32_t at : meaningful_bytes(sample.store.page(page), level)) {
      if (sample.random.one_in(2)) continue;
      const std::string value(1, static_cast<char>(sample.random.below(256)));
      const Damaged damaged(sample.store, page, at, value);
      read_everywhere(sample);
      write_everywhere(sample);
      sample.store.check(sample.tree);
      if (HasFailure()) return;
    }
  }
  sample.store.expect_sound(sample.tree);
}

TEST(DamagedTree, NeverCrashesOnNoise) {
  Sample sample;
  const std::vector<std::uint32_t> pages_by_level[] = {sample.pages_of(0), sample.pages_of(1),
                                                       sample.pages_of(2)};
  for (int round = 0; round < 300; ++round) {
    std::vector<std::unique_ptr<Damaged>> damage;
    for (std::uint64_t i = sample.random.between(1, 8); i > 0; --i) {
      const auto& pages = pages_by_level[sample.random.below(3)];
      const std::uint32_t page = pages[sample.random.below(pages.size())];
      const auto at = static_cast<std::uint32_t>(sample.random.between(24, 400));
      damage.push_back(std::make_unique<Damaged>(
          sample.store, page, at,
          test::pattern(sample.random.between(1, 9), sample.random.next())));
    }
    read_everywhere(sample);
    write_everywhere(sample);
    while (!damage.empty()) damage.pop_back();
    if (HasFailure()) return;
  }
  sample.store.expect_sound(sample.tree);
}

// Branches all of whose children are one and the same page: 200^19 ways, but an end.
TEST(DamagedTree, EndsWhenItsPagesLeadInCircles) {
  TreeStore store{kPageBytes, 1000};
  TreeRoot tree;
  store.put(tree, "key", "value");
  tree.height = format::kTreeHeightMax;
  for (std::uint32_t level = 1; level < tree.height; ++level) {
    PagePtr pointer;
    std::byte* page = store.space().create(level, &pointer);
    format::branch_start(page, kPageBytes, tree.root);
    for (std::uint32_t i = 1; i < 200; ++i) {
      ASSERT_TRUE(format::branch_insert(page, kPageBytes, i, big_endian(i), tree.root));
    }
    tree.root = pointer;
  }
  store.commit();
  EXPECT_FALSE(store.check(tree).faults.empty());
  Cursor cursor(store.view(), tree);
  EXPECT_THROW(for (cursor.seek_first(); !cursor.at_end(); cursor.next()){}, Error);
  EXPECT_TRUE(cursor.at_end());
  EXPECT_THROW(while (cursor.previous()){}, Error);
  EXPECT_THROW(clear(store.space(), tree), Error);
  struct Blind final : Visitor {
    bool enter(PagePtr, std::uint32_t) override { return true; }
    bool page(PageId, const std::byte*, std::uint32_t) override { return true; }
    void extent(const format::ExtentRef&, std::string_view) override {}
  } blind;
  EXPECT_THROW(walk(store.view(), tree, blind), Error);
  store.roll_back();
  for (const char* key : {"", "key", "zzz"}) {
    TreeRoot changed = tree;
    tolerate([&] {
      store.put(changed, key, std::string(1000, 'v'));
      store.erase(changed, key);
    });
    store.roll_back();
  }
}

// A tree of the running transaction, all of its pages new.
struct NewTree {
  NewTree() : store(kPageBytes, 1000) {
    for (std::uint64_t i = 0; i < 400; ++i) store.put(tree, grouped(i), std::string(50, 'v'));
  }

  // Makes child 1 of a branch what child 0 is.
  void repeat_child(PagePtr pointer) {
    std::byte* page = store.page(pointer.page);
    const PagePtr child = format::BranchView(page, kPageBytes).child(0);
    format::branch_set_child(page, kPageBytes, 1, child);
  }

  TreeStore store;
  TreeRoot tree;
};

// A page that was given back twice was given out twice, and the tree led in circles.
TEST(DamagedTree, GivesAPageOfItsTransactionBackOnce) {
  NewTree sample;
  ASSERT_EQ(sample.tree.height, 3);
  sample.repeat_child(sample.tree.root);
  EXPECT_THROW(clear(sample.store.space(), sample.tree), Error);
}

// A branch merged with itself was read while it was written: copying a separator never ended.
TEST(DamagedTree, MergesNoPageWithItself) {
  NewTree sample;
  ASSERT_EQ(sample.tree.height, 3);
  sample.repeat_child(sample.tree.root);
  const auto erase_all = [&] {
    for (std::uint64_t i = 0; i < 400; ++i) sample.store.erase(sample.tree, grouped(i));
  };
  try {
    erase_all();
    ADD_FAILURE() << "erased from a page that stands in two places";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("branch has a child twice"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace quire::btree
