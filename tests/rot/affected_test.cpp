// What check() says about the keys that damage touches.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "format/leaf.h"
#include "rot/flipped.h"
#include "rot/referred.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

// Leaves and extents of one table, with the keys that stand in them.
class Places final : public btree::Visitor {
 public:
  struct Leaf {
    std::uint64_t page;
    std::string first;
    std::string last;
  };

  Places(txn::Store& store, const format::TreeRoot& tree) : page_bytes_(store.facts().page_bytes) {
    btree::walk(store.view(store.allocator().file_pages()), tree, *this);
  }

  bool enter(format::PagePtr, std::uint32_t) override { return true; }
  bool page(PageId page, const std::byte* bytes, std::uint32_t level) override {
    if (level > 0) return true;
    const format::LeafView leaf(bytes, page_bytes_);
    leaves.push_back(
        {page.value, std::string(leaf.key(0)), std::string(leaf.key(leaf.count() - 1))});
    return true;
  }
  void extent(const format::ExtentRef& extent, std::string_view key) override {
    extents.emplace_back(extent.first_page, key);
  }

  std::vector<Leaf> leaves;
  std::vector<std::pair<std::uint64_t, std::string>> extents;

 private:
  std::uint32_t page_bytes_;
};

bool covers(const AffectedKeys& keys, const std::string& key) {
  return (!keys.first || *keys.first <= key) && (!keys.limit || key < *keys.limit);
}

class Affected : public DatabaseTest {
 protected:
  void SetUp() override {
    make_clean(file_);
    db_.emplace(file_);
  }

  txn::Store& store() { return detail::Access::store(*db_); }

  format::TreeRoot tree(const std::string& name) {
    const txn::State state = store().visible_state();
    if (name.empty()) return state.default_table;
    return txn::find_table(store().view(state.page_count), state.catalogue, name).value().tree;
  }

  // The keys of the only fault that one changed byte makes.
  std::optional<AffectedKeys> keys_after_flip(std::uint64_t page, std::uint64_t byte) {
    const Flipped flipped(*db_, page * kSmallPageBytes + byte);
    const CheckReport report = check(*db_);
    EXPECT_FALSE(report.ok());
    return report.faults.empty() ? std::nullopt : report.faults[0].keys;
  }

  std::optional<Database> db_;
};

TEST_F(Affected, KeysOfALeafAreThoseBetweenItsSeparators) {
  for (const std::string name : {"", "named", "large"}) {
    const Places places(store(), tree(name));
    for (std::size_t i = 0; i < places.leaves.size(); ++i) {
      const auto keys = keys_after_flip(places.leaves[i].page, kSmallPageBytes - 3);
      ASSERT_TRUE(keys) << name;
      EXPECT_EQ(keys->table, name);
      EXPECT_TRUE(covers(*keys, places.leaves[i].first) && covers(*keys, places.leaves[i].last));
      EXPECT_FALSE(i > 0 && covers(*keys, places.leaves[i - 1].last));
      EXPECT_FALSE(i + 1 < places.leaves.size() && covers(*keys, places.leaves[i + 1].first));
    }
  }
}

TEST_F(Affected, KeysOfARootAreAll) {
  const auto keys = keys_after_flip(tree("").root.page, kSmallPageBytes - 3);
  ASSERT_TRUE(keys);
  EXPECT_FALSE(keys->first || keys->limit);
}

TEST_F(Affected, KeyOfAnExtentIsItsOwn) {
  const Places places(store(), tree("large"));
  ASSERT_FALSE(places.extents.empty());
  for (const auto& [page, key] : places.extents) {
    const auto keys = keys_after_flip(page, 17);
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->table, "large");
    EXPECT_EQ(keys->first, key);
    EXPECT_EQ(keys->limit, key + std::string(1, '\0'));
  }
}

TEST_F(Affected, KeysOfACatalogueAreNobodys) {
  EXPECT_FALSE(keys_after_flip(store().visible_state().catalogue.root.page, kSmallPageBytes - 3));
}

}  // namespace
}  // namespace quire::test
