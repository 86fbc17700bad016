// check_tree finds what is wrong with a tree.
#include <quire/error.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "btree/cursor.h"
#include "btree/damaged_tree.h"
#include "btree/tree.h"
#include "btree/tree_store.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::LeafView;
using format::PagePtr;
using format::TreeRoot;
using test::bytes_of;
using test::Damaged;
using test::Exchanged;
using test::Findings;
using test::has_fault;
using test::kPageBytes;
using test::meaningful_bytes;
using test::tolerate;
using test::TreeStore;
using Sample = test::DamageSample;

// A separator may be another one and still separate: then nothing is wrong with the tree.
void expect_found_or_harmless(const Sample& sample) {
  if (!sample.store.check(sample.tree).faults.empty()) return;
  sample.store.expect_equal(sample.tree, sample.model);
  for (const auto& [key, value] : sample.model) {
    ASSERT_EQ(get(sample.store.view(), sample.tree, key), value);
  }
}

TEST(CheckTree, FindsEveryFieldThatLies) {
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

TEST(CheckTree, FindsEveryChangedByteOnceSealed) {
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

TEST(CheckTree, FindsWrongCountsAndHeights) {
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

TEST(CheckTree, FindsDamagedValuesAndReferences) {
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

TEST(CheckTree, FindsPagesYoungerThanTheirParents) {
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

TEST(CheckTree, FindsKeysOutOfOrder) {
  Sample sample;
  const std::uint32_t page = sample.pages_of(0)[5];
  const std::uint32_t count = LeafView(sample.store.page(page), kPageBytes).count();
  const Exchanged heads(sample.store, page, format::kArraysOffset, 4, 1);
  const Exchanged offsets(sample.store, page, format::kArraysOffset + count * 4, 2, 1);
  const Findings findings = sample.store.check(sample.tree);
  EXPECT_EQ(findings.faults.size(), 1u);
  EXPECT_TRUE(has_fault(findings, "keys out of order at entry 2"));
}

TEST(CheckTree, FindsSeparatorsOutOfOrder) {
  Sample sample;
  const std::uint32_t page = sample.tree.root.page;
  const BranchView branch(sample.store.page(page), kPageBytes);
  ASSERT_GE(branch.count(), 4u);
  const format::BranchArrays arrays(branch.count(), branch.prefix_bytes());
  const Exchanged heads(sample.store, page, arrays.heads, 4, 2);
  const Exchanged tails(sample.store, page, arrays.tails, 2, 2);
  EXPECT_TRUE(has_fault(sample.store.check(sample.tree), "separators out of order at entry 3"));
}

TEST(CheckTree, FindsPagesOutOfOrder) {
  Sample sample;
  const std::uint32_t root = sample.tree.root.page;
  for (const std::uint32_t page : {root, sample.pages_of(1)[1]}) {
    const BranchView branch(sample.store.page(page), kPageBytes);
    const format::BranchArrays arrays(branch.count(), branch.prefix_bytes());
    const Exchanged children(sample.store, page, arrays.children, 8, 1);
    const Findings findings = sample.store.check(sample.tree);
    EXPECT_TRUE(has_fault(findings, "key outside the range above at entry 0"));
    EXPECT_EQ(has_fault(findings, "separator outside the range above at entry 1"), page == root);
  }
}

TEST(CheckTree, FindsKeysThatDoNotBelongInTheirPage) {
  TreeStore store{kPageBytes, 100};
  TreeRoot tree;
  store.put(tree, "key 1", "v");
  store.put(tree, "key 2", "v");
  const std::uint32_t root = tree.root.page;
  {
    const std::uint32_t record = LeafView(store.page(root), kPageBytes).record_offset(0);
    const Damaged damaged(store, root, record + format::kLeafRecordBytes, "kex");
    EXPECT_TRUE(has_fault(store.check(tree), "key without the page's prefix"));
  }
  format::leaf_start(store.page(root), kPageBytes, {std::string(2000, 'k'), "v", false});
  EXPECT_TRUE(has_fault(store.check(tree), "key too long"));
  format::leaf_start(store.page(root), kPageBytes, {"key", std::string(2000, 'v'), false});
  EXPECT_TRUE(has_fault(store.check(tree), "value too long"));
}

TEST(CheckTree, FindsARootWithASingleChild) {
  TreeStore store{kPageBytes, 100};
  TreeRoot tree;
  store.put(tree, "key", "value");
  PagePtr root;
  std::byte* page = store.space().create(1, &root);
  format::branch_start(page, kPageBytes, tree.root);
  tree.root = root;
  tree.height = 2;
  tree.branch_pages = 1;
  const Findings findings = store.check(tree);
  EXPECT_EQ(findings.faults.size(), 1u);
  EXPECT_TRUE(has_fault(findings, "a root with a single child"));
  for (const std::uint32_t at :
       {format::BranchArrays(1, 0).heads, format::BranchArrays(1, 0).tails}) {
    const Damaged damaged(store, root.page, at, "x");
    EXPECT_TRUE(has_fault(store.check(tree), "the first child has a separator"));
  }
  const format::BranchArrays arrays(1, 2);
  std::memcpy(page + arrays.children, page + format::BranchArrays(1, 0).children, sizeof(PagePtr));
  format::header_of(page).prefix_bytes = 2;
  EXPECT_TRUE(has_fault(store.check(tree), "a prefix without separators"));
}

TEST(CheckTree, FindsOverlappingRecords) {
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

TEST(CheckTree, GoesOnBesideAnUnreadablePage) {
  Sample sample;
  const std::uint32_t page = sample.pages_of(0)[10];
  const Damaged damaged(sample.store, page, 20, std::string(1, '\0'));
  const Findings findings = sample.store.check(sample.tree);
  ASSERT_EQ(findings.faults.size(), 1u);
  EXPECT_NE(findings.faults[0].find("keys from \""), std::string::npos) << findings.faults[0];
  EXPECT_EQ(findings.pages.size() + 1,
            sample.tree.leaf_pages + sample.tree.branch_pages + sample.tree.extent_pages);
}

}  // namespace
}  // namespace quire::btree
