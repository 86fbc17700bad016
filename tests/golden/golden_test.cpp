// Files made by an earlier build are read, written and refused as they must be.
#include "golden/golden.h"

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

#include "support/database_test.h"
#include "support/metas.h"

namespace quire::test {
namespace {

class GoldenFile : public DatabaseTest, public ::testing::WithParamInterface<Golden> {
 protected:
  void SetUp() override {
    skip_final_check();
    write_file(file_, unpacked(source(".quire.gz")));
    dump_ = unpacked(source(".dump.gz"));
  }

  static std::filesystem::path source(const std::string& suffix) {
    const char* directory = std::getenv("GOLDEN_FILES");
    return std::filesystem::path(directory != nullptr ? directory : ".") /
           (GetParam().name() + suffix);
  }

  // Applies `edit` to the metas that are whole, of two slots or one.
  template <typename Edit>
  void edit_whole_metas(Edit edit, std::initializer_list<int> slots = {0, 1}) {
    std::string image = read_file(file_);
    for (const int slot : slots) {
      format::Meta meta = meta_of(image, slot);
      if (format::judge(meta) != format::MetaFault::none) continue;
      edit(meta);
      meta.checksum = format::meta_checksum(meta);
      set_meta(image, slot, meta);
    }
    write_file(file_, image);
  }

  bool is(const char* shape) const { return GetParam().shape == shape; }

  std::string dump_;
};

TEST_P(GoldenFile, IsReadAndWritten) {
  {
    Database db{file_, {.verify = Verify::always}};
    EXPECT_EQ(db.page_size_bytes(), GetParam().page_bytes);
    EXPECT_TRUE(dump_of(db) == dump_);
    EXPECT_EQ(check(db).fault_count, is("torn") ? 1u : 0u);
    const Statistics now = stat(db);
    EXPECT_GE(now.tables[0].height, is("deep") ? 3u : 0u);
    EXPECT_GT(now.free_pages, is("holes") ? 10u : 0u);
    db.write([](Transaction& tx) {
      tx.table("new").put("key", std::string(100'000, 'v'));
      for (int i = 0; i < 200; ++i) tx.table().put("new " + std::to_string(i), "value");
    });
    db.checkpoint();
    expect_sound(db);
    db.write([](Transaction& tx) {
      tx.drop("new");
      for (int i = 0; i < 200; ++i) tx.table().erase("new " + std::to_string(i));
    });
    EXPECT_TRUE(dump_of(db) == dump_);
  }
  expect_sound(file_);
  EXPECT_TRUE(dump_of(Database{file_}) == dump_);
}

TEST_P(GoldenFile, IsRefusedWithAnUnknownIncompatBit) {
  edit_whole_metas([](format::Meta& meta) { meta.incompat = std::uint64_t{1} << 40; });
  const std::string before = read_file(file_);
  EXPECT_EQ(errc_of([&] { Database(file_, {.read_only = true}); }), Errc::wrong_version);
  EXPECT_TRUE(read_file(file_) == before);
}

// The other meta is of an older state: what the newer version has committed since would be lost.
TEST_P(GoldenFile, IsRefusedWhenOneOfTwoMetasBearsAnUnknownIncompatBit) {
  for (const int slot : {0, 1}) {
    if (is("torn") && slot == 1) continue;
    SetUp();
    edit_whole_metas([](format::Meta& meta) { meta.incompat = 2; }, {slot});
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::wrong_version);
  }
}

TEST_P(GoldenFile, IsOnlyReadWithAnUnknownRoCompatBit) {
  edit_whole_metas([](format::Meta& meta) { meta.ro_compat = std::uint64_t{1} << 40; });
  const std::string before = read_file(file_);
  EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::wrong_version);
  if (is("unclean") || is("pairlog")) {  // replaying the log would be writing
    EXPECT_EQ(errc_of([&] { Database(file_, {.read_only = true}); }), Errc::wrong_version);
  } else {
    Database db{file_, {.read_only = true}};
    EXPECT_TRUE(dump_of(db) == dump_);
    EXPECT_EQ(errc_of([&] { db.put("a", "1"); }), Errc::read_only);
  }
  EXPECT_TRUE(read_file(file_) == before);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenFile, ::testing::ValuesIn(all_golden()), [](const auto& info) {
  std::string name = info.param.name();
  name.erase(name.find('-'), 1);
  return name;
});

}  // namespace
}  // namespace quire::test
