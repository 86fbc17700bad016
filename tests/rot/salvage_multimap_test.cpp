// Salvage of multimaps: what is whole comes out, with the kind of its table.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "btree/cursor.h"
#include "btree/walk.h"
#include "db/handles.h"
#include "format/branch.h"
#include "format/leaf.h"
#include "support/metas.h"
#include "support/small_database.h"
#include "txn/catalogue.h"

namespace quire::test {
namespace {

using Pairs = std::set<std::pair<std::string, std::string>>;
using Multimaps = std::map<std::string, Pairs>;

Multimaps multimaps_of(const Database& database) {
  const Snapshot now = database.snapshot();
  Multimaps all;
  for (const std::string& name : now.tables()) {
    if (!now.is_multimap(name)) continue;
    for (const auto& [key, value] : now.multimap(name)) all[name].emplace(key, value);
  }
  return all;
}

// Pages of trees of values, with the values of those that are leaves.
std::map<std::uint32_t, Pairs> pages_of_values(const Database& database) {
  class Finding final : public btree::Visitor {
   public:
    explicit Finding(const pages::PageView& view) : view_(view) {}
    bool enter(format::PagePtr, std::uint32_t) override { return true; }
    bool page(PageId page, const std::byte* bytes, std::uint32_t level) override {
      Pairs& values = found[page.value];
      if (level > 0) return true;
      const format::LeafView leaf(bytes, view_.page_bytes);
      for (std::uint32_t i = 0; i < leaf.count(); ++i) values.emplace(key, leaf.key(i));
      return true;
    }
    void extent(const format::ExtentRef&, std::string_view) override {}
    std::string key;
    std::map<std::uint32_t, Pairs> found;

   private:
    const pages::PageView& view_;
  };
  txn::Store& store = detail::Access::store(database);
  const pages::PageView view = store.view(store.allocator().file_pages());
  const auto record = txn::find_table(view, store.visible_state().catalogue, "map");
  Finding finding(view);
  btree::Cursor keys(view, record->tree);
  for (keys.seek_first(); !keys.at_end(); keys.next()) {
    finding.key = keys.key();
    const btree::Values values = keys.values();
    if (!values.set) btree::walk(view, values.tree, finding);
  }
  return finding.found;
}

// Branches of the tree of keys.
std::set<std::uint32_t> branches_of_keys(const Database& database) {
  txn::Store& store = detail::Access::store(database);
  const pages::PageView view = store.view(store.allocator().file_pages());
  const auto record = txn::find_table(view, store.visible_state().catalogue, "map");
  std::set<std::uint32_t> branches;
  const auto add = [&](auto&& self, format::PagePtr pointer, std::uint32_t level) -> void {
    if (level == 0) return;
    branches.insert(pointer.page);
    const format::BranchView branch(view.read(pointer, level), view.page_bytes);
    for (std::uint32_t i = 0; i < branch.count(); ++i) self(self, branch.child(i), level - 1);
  };
  add(add, record->tree.root, record->tree.height - 1u);
  return branches;
}

class SalvagedMultimap : public DatabaseTest {
 protected:
  void SetUp() override { skip_final_check(); }

  void fill(Transaction& tx) {
    Multimap map = tx.multimap("map");
    for (std::uint64_t i = 0; i < 900; ++i) {
      map.insert("many " + std::to_string(i % 2), pattern(20, i) + big_endian(i));
      map.insert(big_endian(i / 4), pattern(10, i) + big_endian(i));
    }
    tx.multimap("empty").insert("a", "b");
    tx.multimap("empty").erase("a");
    for (std::uint64_t i = 0; i < 300; ++i) tx.table().put(big_endian(i), pattern(60, i));
  }

  // A closed file that holds them.
  Multimaps make() {
    create_small_file(file_);
    Database db{file_};
    db.write([&](Transaction& tx) { fill(tx); });
    return multimaps_of(db);
  }

  SalvageReport salvaged(const std::string& image, Multimaps& made) {
    write_file(file_, image);
    std::filesystem::remove(target_);
    std::filesystem::remove(lock_file_of(target_));
    const SalvageReport report = salvage(file_, target_);
    const Database db{target_};
    expect_sound(db);
    made = multimaps_of(db);
    return report;
  }

  std::filesystem::path target_ = directory_.file("target");
};

TEST_F(SalvagedMultimap, OfAWholeFileIsComplete) {
  const Multimaps whole = make();
  Multimaps made;
  EXPECT_TRUE(salvaged(read_file(file_), made).is_complete());
  EXPECT_TRUE(made == whole);
  const Database db{target_};
  EXPECT_TRUE(db.snapshot().is_multimap("empty"));
}

TEST_F(SalvagedMultimap, KeepsWhatTheLogSaysOfIt) {
  make();
  const std::filesystem::path live = directory_.file("live");
  std::filesystem::copy_file(file_, live);
  Database db{live};
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("map");
    map.erase("many 0");
    map.erase(big_endian(3), pattern(10, 13) + big_endian(13));
    map.insert("new", "1");
    EXPECT_GT(map.erase_keys(big_endian(10), big_endian(20)), 30u);
    tx.multimap("newer").insert("x", "y");
    tx.multimap("empty").clear();
  });
  const Multimaps expected = multimaps_of(db);
  Multimaps made;
  EXPECT_TRUE(salvaged(read_file(live), made).is_complete());
  EXPECT_TRUE(made == expected);
}

TEST_F(SalvagedMultimap, LosesTheValuesOfADamagedLeafAndNoOther) {
  const Multimaps whole = make();
  std::map<std::uint32_t, Pairs> pages;
  {
    const Database db{file_};
    pages = pages_of_values(db);
  }
  ASSERT_GT(pages.size(), 10u);
  const std::string image = read_file(file_);
  for (const auto& [page, values] : pages) {
    std::string damaged = image;
    damaged[std::uint64_t{page} * kSmallPageBytes + 3000] ^= 0x10;
    Multimaps made;
    const SalvageReport report = salvaged(damaged, made);
    Multimaps expected = whole;
    for (const auto& pair : values) expected["map"].erase(pair);
    ASSERT_TRUE(made == expected) << "page " << page;
    ASSERT_EQ(report.is_complete(), values.empty()) << "page " << page;
    if (values.empty()) continue;
    ASSERT_EQ(report.losses[0].keys->first, values.begin()->first);
    ASSERT_EQ(report.missing_entry_count, values.size());
  }
}

// Leaves of values were taken for leaves of the keys, because both have lost their place, and the
// values were lost though every page of them was whole.
TEST_F(SalvagedMultimap, LosesNothingWithABranchAboveItsKeys) {
  const Multimaps whole = make();
  std::set<std::uint32_t> branches;
  {
    const Database db{file_};
    branches = branches_of_keys(db);
  }
  ASSERT_FALSE(branches.empty());
  const std::string image = read_file(file_);
  for (const std::uint32_t page : branches) {
    std::string damaged = image;
    damaged[std::uint64_t{page} * kSmallPageBytes + kSmallPageBytes - 100] ^= 0x10;
    Multimaps made;
    salvaged(damaged, made);
    ASSERT_TRUE(made == whole) << "page " << page;
  }
}

TEST_F(SalvagedMultimap, NeedsNoMeta) {
  const Multimaps whole = make();
  std::string image = read_file(file_);
  for (const std::uint64_t offset : format::kMetaOffset) {
    image.replace(offset, format::kMetaBytes, format::kMetaBytes, '\0');
  }
  Multimaps made;
  EXPECT_FALSE(salvaged(image, made).is_complete());
  EXPECT_TRUE(made == whole);
}

}  // namespace
}  // namespace quire::test
