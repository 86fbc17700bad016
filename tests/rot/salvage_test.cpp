// Salvage: of a damaged file everything that is whole comes out, and nothing that is wrong.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/leaf.h"
#include "rot/referred.h"
#include "support/metas.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

// What stands on each page of a database.
struct Place {
  std::string what;  // "leaf", "branch", "extent", "catalogue"
  std::string table;
  std::vector<std::string> keys;  // of a leaf or extent
};

class Placing final : public btree::Visitor {
 public:
  Placing(txn::Store& store, std::map<std::uint32_t, Place>& places)
      : view_(store.view(store.allocator().file_pages())), places_(places) {
    const txn::State state = store.visible_state();
    walk("", state.default_table);
    for (txn::CatalogueReader table(view_, state.catalogue); !table.at_end(); table.next()) {
      walk(std::string(table.name()), table.record().tree);
    }
    is_catalogue_ = true;
    walk("", state.catalogue);
  }

  bool enter(format::PagePtr, std::uint32_t) override { return true; }
  bool page(PageId page, const std::byte* bytes, std::uint32_t level) override {
    Place& place = places_[page.value];
    place = {is_catalogue_ ? "catalogue" : level == 0 ? "leaf" : "branch", table_, {}};
    if (level > 0) return true;
    const format::LeafView leaf(bytes, view_.page_bytes);
    for (std::uint32_t i = 0; i < leaf.count(); ++i) place.keys.emplace_back(leaf.key(i));
    return true;
  }
  void extent(const format::ExtentRef& extent, std::string_view key) override {
    places_[extent.first_page] = {"extent", table_, {std::string(key)}};
  }

 private:
  void walk(const std::string& table, const format::TreeRoot& tree) {
    table_ = table;
    btree::walk(view_, tree, *this);
  }

  pages::PageView view_;
  std::map<std::uint32_t, Place>& places_;
  std::string table_;
  bool is_catalogue_ = false;
};

class Salvage : public DatabaseTest {
 protected:
  void SetUp() override { skip_final_check(); }

  std::map<std::uint32_t, Place> places() {
    std::map<std::uint32_t, Place> found;
    const Database db{file_};
    Placing(detail::Access::store(db), found);
    return found;
  }

  void flip(std::string& image, std::uint32_t page, std::uint64_t bytes = kSmallPageBytes) {
    const std::uint64_t at = std::uint64_t{page} * kSmallPageBytes + random_.below(bytes);
    image[at] = static_cast<char>(image[at] ^ static_cast<char>(random_.between(1, 255)));
  }

  // Salvages an image; the source stays as it is and the target is sound.
  SalvageReport salvaged(const std::string& image, Tables& made) {
    write_file(file_, image);
    std::filesystem::remove(target_);
    std::filesystem::remove(lock_file_of(target_));
    const SalvageReport report = salvage(file_, target_);
    EXPECT_TRUE(read_file(file_) == image) << "the source was changed";
    const Database db{target_};
    EXPECT_TRUE(check(db).ok());
    made = tables_of(db);
    std::uint64_t entry_count = 0;
    for (const auto& [name, table] : made) entry_count += table.size();
    EXPECT_EQ(report.entry_count, entry_count);
    EXPECT_EQ(report.table_count, made.size() - 1);
    return report;
  }

  static bool names_key(const SalvageReport& report, const std::string& table,
                        const std::string& key) {
    return std::any_of(report.losses.begin(), report.losses.end(), [&](const Fault& loss) {
      return loss.keys && loss.keys->table == table &&
             (!loss.keys->first || *loss.keys->first <= key) &&
             (!loss.keys->limit || key < *loss.keys->limit);
    });
  }

  // Tables whose names are lost, put back under the names of those that hold the same.
  static Tables renamed(const Tables& made, const Tables& whole) {
    Tables named;
    for (const auto& [name, table] : made) {
      const auto known =
          std::find_if(whole.begin(), whole.end(),
                       [&, &held = table](const auto& t) { return t.second == held; });
      const bool is_lost = name.starts_with("salvaged-");
      named[is_lost && known != whole.end() ? known->first : name] = table;
    }
    return named;
  }

  std::filesystem::path target_ = directory_.file("target");
  Random random_{choose_seed("salvage")};
};

TEST_F(Salvage, OfAWholeFileIsComplete) {
  const Tables clean = make_clean(file_);
  Tables made;
  EXPECT_TRUE(salvaged(read_file(file_), made).is_complete());
  EXPECT_TRUE(made == clean);
  const std::vector<Tables> states = make_unclean(file_);
  EXPECT_TRUE(salvaged(read_file(file_), made).is_complete());
  EXPECT_TRUE(made == states.back());
}

TEST_F(Salvage, LosesTheEntriesOfADamagedPageAndNoOther) {
  const Tables whole = make_clean(file_);
  const std::map<std::uint32_t, Place> all = places();
  const std::string image = read_file(file_);
  for (const auto& [page, place] : all) {
    for (std::uint64_t round = 0; round < rounds(4, 1); ++round) {
      std::string damaged = image;
      flip(damaged, page, place.what == "extent" ? 2048 : kSmallPageBytes);
      Tables made;
      const SalvageReport report = salvaged(damaged, made);
      const std::string context = place.what + " page " + std::to_string(page);
      Tables expected = whole;
      if (place.what == "leaf" || place.what == "extent") {
        for (const std::string& key : place.keys) {
          expected[place.table].erase(key);
          ASSERT_TRUE(names_key(report, place.table, key)) << context;
        }
      }
      ASSERT_EQ(report.is_complete(), place.what == "branch") << context;
      ASSERT_TRUE(renamed(made, whole) == expected) << context;
    }
  }
}

TEST_F(Salvage, GoesAroundDamagedBranchesOfSeveralTables) {
  const Tables whole = make_clean(file_);
  const std::map<std::uint32_t, Place> all = places();
  const std::string image = read_file(file_);
  for (std::uint64_t round = 0; round < rounds(60, 6); ++round) {
    std::string damaged = image;
    for (const auto& [page, place] : all) {
      if (place.what == "branch" && random_.one_in(2)) flip(damaged, page);
    }
    Tables made;
    const SalvageReport report = salvaged(damaged, made);
    std::uint64_t entry_count = 0;
    for (const auto& [name, table] : made) {
      entry_count += table.size();
      if (name.starts_with("salvaged-")) continue;
      for (const auto& [key, value] : table) {
        ASSERT_TRUE(whole.at(name).contains(key)) << name;
        ASSERT_EQ(whole.at(name).at(key), value) << name;
      }
    }
    std::uint64_t whole_count = 0;
    for (const auto& [name, table] : whole) whole_count += table.size();
    ASSERT_EQ(entry_count, whole_count);
  }
}

TEST_F(Salvage, NeedsNeitherASpaceMapNorAMeta) {
  const Tables whole = make_clean(file_);
  const std::string image = read_file(file_);
  const format::Meta meta = meta_of(image, 0);
  Tables made;
  std::string without_map = image;
  flip(without_map, meta.map[meta.current_map].first_page);
  EXPECT_FALSE(salvaged(without_map, made).is_complete());
  EXPECT_TRUE(made == whole);

  for (std::uint64_t round = 0; round < rounds(100, 10); ++round) {
    std::string flipped = image;
    for (const std::uint64_t offset : format::kMetaOffset) {
      flipped[offset + random_.below(format::kMetaBytes)] ^= 0x10;
    }
    made.clear();
    ASSERT_TRUE(salvaged(flipped, made).is_complete());
    ASSERT_TRUE(made == whole);
  }

  std::string without_metas = image;
  for (const std::uint64_t offset : format::kMetaOffset) {
    without_metas.replace(offset, format::kMetaBytes, format::kMetaBytes, '\0');
  }
  const SalvageReport report = salvaged(without_metas, made);
  EXPECT_FALSE(report.doubts.empty());
  EXPECT_TRUE(made == whole);
}

TEST_F(Salvage, ReplaysTheLogUpToTheFirstDamage) {
  const std::vector<Tables> states = make_unclean(file_);
  const std::string image = read_file(file_);
  const format::Meta meta = meta_of(image, 0);
  const std::uint64_t log = std::uint64_t{meta.log.first_page} * meta.page_bytes;
  const std::uint64_t first = log + meta.log_start % (meta.log.page_count * meta.page_bytes);
  Tables made;
  std::size_t seen = 0;
  for (std::uint64_t at = first; at < first + 600; at += rounds(20, 200)) {
    std::string damaged = image;
    damaged[at] ^= 1;
    const SalvageReport report = salvaged(damaged, made);
    const auto state = std::find(states.begin(), states.end(), made);
    ASSERT_TRUE(state != states.end()) << "byte " << at;
    const auto commits = static_cast<std::size_t>(state - states.begin());
    ASSERT_GE(commits, seen) << "byte " << at;
    ASSERT_EQ(report.is_complete(), commits + 1 >= kSmallCommits) << "byte " << at;
    seen = commits;
  }
}

TEST_F(Salvage, OfATruncatedFileKeepsWhatIsThere) {
  const Tables whole = make_clean(file_);
  const std::string image = read_file(file_);
  for (std::size_t size = image.size(); size > 400'000; size -= 50'000) {
    Tables made;
    salvaged(image.substr(0, size), made);
    for (const auto& [name, table] : renamed(made, whole)) {
      if (!whole.contains(name)) continue;
      for (const auto& [key, value] : table) ASSERT_EQ(whole.at(name).at(key), value);
    }
  }
}

TEST_F(Salvage, RefusesAFileInUseOneThatIsNoneAndATargetThatExists) {
  make_clean(file_);
  {
    const Database db{file_};
    EXPECT_EQ(errc_of([&] { salvage(file_, target_); }), Errc::busy);
  }
  write_file(target_, "precious");
  EXPECT_EQ(errc_of([&] { salvage(file_, target_); }), Errc::misuse);
  EXPECT_EQ(read_file(target_), "precious");
  std::filesystem::remove(target_);
  write_file(file_, pattern(1'000'000, 1));
  EXPECT_EQ(errc_of([&] { salvage(file_, target_); }), Errc::not_a_database);
  write_file(file_, "");
  EXPECT_EQ(errc_of([&] { salvage(file_, target_); }), Errc::not_a_database);
  EXPECT_FALSE(std::filesystem::exists(target_));
}

}  // namespace
}  // namespace quire::test
