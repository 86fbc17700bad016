// Multimaps with keys and values of C++ types.
#include <quire/quire.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/database_test.h"

namespace quire::test {
namespace {

using TypedMultimaps = DatabaseTest;
using Day = std::chrono::sys_days;

constexpr MultimapDef<std::string_view, Day> kVisits{"visits"};
constexpr MultimapDef<std::int32_t, std::int64_t> kNumbers{"numbers"};

// Scores of a game's players: the best ones are the last.
using Score = std::pair<double, std::string_view>;
constexpr MultimapDef<std::tuple<std::string_view, std::uint16_t>, Score> kScores{"scores"};

using Visits = MultimapOf<std::string_view, Day>;
static_assert(std::bidirectional_iterator<Visits::PairCursor>);
static_assert(std::bidirectional_iterator<Visits::KeyCursor>);
static_assert(std::bidirectional_iterator<decltype(std::declval<Visits::ValueRange>().begin())>);
static_assert(std::is_convertible_v<MultimapOf<int, int>, MultimapViewOf<int, int>>);
static_assert(!std::is_convertible_v<MultimapViewOf<int, int>, MultimapOf<int, int>>);

template <typename T>
concept Inserts = requires(T map) {
  map.insert(1, 1);
};
static_assert(Inserts<MultimapOf<int, int>> && !Inserts<const MultimapOf<int, int>> &&
              !Inserts<MultimapViewOf<int, int>>);

template <typename Owner>
concept GivesTyped = requires {
  std::declval<Owner>().multimap(kNumbers);
};
static_assert(GivesTyped<const Snapshot&> && !GivesTyped<Snapshot>);
static_assert(GivesTyped<Transaction&> && !GivesTyped<Transaction>);

constexpr Day day(int number) { return Day(std::chrono::days(number)); }

TEST_F(TypedMultimaps, AreOrderedAsTheirKeysAndValues) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto numbers = tx.multimap(kNumbers);
    for (const std::int32_t key : {7, -3, 0}) {
      for (const std::int64_t value : {500, -70'000, 0, 3}) {
        EXPECT_TRUE(numbers.insert(key, value));
        EXPECT_FALSE(numbers.insert(key, value));
      }
    }
    EXPECT_EQ(numbers.size(), 12u);
    EXPECT_EQ(numbers.key_count(), 3u);
  });
  const Snapshot now = db.snapshot();
  const auto numbers = now.multimap(kNumbers);
  std::vector<std::pair<std::int32_t, std::int64_t>> all;
  for (auto [key, value] : numbers) all.emplace_back(key, value);
  ASSERT_EQ(all.size(), 12u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(all.front(), (std::pair<std::int32_t, std::int64_t>(-3, -70'000)));

  std::vector<std::int32_t> keys;
  for (const std::int32_t key : numbers.keys()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::int32_t>{-3, 0, 7}));
  keys.clear();
  for (const std::int32_t key : numbers.keys(-3, 7)) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::int32_t>{-3, 0}));
  std::vector<std::int64_t> values;
  for (const std::int64_t value : numbers.values(0, -5, 500)) values.push_back(value);
  EXPECT_EQ(values, (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(*std::ranges::prev(numbers.values(0).end()), 500);
}

TEST_F(TypedMultimaps, AreSearchedByKeyAndByPair) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto visits = tx.multimap(kVisits);
    for (const char* name : {"ada", "adam", "alan"}) {
      for (const int number : {10, -10, 30}) visits.insert(name, day(number));
    }
    EXPECT_EQ(visits.count("ada"), 3u);
    EXPECT_TRUE(visits.contains("ada"));
    EXPECT_TRUE(visits.contains("ada", day(-10)));
    EXPECT_FALSE(visits.contains("ada", day(11)));
    EXPECT_EQ(visits.lower_bound("ada", day(11)).value(), day(30));
    EXPECT_EQ(visits.lower_bound("adb").key(), "alan");
    EXPECT_EQ(visits.upper_bound("ada").key(), "adam");
    EXPECT_EQ(visits.find("alan", day(10)).value_count(), 3u);
    EXPECT_EQ(visits.find("alan", day(11)), visits.end());
    EXPECT_EQ(std::ranges::distance(visits.prefix("ad")), 6);
    EXPECT_EQ(std::ranges::distance(visits.range("adam", "b")), 6);
    EXPECT_EQ(std::ranges::distance(visits.values("ada")), 3);
    EXPECT_TRUE(visits.values("nobody").empty());
    EXPECT_EQ(visits.estimate("a", "b"), 3u);
    EXPECT_EQ(*visits.sample(3).back(), "alan");
  });
}

TEST_F(TypedMultimaps, EraseByPairByKeyAndByRange) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto numbers = tx.multimap(kNumbers);
    for (std::int32_t key = -50; key < 50; ++key) {
      for (std::int64_t value = -5; value < 5; ++value) numbers.insert(key, value);
    }
    EXPECT_TRUE(numbers.erase(-50, -5));
    EXPECT_FALSE(numbers.erase(-50, -5));
    EXPECT_EQ(numbers.erase(-50), 9u);
    EXPECT_EQ(numbers.erase_keys(-10, 10), 200u);
    EXPECT_EQ(numbers.size(), 790u);
    EXPECT_FALSE(numbers.contains(0));
    EXPECT_TRUE(numbers.contains(10));
    numbers.clear();
    EXPECT_TRUE(numbers.empty());
  });
}

TEST_F(TypedMultimaps, EraseTheKeysThatARangeOrAPrefixNames) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto scores = tx.multimap(kScores);
    for (const char* game : {"chess", "chess 960", "go"}) {
      for (std::uint16_t round = 0; round < 4; ++round) {
        scores.insert({game, round}, {1.0, "ada"});
        scores.insert({game, round}, {2.0, "alan"});
      }
    }
    EXPECT_EQ(scores.erase_prefix("chess", std::uint16_t{2}), 2u);
    EXPECT_EQ(scores.erase_prefix("chess"), 6u) << "and not those of another game";
    EXPECT_EQ(scores.erase_prefix("chess"), 0u);
    EXPECT_EQ(scores.erase(scores.keys({"go", 1}, {"go", 3})), 4u);
    EXPECT_EQ(scores.size(), 12u);
    auto visits = tx.multimap(kVisits);
    for (const char* name : {"ada", "adam", "alan"}) visits.insert(name, day(1));
    EXPECT_EQ(visits.erase_prefix("ad"), 2u);
    EXPECT_EQ(visits.erase(visits.keys()), 1u);
    EXPECT_TRUE(visits.empty());
  });
  Database other{directory_.file("other")};
  const Snapshot now = other.snapshot();
  EXPECT_EQ(errc_of([&] {
              db.write([&](Transaction& tx) {
                tx.multimap(kVisits).erase(now.multimap(kVisits).keys());
              });
            }),
            Errc::misuse);
}

TEST_F(TypedMultimaps, SortCompositeValuesByTheirParts) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto scores = tx.multimap(kScores);
    scores.insert({"chess", std::uint16_t{1}}, {2.5, "ada"});
    scores.insert({"chess", std::uint16_t{1}}, {-1.0, "alan"});
    scores.insert({"chess", std::uint16_t{1}}, {2.5, "a"});
    scores.insert({"chess", std::uint16_t{2}}, {9.0, "emmy"});
    scores.insert({"go", std::uint16_t{1}}, {3.0, "ada"});
  });
  const Snapshot now = db.snapshot();
  const auto scores = now.multimap(kScores);
  std::string order;
  for (const auto& [score, name] : scores.values({"chess", std::uint16_t{1}})) order += name + " ";
  EXPECT_EQ(order, "alan a ada ");
  EXPECT_EQ(std::ranges::distance(scores.prefix("chess")), 4);
  EXPECT_EQ(std::ranges::distance(scores.prefix("chess", std::uint16_t{1})), 3);
  EXPECT_EQ(std::ranges::distance(scores.prefix("che")), 0) << "parts are whole";
}

TEST_F(TypedMultimaps, StringsPointIntoTheMap) {
  constexpr MultimapDef<std::string_view, std::string_view> kWords{"words"};
  Database db{file_};
  db.write([&](Transaction& tx) { tx.multimap(kWords).insert("key", "value"); });
  const Snapshot now = db.snapshot();
  EXPECT_EQ((*now.multimap(kWords).begin()).value.data(),
            now.multimap("words").begin().value().data());
}

TEST_F(TypedMultimaps, SayWhichPairIsOfAnotherType) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.multimap("visits").insert("ada", "monday");
    tx.table("numbers").put("a", "b");
  });
  const Snapshot now = db.snapshot();
  const auto visits = now.multimap(kVisits);
  EXPECT_EQ(visits.begin().key(), "ada") << "the key alone is one";
  EXPECT_EQ(errc_of([&] { (void)*visits.begin(); }), Errc::misuse);
  const std::string text = text_of([&] { (void)*visits.values("ada").begin(); });
  EXPECT_NE(text.find("table 'visits', key 616461 (hex): the value has 6 bytes, not 8"),
            std::string::npos)
      << text;
  EXPECT_EQ(errc_of([&] { (void)now.multimap(kNumbers); }), Errc::misuse) << "a plain table";
}

TEST_F(TypedMultimaps, KeepTheLimitsOfTheBytes) {
  Database db{file_};
  Transaction tx = db.begin();
  auto visits = tx.multimap(kVisits);
  EXPECT_EQ(errc_of([&] { visits.insert(std::string(5000, 'k'), day(1)); }), Errc::too_large);
  visits.insert("k", day(1));
  tx.commit();
  EXPECT_EQ(errc_of([&] { visits.insert("k", day(2)); }), Errc::misuse);
}

}  // namespace
}  // namespace quire::test
