// Options::verify: which reads find a changed byte, and that none of them finds one where there is
// none.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "rot/flipped.h"
#include "rot/referred.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

class Verifying : public DatabaseTest {
 protected:
  Database open(Verify verify) const { return Database{file_, {.verify = verify}}; }

  // Offsets of bytes that reads depend on, a few in each page and value.
  std::vector<std::uint64_t> some_offsets(const Database& db, std::uint64_t stride) {
    std::vector<std::uint64_t> offsets;
    const Referred referred(detail::Access::store(db));
    for (const auto& [first, range] : referred.ranges()) {
      if (range.what != "leaf" && range.what != "branch" && range.what != "extent") continue;
      for (std::uint64_t at = first; at < range.limit; at += random_.between(1, stride)) {
        offsets.push_back(at);
      }
    }
    return offsets;
  }

  // Where the value of a key stands in the file.
  static std::uint64_t place_of(const Database& db, const Snapshot& now, Bytes table, Bytes key) {
    const Bytes value = now.table(table).get(key).value();
    return static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(value.data()) -
                                      detail::Access::store(db).data().read_base());
  }

  Random random_{choose_seed("verify")};
};

TEST_F(Verifying, AlwaysFindsEveryChangedByteThatAScanComesBy) {
  const Tables before = make_clean(file_);
  const Database db = open(Verify::always);
  for (const std::uint64_t at : some_offsets(db, rounds(20, 500))) {
    const Flipped flipped(db, at);
    ASSERT_EQ(errc_of([&] { tables_of(db); }), Errc::corrupt) << "byte " << at;
    const std::string text = text_of([&] { tables_of(db); });
    ASSERT_NE(text.find(": page "), std::string::npos) << text;
  }
  EXPECT_TRUE(tables_of(db) == before);
}

TEST_F(Verifying, AlwaysAnswersRightOrNotAtAll) {
  make_clean(file_);
  const Database db = open(Verify::always);
  const Snapshot now = db.snapshot();
  const Entries named = entries(now.table("named"));
  std::uint64_t refused = 0;
  for (const std::uint64_t at : some_offsets(db, rounds(60, 1500))) {
    const Flipped flipped(db, at);
    const std::uint64_t number = random_.below(300);
    std::optional<std::string> found;
    const std::optional<Errc> code = errc_of([&] {
      const TableView table = now.table("named");
      found = table.get(big_endian(number)).value();
    });
    if (code) {
      ASSERT_EQ(*code, Errc::corrupt);
      ++refused;
    } else {
      ASSERT_EQ(found, named.at(big_endian(number))) << "byte " << at;
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST_F(Verifying, AlwaysAnswersManyRightOrNotAtAll) {
  make_clean(file_);
  const Database db = open(Verify::always);
  const Snapshot now = db.snapshot();
  const Entries named = entries(now.table("named"));
  std::uint64_t refused = 0;
  for (const std::uint64_t at : some_offsets(db, rounds(60, 1500))) {
    const Flipped flipped(db, at);
    std::vector<std::string> keys;
    for (int i = 0; i < 20; ++i) keys.push_back(big_endian(random_.below(300)));
    const std::vector<Bytes> views(keys.begin(), keys.end());
    std::vector<std::optional<Bytes>> found(keys.size());
    const std::optional<Errc> code = errc_of([&] { now.table("named").get_many(views, found); });
    if (code) {
      ASSERT_EQ(*code, Errc::corrupt);
      ++refused;
      continue;
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE(found[i] == named.at(keys[i])) << "byte " << at;
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST_F(Verifying, NeverReturnsSomethingOrComplains) {
  make_clean(file_);
  const Database db = open(Verify::never);
  for (const std::uint64_t at : some_offsets(db, rounds(60, 1500))) {
    const Flipped flipped(db, at);
    const std::optional<Errc> code = errc_of([&] { tables_of(db); });
    ASSERT_TRUE(!code || code == Errc::corrupt) << "byte " << at;
  }
}

TEST_F(Verifying, FirstTouchLooksOncePerPage) {
  make_clean(file_);
  std::uint64_t leaf = 0;
  std::uint64_t large = 0;
  {
    const Database db = open(Verify::first_touch);
    const Snapshot now = db.snapshot();
    leaf = place_of(db, now, "named", big_endian(5));
    large = place_of(db, now, "large", "value 3");
    const Flipped in_leaf(db, leaf);
    const Flipped in_value(db, large + 4000);
    EXPECT_TRUE(now.table("named").get(big_endian(5)));
    EXPECT_TRUE(now.table("large").get("value 3"));
    EXPECT_TRUE(now.table("large").get("value 2"));
  }
  {
    const Database db = open(Verify::first_touch);
    const Snapshot now = db.snapshot();
    const Flipped in_leaf(db, leaf);
    EXPECT_EQ(errc_of([&] { now.table("named").get(big_endian(5)); }), Errc::corrupt);
  }
  {
    const Database db = open(Verify::first_touch);
    const Snapshot now = db.snapshot();
    const Flipped in_value(db, large + 4000);
    EXPECT_TRUE(now.table("large").contains("value 3"));
    EXPECT_EQ(errc_of([&] { now.table("large").get("value 3"); }), Errc::corrupt);
    EXPECT_EQ(errc_of([&] { now.table("large").find("value 3").value(); }), Errc::corrupt);
  }
}

TEST_F(Verifying, FirstTouchLooksAgainAtAPageThatWasWrittenAnew) {
  make_clean(file_);
  Database db = open(Verify::first_touch);
  tables_of(db);
  db.write([](Transaction& tx) { tx.table("named").put(big_endian(6), "anew"); });
  db.checkpoint();
  const Snapshot now = db.snapshot();
  const Database never = open(Verify::never);
  const Snapshot same = never.snapshot();
  const Flipped flipped(db, place_of(never, same, "named", big_endian(5)));
  EXPECT_EQ(errc_of([&] { now.table("named").get(big_endian(5)); }), Errc::corrupt);
}

// The word that stood for a verified value did not tell its page: of values with equal content,
// those whose pages share a place in the table passed for verified.
TEST_F(Verifying, FirstTouchDoesNotTakeOneValueForAnEqualOne) {
  constexpr std::uint64_t kValues = 1100;  // of four pages: more than the table of a small file has
  make_clean(file_);
  Database db = open(Verify::first_touch);
  tables_of(db);  // makes the table
  const std::string value = pattern(4 * 4096, 1);
  db.write([&](Transaction& tx) {
    for (std::uint64_t i = 0; i < kValues; ++i) tx.table("equal").put(big_endian(i), value);
  });
  const Snapshot now = db.snapshot();
  const Database never = open(Verify::never);
  const Snapshot same = never.snapshot();
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < kValues; ++i) {
    {
      const Flipped flipped(db, place_of(never, same, "equal", big_endian(i)) + 5000);
      refused += errc_of([&] { now.table("equal").get(big_endian(i)); }) == Errc::corrupt ? 1 : 0;
    }
    now.table("equal").get(big_endian(i));
  }
  EXPECT_EQ(refused, kValues);
}

TEST_F(Verifying, IsNotThatOfTheSnapshotThatTheThreadHadBefore) {
  make_clean(file_);
  const Database never = open(Verify::never);
  const Database always = open(Verify::always);
  const Flipped flipped(never, place_of(never, never.snapshot(), "named", big_endian(5)));
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(never.snapshot().txn() == always.snapshot().txn());
    const auto get_from = [](const Database& db) {
      return errc_of([&] {
        const Snapshot now = db.snapshot();
        now.table("named").get(big_endian(5));
      });
    };
    EXPECT_EQ(get_from(never), std::nullopt);
    EXPECT_EQ(get_from(always), Errc::corrupt);
  }
}

TEST_F(Verifying, HoldsInsideATransactionToo) {
  make_clean(file_);
  Database db = open(Verify::always);
  const Database never = open(Verify::never);
  const Snapshot now = never.snapshot();
  const Flipped flipped(db, place_of(never, now, "named", big_endian(5)));
  Transaction tx = db.begin();
  EXPECT_EQ(errc_of([&] { tx.table("named").get(big_endian(5)); }), Errc::corrupt);
}

TEST_F(Verifying, HoldsForCopiesHoweverTheirSourceWasOpened) {
  make_clean(file_);
  const Database db = open(Verify::never);
  const std::filesystem::path target = directory_.file("copy");
  for (const std::uint64_t at : some_offsets(db, rounds(1500, 9000))) {
    const Flipped flipped(db, at);
    ASSERT_EQ(errc_of([&] { copy(db.snapshot(), target); }), Errc::corrupt) << "byte " << at;
    ASSERT_FALSE(std::filesystem::exists(target));
  }
  copy(db.snapshot(), target);
  EXPECT_TRUE(tables_of(Database{target}) == tables_of(db));
}

// Pages that only an old snapshot sees are never given a checksum, whatever checkpoints follow.
TEST_F(Verifying, DoesNotExpectChecksumsThatNoCheckpointHasMade) {
  make_clean(file_);
  for (const Verify verify : {Verify::first_touch, Verify::always}) {
    Database db = open(verify);
    std::vector<Snapshot> held;
    std::vector<Tables> expected;
    for (std::uint64_t round = 0; round < 20; ++round) {
      db.write([&](Transaction& tx) {
        for (std::uint64_t i = 0; i < 300; i += 1 + random_.below(20)) {
          tx.table("named").put(big_endian(i), pattern(40, round));
        }
        tx.table("large").put("value 1", pattern(6000, round));
      });
      held.push_back(db.snapshot());
      expected.push_back(tables_of(db));
      if (round % 3 == 1) db.checkpoint();
    }
    for (std::size_t i = 0; i < held.size(); ++i) {
      EXPECT_TRUE(entries(held[i].table("named")) == expected[i]["named"]);
      EXPECT_TRUE(entries(held[i].table("large")) == expected[i]["large"]);
    }
  }
}

}  // namespace
}  // namespace quire::test
