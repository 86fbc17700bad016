// Damage never gets a fresh checksum, and never decides what is freed: whoever changes a tree
// verifies the pages that it copies, merges or takes apart.
#include <cstdint>
#include <filesystem>
#include <string>

#include "rot/flipped.h"
#include "rot/referred.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

// Copies, splits, merges and clears: sees most pages of the small tables.
void change_much(Transaction& tx) {
  for (std::uint64_t i = 1; i < 70; i += 3) tx.table().erase(stemmed(i));
  for (std::uint64_t i = 0; i < 300; ++i) {
    if (i % 60 > 7) tx.table("named").erase(big_endian(i));
  }
  tx.table("large").clear();
  tx.table("large").put("other", pattern(9000, 1));
}

TEST(Laundering, DoesNotHappenInMergesAndClears) {
  const ScratchDirectory directory;
  const std::filesystem::path file = directory.file("db");
  make_clean(file);
  const std::string image = read_file(file);
  Random random{choose_seed("laundering")};
  std::vector<std::uint64_t> offsets;
  Tables after;
  {
    Database db{file};
    const Referred referred(detail::Access::store(db));
    for (const auto& [first, range] : referred.ranges()) {
      if (range.what != "leaf" && range.what != "branch") continue;
      for (std::uint64_t at = first; at < range.limit; at += random.between(1, rounds(300, 3000))) {
        offsets.push_back(at);
      }
    }
    db.write(change_much);
    after = tables_of(db);
  }
  std::uint64_t refused = 0, found = 0, harmless = 0;
  for (const std::uint64_t at : offsets) {
    std::string flipped = image;
    flipped[at] = static_cast<char>(flipped[at] ^ static_cast<char>(random.between(1, 255)));
    write_file(file, flipped);
    Database db{file};
    const std::optional<Errc> code = errc_of([&] { db.write(change_much); });
    const std::optional<Errc> sealing = errc_of([&] { db.checkpoint(); });
    if (code) {
      ASSERT_EQ(*code, Errc::corrupt) << "byte " << at;
      ++refused;
    } else if (sealing || !check(db).ok()) {
      ++found;
    } else {
      ASSERT_TRUE(tables_of(db) == after) << "byte " << at << ": damage has become valid";
      ++harmless;
    }
  }
  std::cout << refused << " refused, " << found << " found by check, " << harmless
            << " no longer there\n";
  EXPECT_GT(refused, 0u);
}

// A changed byte in a reference would free somebody else's pages.
TEST(Laundering, DoesNotHappenToWhatAClearedTableNames) {
  const ScratchDirectory directory;
  const std::filesystem::path file = directory.file("db");
  make_clean(file);
  Database db{file};
  txn::Store& store = detail::Access::store(db);
  const txn::State state = store.visible_state();
  const auto large = txn::find_table(store.view(state.page_count), state.catalogue, "large");
  ASSERT_EQ(large.value().tree.height, 1u);
  const std::uint64_t leaf = std::uint64_t{large->tree.root.page} * kSmallPageBytes;
  for (std::uint64_t at = leaf; at < leaf + kSmallPageBytes; at += rounds(9, 170)) {
    const Flipped flipped(db, at);
    Transaction tx = db.begin();
    ASSERT_EQ(errc_of([&] { tx.table("large").clear(); }), Errc::corrupt) << "byte " << at;
  }
  EXPECT_TRUE(check(db).ok());
}

}  // namespace
}  // namespace quire::test
