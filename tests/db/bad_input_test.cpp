// Files that are no database, or a damaged or foreign one: refused with a reason, and left as they
// are.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "support/child.h"
#include "support/database_test.h"
#include "support/metas.h"

namespace quire::test {
namespace {

// A closed database with a few hundred pages, and what it holds.
class BadFile : public DatabaseTest {
 protected:
  void SetUp() override {
    skip_final_check();
    Database db{file_};
    db.write([](Transaction& tx) {
      for (std::uint64_t i = 0; i < 1000; ++i) tx.table().put(big_endian(i), pattern(i, i));
      tx.table("large").put("large", pattern(300'000, 1));
    });
  }

  // The file is refused with this code, in words that name it, and no byte of it changes.
  void expect_refused(Errc code, const Options& options = {}) const {
    const std::string before = read_file(file_);
    EXPECT_EQ(errc_of([&] { Database(file_, options); }), code);
    const std::string text = text_of([&] { Database(file_, options); });
    EXPECT_NE(text.find(file_.filename().string()), std::string::npos) << text;
    EXPECT_TRUE(read_file(file_) == before) << "the refused file was changed";
  }

  void expect_content() const {
    Database db{file_};
    const Snapshot now = db.snapshot();
    for (std::uint64_t i = 0; i < 1000; ++i) {
      ASSERT_EQ(now.table().get(big_endian(i)), pattern(i, i));
    }
    EXPECT_EQ(now.table("large").get("large"), pattern(300'000, 1));
  }

  void expect_whole() const {
    expect_content();
    expect_sound(file_);
  }
};

TEST_F(BadFile, ThatIsSomethingElseIsNotADatabase) {
  for (const std::size_t size :
       std::initializer_list<std::size_t>{1, 100, 511, 4096, 65536, 200'000, 3'000'000}) {
    write_file(file_, pattern(size, size));
    expect_refused(Errc::not_a_database);
    write_file(file_, std::string(size, '\0'));
    expect_refused(Errc::not_a_database);
    write_file(file_, std::string(size, '\n'));
    expect_refused(Errc::not_a_database);
  }
}

TEST_F(BadFile, ThatIsEmptyIsNotADatabase) {
  write_file(file_, "");
  expect_refused(Errc::not_a_database);
}

TEST_F(BadFile, ThatIsTruncatedIsRefusedAtEveryLength) {
  const std::string whole = read_file(file_);
  for (const std::size_t size : std::initializer_list<std::size_t>{
           std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{65536},
           std::size_t{65536 + 300}, std::size_t{131072}, std::size_t{135168}, whole.size() / 2,
           whole.size() - 4096, whole.size() - 1}) {
    write_file(file_, whole.substr(0, size));
    const std::optional<Errc> code = errc_of([&] { Database{file_}; });
    EXPECT_TRUE(code == Errc::not_a_database || code == Errc::corrupt)
        << size << " of " << whole.size() << " bytes: " << text_of([&] { Database{file_}; });
    EXPECT_EQ(std::filesystem::file_size(file_), size);
  }
  write_file(file_, whole);
  expect_whole();
}

TEST_F(BadFile, WithTrailingBytesIsRead) {
  write_file(file_, read_file(file_) + std::string(100'000, '\0'));
  expect_whole();
}

TEST_F(BadFile, OfANewerVersionIsRefused) {
  edit_metas(file_, [](format::Meta& meta) { ++meta.format_version; });
  expect_refused(Errc::wrong_version);
  edit_metas(file_, [](format::Meta& meta) { meta.format_version = 0; });
  expect_refused(Errc::wrong_version);
}

TEST_F(BadFile, WithAnUnknownIncompatBitIsRefused) {
  for (const int bit : {1, 2, 31, 63}) {
    edit_metas(file_, [&](format::Meta& meta) { meta.incompat = std::uint64_t{1} << bit; });
    expect_refused(Errc::wrong_version);
  }
  edit_metas(file_, [](format::Meta& meta) { meta.incompat = 0; });
  expect_whole();
}

TEST_F(BadFile, WithAnUnknownRoCompatBitIsNotWritten) {
  edit_metas(file_, [](format::Meta& meta) { meta.ro_compat = 1; });
  expect_refused(Errc::wrong_version);
}

TEST_F(BadFile, WithAnUnknownCompatBitIsUsed) {
  edit_metas(file_, [](format::Meta& meta) { meta.compat = 1; });
  expect_whole();
}

TEST_F(BadFile, WithOneBrokenMetaOpensFromTheOtherAndIsMendedByAWrite) {
  const std::string whole = read_file(file_);
  const auto expect_mended = [&](const std::string& broken, int slot) {
    write_file(file_, broken);
    expect_content();
    Database db{file_};
    const CheckReport report = check(db);
    ASSERT_EQ(report.fault_count, 1u);
    EXPECT_EQ(report.faults[0].page, format::kMetaOffset[slot] / 4096);
    db.put("a", "write");
    db.checkpoint();
    expect_sound(db);
    db.erase("a");
    expect_content();
  };
  for (const int slot : {0, 1}) {
    for (const std::size_t byte : std::initializer_list<std::size_t>{0, 8, 12, 64, 100, 256, 263}) {
      std::string broken = whole;
      broken[format::kMetaOffset[slot] + byte] ^= 0x40;
      expect_mended(broken, slot);
    }
    std::string zeroed = whole;
    zeroed.replace(format::kMetaOffset[slot], 4096, std::string(4096, '\0'));
    expect_mended(zeroed, slot);
  }
}

TEST_F(BadFile, WithTwoBrokenMetasIsRefused) {
  const std::string whole = read_file(file_);
  for (const std::size_t byte : std::initializer_list<std::size_t>{12, 64, 100, 224, 256}) {
    std::string broken = whole;
    for (const int slot : {0, 1}) broken[format::kMetaOffset[slot] + byte] ^= 0x40;
    write_file(file_, broken);
    expect_refused(Errc::corrupt);
  }
}

TEST_F(BadFile, WithImpossibleMetaFieldsIsRefused) {
  const std::string whole = read_file(file_);
  const auto expect_corrupt = [&](const char* what, auto&& edit) {
    write_file(file_, whole);
    edit_metas(file_, edit);
    const std::optional<Errc> code = errc_of([&] {
      Database db{file_};
      entries(db);
    });
    EXPECT_TRUE(code == Errc::corrupt || code == Errc::not_a_database) << what;
  };
  expect_corrupt("page size 0", [](format::Meta& m) { m.page_bytes = 0; });
  expect_corrupt("page size 1", [](format::Meta& m) { m.page_bytes = 1; });
  expect_corrupt("page size 5000", [](format::Meta& m) { m.page_bytes = 5000; });
  expect_corrupt("page size 2^31", [](format::Meta& m) { m.page_bytes = 1u << 31; });
  expect_corrupt("no pages", [](format::Meta& m) { m.page_count = 0; });
  expect_corrupt("many pages", [](format::Meta& m) { m.page_count = ~std::uint64_t{0}; });
  expect_corrupt("more pages", [](format::Meta& m) { m.page_count += 100'000; });
  expect_corrupt("root outside", [](format::Meta& m) { m.default_table.root.page = 1u << 30; });
  expect_corrupt("root in meta", [](format::Meta& m) { m.default_table.root.page = 1; });
  expect_corrupt("no root", [](format::Meta& m) { m.default_table.root.page = 0; });
  expect_corrupt("height", [](format::Meta& m) { m.default_table.height = 200; });
  expect_corrupt("lower height", [](format::Meta& m) { --m.default_table.height; });
  expect_corrupt("birth", [](format::Meta& m) { ++m.default_table.root.birth_low; });
  expect_corrupt("log outside", [](format::Meta& m) { m.log.first_page = 1u << 30; });
  expect_corrupt("log too long", [](format::Meta& m) { m.log.page_count = ~0u; });
  expect_corrupt("no log", [](format::Meta& m) { m.log.page_count = 0; });
  expect_corrupt("map outside", [](format::Meta& m) { m.map[0].first_page = 1u << 30; });
  expect_corrupt("no map", [](format::Meta& m) { m.map[m.current_map & 1].page_count = 0; });
  // Checkpoints would have written over the log, the other map or a tree.
  expect_corrupt("log on map", [](format::Meta& m) { m.log.first_page = m.map[0].first_page; });
  expect_corrupt("map in log", [](format::Meta& m) { m.map[1].first_page = m.log.first_page + 9; });
  expect_corrupt("map on map", [](format::Meta& m) { m.map[0] = m.map[1]; });
  // Numbers that wrap would have let a recovery commit under an id from before.
  expect_corrupt("last txn", [](format::Meta& m) { m.txn = m.id_base = ~std::uint64_t{0}; });
  expect_corrupt("no txn", [](format::Meta& m) { m.txn = 0; });
  expect_corrupt("last log position", [](format::Meta& m) { m.log_start = ~std::uint64_t{7}; });
  // The next pad would have been stored across the end of the log.
  expect_corrupt("log start at the edge",
                 [](format::Meta& m) { m.log_start = m.log.page_count * 4096 - 8; });
  expect_corrupt("last sequence", [](format::Meta& m) { m.sequence = ~std::uint64_t{0} - 1; });
  expect_corrupt("third map", [](format::Meta& m) { m.current_map = 2; });
}

TEST_F(BadFile, WithEveryPageDamagedInTurnNeverCrashes) {
  const std::string whole = read_file(file_);
  Random random{choose_seed("WithEveryPageDamagedInTurnNeverCrashes")};
  const std::size_t page_count = whole.size() / 4096;
  std::size_t found = 0;
  for (std::size_t page = 33; page < page_count; page += kSanitized ? 7 : 2) {
    std::string broken = whole;
    for (int n = 0; n < 4; ++n) {
      broken[page * 4096 + random.below(4096)] ^= static_cast<char>(1 << random.below(8));
    }
    write_file(file_, broken);
    std::filesystem::remove(lock_file_of(file_));
    const std::optional<Errc> code = errc_of([&] {
      Database db{file_};
      if (!check(db).ok()) ++found;
      entries(db);
      entries(db, "large");
      db.write([](Transaction& tx) {
        tx.table().put(big_endian(5), "new");
        tx.table().erase(big_endian(900));
        tx.table("large").put("large", "small");
      });
    });
    EXPECT_TRUE(code == std::nullopt || code == Errc::corrupt);
    if (code == Errc::corrupt) ++found;
  }
  EXPECT_GT(found, 0u);
}

TEST_F(BadFile, WithAFlippedBitInEveryTreePageIsFoundByCheck) {
  std::uint64_t tree_pages = 0;
  const std::string whole = read_file(file_);
  for (std::size_t at = format::kReservedBytes; at + 4096 <= whole.size(); at += 4096) {
    format::PageHeader header;
    std::memcpy(&header, whole.data() + at, sizeof header);
    if (header.page * std::uint64_t{4096} != at || header.birth == 0) continue;
    if (header.kind != format::PageKind::leaf && header.kind != format::PageKind::branch) continue;
    std::string broken = whole;
    broken[at + 4096 - 10] ^= 1;
    write_file(file_, broken);
    bool found = false;
    const std::optional<Errc> code = errc_of([&] { found = !check(Database{file_}).ok(); });
    if (found || code == Errc::corrupt) ++tree_pages;
  }
  write_file(file_, whole);
  std::uint64_t used = 0;
  for (const TableStatistics& table : stat(Database{file_}).tables) {
    used += table.branch_page_count + table.leaf_page_count;
  }
  EXPECT_GE(tree_pages, used);
}

TEST_F(BadFile, WithDamageInALargeValueIsFoundByCheck) {
  std::string whole = read_file(file_);
  const std::string value = pattern(300'000, 1);
  const std::size_t at = whole.find(value.substr(0, 64));
  ASSERT_NE(at, std::string::npos);
  whole[at + 299'999] ^= 1;
  write_file(file_, whole);
  EXPECT_FALSE(check(Database{file_}).ok());
}

TEST_F(BadFile, ThatIsADirectoryIsRefused) {
  const std::filesystem::path directory = directory_.file("directory");
  std::filesystem::create_directory(directory);
  EXPECT_EQ(errc_of([&] { Database{directory}; }), Errc::io);
  EXPECT_NE(text_of([&] { Database{directory}; }).find("directory"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(BadFile, ThatIsADeviceOrAPipeIsRefused) {
  EXPECT_TRUE(errc_of([&] { Database{"/dev/null"}; }).has_value());
  const std::filesystem::path pipe = directory_.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  run_in_child([&] { EXPECT_TRUE(errc_of([&] { Database{pipe}; }).has_value()); });
}

TEST_F(BadFile, InAMissingDirectoryIsRefused) {
  const std::filesystem::path missing = directory_.file("missing/db");
  EXPECT_EQ(errc_of([&] { Database{missing}; }), Errc::io);
  EXPECT_NE(text_of([&] { Database{missing}; }).find("missing/db"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(missing.parent_path()));
}

TEST_F(BadFile, BehindADanglingOrCircularLinkIsRefused) {
  const std::filesystem::path link = directory_.file("link");
  std::filesystem::create_symlink(link, link);
  EXPECT_EQ(errc_of([&] { Database{link}; }), Errc::io);
}

TEST_F(BadFile, WithoutPermissionIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  std::filesystem::permissions(file_, std::filesystem::perms::owner_read);
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
  run_in_child([&] {
    ASSERT_EQ(::setgid(65534), 0);
    ASSERT_EQ(::setuid(65534), 0);
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::io);
    EXPECT_NE(text_of([&] { Database{file_}; }).find("ermission"), std::string::npos);
  });
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::owner_all);
  run_in_child([&] {
    ASSERT_EQ(::setuid(65534), 0);
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::io);
  });
}

}  // namespace
}  // namespace quire::test
