// Trees whose pages lie: check_tree finds it, and everything else ends with a result or
// Errc::corrupt.
#include <quire/error.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "btree/cursor.h"
#include "btree/tree.h"
#include "btree/tree_store.h"
#include "btree/walk.h"
#include "format/branch.h"
#include "format/leaf.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::LeafView;
using format::PagePtr;
using format::TreeRoot;
using test::big_endian;
using test::Findings;
using test::NastyKeys;
using test::Random;
using test::TreeStore;

constexpr std::uint32_t kPageBytes = 4096;

// Keys in groups, each with a long stem of its own: long separators, few children in a branch.
std::string grouped(std::uint64_t number) {
  return test::pattern(300, number % 40) + big_endian(number / 40);
}

// A tree of three levels and less than a hundred pages, with extents.
struct Sample {
  Sample() : store(kPageBytes, 1000), random(7), keys(random, 60) {
    const auto put = [&](const std::string& key, const std::string& value) {
      store.put(tree, key, value);
      model[key] = value;
    };
    for (std::uint64_t i = 0; i < 400; ++i) put(grouped(i), std::string(50, 'v'));
    for (int i = 0; i < 100; ++i) {
      put(keys.next(), std::string(random.one_in(20) ? 5000 : 40, 'w'));
    }
    store.commit();
    for (std::uint64_t i = 0; i < 400; i += 10) {
      store.erase(tree, grouped(i));
      model.erase(grouped(i));
    }
    store.commit();
  }

  // Pages by level.
  std::vector<std::uint32_t> pages_of(std::uint32_t wanted) {
    class Collecting final : public Visitor {
     public:
      explicit Collecting(std::uint32_t level) : level_(level) {}
      bool enter(PagePtr, std::uint32_t) override { return true; }
      bool page(PageId page, const std::byte*, std::uint32_t level) override {
        if (level == level_) found.push_back(page.value);
        return true;
      }
      void extent(const format::ExtentRef&, std::string_view) override {}
      std::vector<std::uint32_t> found;

     private:
      std::uint32_t level_;
    } collecting(wanted);
    walk(store.view(), tree, collecting);
    return collecting.found;
  }

  TreeStore store;
  TreeRoot tree;
  test::Model model;
  Random random;
  NastyKeys keys;
};

bool is_corrupt(const Error& error) { return error.code() == make_error_code(Errc::corrupt); }

// Runs `step`; an Errc::corrupt that names file and page is all that it may throw.
template <typename Step>
void tolerate(Step&& step) {
  try {
    step();
  } catch (const Error& error) {
    EXPECT_TRUE(is_corrupt(error)) << error.what();
    EXPECT_NE(std::string(error.what()).find("test.quire: page "), std::string::npos);
  }
}

// Everything that reads.
void read_everywhere(Sample& sample) {
  const pages::PageView& view = sample.store.view();
  tolerate([&] { get(view, sample.tree, sample.keys.next()); });
  tolerate([&] { get(view, sample.tree, grouped(sample.random.below(400))); });
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

// Changes bytes of a page and puts them back at the end.
class Damaged {
 public:
  Damaged(TreeStore& store, std::uint32_t page, std::uint32_t offset, const std::string& bytes)
      : at_(reinterpret_cast<char*>(store.page(page)) + offset), before_(at_, bytes.size()) {
    std::memcpy(at_, bytes.data(), bytes.size());
  }
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;
  ~Damaged() { std::memcpy(at_, before_.data(), before_.size()); }

  bool changed() const { return std::memcmp(at_, before_.data(), before_.size()) != 0; }

 private:
  char* at_;
  std::string before_;
};

// Where a page holds something: header, arrays, records.
std::vector<std::uint32_t> meaningful_bytes(const std::byte* page, std::uint32_t level) {
  std::set<std::uint32_t> all;
  const auto add = [&](std::uint32_t from, std::uint32_t to) {
    for (; from < to; ++from) all.insert(from);
  };
  add(8, 28);  // the checksum matters only once sealed; heap_begin may lie anywhere below
  add(32, format::kArraysOffset);
  if (level == 0) {
    const LeafView leaf(page, kPageBytes);
    add(format::kArraysOffset, format::kArraysOffset + leaf.count() * 6);
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      add(leaf.record_offset(i), leaf.record_offset(i) + 4);
    }
  } else {
    const BranchView branch(page, kPageBytes);
    const format::BranchArrays arrays(branch.count(), branch.prefix_bytes());
    add(format::kArraysOffset, format::kArraysOffset + branch.prefix_bytes());
    add(arrays.heads, arrays.tails + branch.count() * 2);
    add(arrays.children, arrays.end);
    for (std::uint32_t i = 1; i < branch.count(); ++i) {
      if (branch.tail(i) > 4) add(branch.tail(i), branch.tail(i) + 2);
    }
  }
  return {all.begin(), all.end()};
}

// A separator may be another one and still separate: then nothing is wrong with the tree.
void expect_found_or_harmless(const Sample& sample) {
  if (!sample.store.check(sample.tree).faults.empty()) return;
  sample.store.expect_equal(sample.tree, sample.model);
  for (const auto& [key, value] : sample.model) {
    ASSERT_EQ(get(sample.store.view(), sample.tree, key), value);
  }
}

TEST(DamagedTree, IsFoundByCheckWhereverAFieldLies) {
  Sample sample;
  ASSERT_EQ(sample.tree.height, 3u);
  ASSERT_TRUE(sample.store.check(sample.tree).faults.empty());
  for (const std::uint32_t level : {0u, 1u, 2u}) {
    const auto pages = sample.pages_of(level);
    const std::uint32_t page = pages[pages.size() / 2];
    for (const std::uint32_t at : meaningful_bytes(sample.store.page(page), level)) {
      for (const char value : {'\0', '\1', '\x7f', '\xff'}) {
        const Damaged damaged(sample.store, page, at, std::string(1, value));
        if (!damaged.changed()) continue;
        SCOPED_TRACE("level " + std::to_string(level) + " byte " + std::to_string(at) + " value " +
                     std::to_string(int{value}));
        if (level > 0 && at >= format::kArraysOffset) {
          expect_found_or_harmless(sample);
        } else {
          EXPECT_FALSE(sample.store.check(sample.tree).faults.empty());
        }
      }
    }
  }
}

TEST(DamagedTree, IsFoundByCheckInEveryByteOnceSealed) {
  Sample sample;
  sample.store.seal(sample.tree);
  ASSERT_TRUE(sample.store.check(sample.tree).faults.empty());
  for (const std::uint32_t level : {0u, 1u, 2u}) {
    const std::uint32_t page = sample.pages_of(level)[0];
    for (std::uint32_t at = 0; at < kPageBytes; at += 5) {
      const char flipped = static_cast<char>(static_cast<char>(sample.store.page(page)[at]) ^ 4);
      const Damaged damaged(sample.store, page, at, std::string(1, flipped));
      EXPECT_FALSE(sample.store.check(sample.tree).faults.empty()) << level << " byte " << at;
    }
  }
}

TEST(DamagedTree, IsFoundByCheckInItsCounts) {
  Sample sample;
  for (std::uint64_t TreeRoot::*count : {&TreeRoot::entry_count, &TreeRoot::branch_pages,
                                         &TreeRoot::leaf_pages, &TreeRoot::extent_pages}) {
    TreeRoot tree = sample.tree;
    ++(tree.*count);
    EXPECT_EQ(sample.store.check(tree).faults.size(), 1u);
  }
  for (const int height : {0, 1, 2, 4, 20, 21, 255}) {
    TreeRoot tree = sample.tree;
    tree.height = static_cast<std::uint8_t>(height);
    EXPECT_FALSE(sample.store.check(tree).faults.empty()) << height;
    tolerate([&] { get(sample.store.view(), tree, "key"); });
    tolerate([&] { Cursor(sample.store.view(), tree).seek_first(); });
    tolerate([&] { clear(sample.store.space(), tree); });
    sample.store.roll_back();
  }
  TreeRoot rootless;
  rootless.entry_count = 1;
  EXPECT_EQ(sample.store.check(rootless).faults.size(), 1u);
}

bool has_fault(const Findings& findings, const std::string& text) {
  for (const std::string& fault : findings.faults) {
    if (fault.find(text) != std::string::npos) return true;
  }
  return false;
}

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

TEST(DamagedTree, IsFoundByCheckInItsValues) {
  Sample sample;
  Cursor cursor(sample.store.view(), sample.tree);
  for (cursor.seek_first(); !cursor.value_extent(); cursor.next()) {
  }
  const format::ExtentRef extent = *cursor.value_extent();
  const std::string name = "value at page " + std::to_string(extent.first_page) + ": ";
  {
    const Damaged damaged(sample.store, extent.first_page, 4000, "?");
    const Findings findings = sample.store.check(sample.tree);
    EXPECT_EQ(findings.faults.size(), 1u);
    EXPECT_TRUE(has_fault(findings, name + "checksum mismatch"));
  }
  const auto distance = reinterpret_cast<const std::byte*>(cursor.key().data()) +
                        cursor.key().size() - sample.store.view().base;
  const auto page = static_cast<std::uint32_t>(distance / kPageBytes);
  const auto at = static_cast<std::uint32_t>(distance % kPageBytes);
  const auto has_fault_with = [&](format::ExtentRef changed, const char* text) {
    const Damaged damaged(sample.store, page, at, bytes_of(changed));
    tolerate([&] { cursor.value(); });
    return has_fault(sample.store.check(sample.tree), text);
  };
  format::ExtentRef changed = extent;
  changed.size_bytes = kPageBytes;
  EXPECT_TRUE(has_fault_with(changed, "its size and its page count differ"));
  changed = extent;
  changed.birth = sample.store.txn().value + 1;
  EXPECT_TRUE(has_fault_with(changed, "it is younger than its leaf"));
  changed = extent;
  changed.page_count = 1;
  EXPECT_TRUE(has_fault_with(changed, "a value is longer than its pages"));
  changed = extent;
  changed.first_page = sample.tree.root.page;
  EXPECT_TRUE(has_fault_with(changed, "used twice"));
  changed.first_page = 5'000'000;
  EXPECT_TRUE(has_fault_with(changed, "a value's pages lie outside the file"));
}

TEST(DamagedTree, IsFoundByCheckInItsBirths) {
  Sample sample;
  const std::uint64_t later = sample.store.txn().value + 1;
  const auto birth_at = static_cast<std::uint32_t>(offsetof(format::PageHeader, birth));
  {
    const Damaged damaged(sample.store, sample.tree.root.page, birth_at, bytes_of(later));
    TreeRoot tree = sample.tree;
    tree.root.birth_low = static_cast<std::uint32_t>(later);
    EXPECT_TRUE(has_fault(sample.store.check(tree), "younger than what points to it"));
  }
  const std::uint32_t parent = sample.pages_of(1)[0];
  const BranchView branch(sample.store.page(parent), kPageBytes);
  const std::uint32_t child_at =
      format::BranchArrays(branch.count(), branch.prefix_bytes()).children;
  const PagePtr child{branch.child(0).page, static_cast<std::uint32_t>(later)};
  const Damaged damaged(sample.store, child.page, birth_at, bytes_of(later));
  const Damaged pointer(sample.store, parent, child_at, bytes_of(child));
  const Findings findings = sample.store.check(sample.tree);
  EXPECT_EQ(findings.faults.size(), 1u);
  EXPECT_TRUE(has_fault(findings, "younger than what points to it"));
}

TEST(DamagedTree, IsFoundByCheckWhereRecordsOverlap) {
  TreeStore store{kPageBytes, 100};
  TreeRoot tree;
  const std::string record{1, 0, 1, 0, 'b', 'x'};  // "b" with value "x", as a leaf stores it
  store.put(tree, "a", record);
  store.put(tree, "b", "x");
  const auto first = static_cast<std::uint16_t>(
      LeafView(store.page(tree.root.page), kPageBytes).record_offset(0) + 5);
  const Damaged damaged(store, tree.root.page, format::kArraysOffset + 2 * 4 + 2, bytes_of(first));
  EXPECT_EQ(get(store.view(), tree, "b"), "x");
  const Findings findings = store.check(tree);
  EXPECT_EQ(findings.faults.size(), 1u);
  EXPECT_TRUE(has_fault(findings, "records overlap"));
}

TEST(DamagedTree, LosesOnlyWhatIsBelowADamagedPageInCheck) {
  Sample sample;
  const std::uint32_t page = sample.pages_of(0)[10];
  const Damaged damaged(sample.store, page, 20, std::string(1, '\0'));
  const Findings findings = sample.store.check(sample.tree);
  ASSERT_EQ(findings.faults.size(), 1u);
  EXPECT_NE(findings.faults[0].find("keys from \""), std::string::npos) << findings.faults[0];
  EXPECT_EQ(findings.pages.size() + 1,
            sample.tree.leaf_pages + sample.tree.branch_pages + sample.tree.extent_pages);
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

}  // namespace
}  // namespace quire::btree
