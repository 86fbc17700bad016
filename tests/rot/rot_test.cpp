// Every byte of an open database, changed one after the other: what means something is missed by
// check(), what means nothing is not.
#include <cstdint>
#include <map>
#include <string>

#include "rot/flipped.h"
#include "rot/referred.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

class Rot : public DatabaseTest {
 protected:
  std::uint8_t some_bits() { return static_cast<std::uint8_t>(random_.between(1, 255)); }

  // Flips bytes of what is referred to; each must be found.
  void expect_all_found(const Database& db, std::uint64_t stride) {
    txn::Store& store = detail::Access::store(db);
    const Referred referred(store);
    std::map<std::string, std::uint64_t> flips;
    for (const auto& [first, range] : referred.ranges()) {
      for (std::uint64_t offset = first; offset < range.limit;
           offset += random_.between(1, stride)) {
        const std::uint8_t bits = some_bits();
        const Flipped flipped(store, offset, bits);
        ASSERT_FALSE(check(db).ok()) << range.what << ", byte " << offset << " ^ " << int{bits};
        ++flips[range.what];
      }
    }
    for (const auto& [what, count] : flips) std::cout << what << ": " << count << " flips\n";
    EXPECT_TRUE(check(db).ok());
  }

  // Flips bytes that nothing refers to; none may be complained of, and none matters.
  void expect_rest_harmless(const Database& db, std::uint64_t stride) {
    txn::Store& store = detail::Access::store(db);
    const Referred referred(store);
    const Tables before = tables_of(db);
    std::uint64_t flips = 0;
    for (std::uint64_t offset = 0; offset < store.data().size_bytes();
         offset += random_.between(1, stride)) {
      if (referred.contains(offset) || referred.is_unsealed(offset)) continue;
      const Flipped flipped(store, offset, some_bits());
      ASSERT_TRUE(check(db).ok()) << "byte " << offset << ": " << check(db).faults[0].reason;
      if (++flips % 16 == 0) {
        ASSERT_TRUE(tables_of(db) == before) << "byte " << offset;
      }
    }
    std::cout << "not referred to: " << flips << " flips\n";
  }

  Random random_{choose_seed("rot")};
};

TEST_F(Rot, OfAnyByteThatMeansSomethingIsFoundInACleanDatabase) {
  make_clean(file_);
  const Database db{file_};
  ASSERT_GE(stat(db).tables[0].height, 3u);
  expect_all_found(db, rounds(1, 400));
}

TEST_F(Rot, OfAnyByteThatMeansSomethingIsFoundBesideALiveLog) {
  make_clean(file_);
  Database db{file_};
  for (std::uint64_t i = 0; i < kSmallCommits; ++i) {
    db.write([&](Transaction& tx) { change_small_tables(tx, i); });
  }
  expect_all_found(db, rounds(20, 900));
}

TEST_F(Rot, OfAByteThatMeansNothingIsHarmless) {
  make_clean(file_);
  Database db{file_};
  expect_rest_harmless(db, rounds(100, 5000));
  for (std::uint64_t i = 0; i < kSmallCommits; ++i) {
    db.write([&](Transaction& tx) { change_small_tables(tx, i); });
  }
  expect_rest_harmless(db, rounds(100, 5000));
}

}  // namespace
}  // namespace quire::test
