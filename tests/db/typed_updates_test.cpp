// Typed tables: calls that look and change at once, ranges, writes at cursors.
#include <quire/quire.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/database_test.h"

namespace quire::test {
namespace {

using TypedUpdates = DatabaseTest;
using TypedCounters = DatabaseTest;
using TypedPlaces = DatabaseTest;
using TypedWritingCursors = DatabaseTest;

struct Point {
  std::int32_t x, y;
};

constexpr TableDef<std::string_view, std::uint64_t> kVisits{"visits"};
constexpr TableDef<std::int64_t, std::string_view> kNames{"names"};
constexpr TableDef<std::pair<std::uint16_t, std::uint16_t>, Plain<Point>> kPoints{"points"};

template <typename T>
concept Adds = requires(T table) {
  table.add(1, 1);
};
static_assert(Adds<TableOf<int, std::uint8_t>> && Adds<TableOf<int, std::int64_t>>);
static_assert(!Adds<TableOf<int, double>> && !Adds<TableOf<int, bool>> &&
              !Adds<TableViewOf<int, int>>);

template <typename T>
concept Looks = requires(const T table) {
  table.estimate(1, 2);
  table.estimate(table.range(1, 2));
  table.nth(1);
  table.sample(1);
};
static_assert(Looks<TableOf<int, int>> && Looks<TableViewOf<int, int>>);

TEST_F(TypedUpdates, ReplaceTakeAndInsertOrGet) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto names = tx.table(kNames);
    EXPECT_FALSE(names.replace(-1, "none"));
    EXPECT_TRUE(names.empty());
    const auto first = names.insert_or_get(-1, "ada");
    EXPECT_TRUE(first.is_new);
    EXPECT_EQ(first.value, "ada");
    const auto second = names.insert_or_get(-1, "alan");
    EXPECT_FALSE(second.is_new);
    EXPECT_EQ(second.value, "ada");
    EXPECT_TRUE(names.replace(-1, pattern(30'000, 1)));
    const std::optional<std::string> taken = names.take(-1);
    EXPECT_EQ(taken, pattern(30'000, 1));
    EXPECT_EQ(names.take(-1), std::nullopt);
    EXPECT_TRUE(names.empty());

    auto points = tx.table(kPoints);
    EXPECT_EQ(points.insert_or_get({std::uint16_t{1}, std::uint16_t{2}}, {3, 4}).value.y, 4);
    const std::optional<Point> point = points.take({std::uint16_t{1}, std::uint16_t{2}});
    ASSERT_TRUE(point.has_value());
    EXPECT_EQ(point->x, 3);
  });
  EXPECT_TRUE(entries(db, "names").empty());
}

TEST_F(TypedUpdates, CompareAndSwapComparesValues) {
  Database db{file_};
  constexpr TableDef<int, double> kDoubles{"doubles"};
  constexpr TableDef<int, std::tuple<std::string, std::optional<int>>> kTuples{"tuples"};
  db.write([&](Transaction& tx) {
    auto visits = tx.table(kVisits);
    EXPECT_FALSE(visits.compare_and_swap("ada", 1, 2));
    EXPECT_TRUE(visits.compare_and_swap("ada", std::nullopt, std::nullopt));
    EXPECT_TRUE(visits.empty());
    EXPECT_TRUE(visits.compare_and_swap("ada", std::nullopt, 1));
    EXPECT_FALSE(visits.compare_and_swap("ada", std::nullopt, 3));
    EXPECT_TRUE(visits.compare_and_swap("ada", visits.get("ada"), 2));
    EXPECT_EQ(visits.get("ada"), 2u);
    EXPECT_TRUE(visits.compare_and_swap("ada", 2, std::nullopt));
    EXPECT_FALSE(visits.contains("ada"));

    auto names = tx.table(kNames);
    names.put(1, "ada");
    EXPECT_TRUE(names.compare_and_swap(1, "ada", "alan"));
    EXPECT_TRUE(names.compare_and_swap(1, names.get(1), "grace"));
    EXPECT_EQ(names.get(1), "grace");

    auto doubles = tx.table(kDoubles);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    doubles.put(1, 0.0);
    EXPECT_FALSE(doubles.compare_and_swap(1, -0.0, 1.0)) << "by their bytes";
    EXPECT_TRUE(doubles.compare_and_swap(1, 0.0, nan));
    EXPECT_TRUE(doubles.compare_and_swap(1, nan, 2.5));

    auto tuples = tx.table(kTuples);
    using Value = std::tuple<std::string, std::optional<int>>;
    EXPECT_TRUE(tuples.compare_and_swap(1, std::nullopt, Value("a", std::nullopt)));
    EXPECT_FALSE(tuples.compare_and_swap(1, Value("a", 0), std::nullopt));
    EXPECT_TRUE(tuples.compare_and_swap(1, Value("a", std::nullopt), std::nullopt));
  });
}

TEST_F(TypedUpdates, GiveAndTakeValuesOfTheirType) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto names = tx.table(kNames);
    const auto longer = [](std::optional<std::string_view> name) {
      return std::optional<std::string>(std::string(name.value_or("")) + "x");
    };
    names.update(7, longer);
    names.update(7, longer);
    EXPECT_EQ(names.get(7), "xx");
    EXPECT_THROW(names.update(7,
                              [](std::optional<std::string_view>) -> std::optional<std::string> {
                                throw std::runtime_error("no");
                              }),
                 std::runtime_error);
    EXPECT_EQ(names.get(7), "xx");
    names.update(8, [](auto) { return std::optional<std::string_view>(); });
    names.update(7, [](auto) { return std::optional<std::string_view>(); });
    EXPECT_TRUE(names.empty());
  });
}

TEST_F(TypedUpdates, LeaveEntriesOfAnotherTypeAsTheyAre) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table("visits").put("ada", "three");
    auto visits = tx.table(kVisits);
    const auto twice = [](std::optional<std::uint64_t> value) { return value; };
    EXPECT_EQ(errc_of([&] { visits.take("ada"); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { visits.add("ada", 1); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { visits.update("ada", twice); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { visits.insert_or_get("ada", 1); }), Errc::misuse);
    EXPECT_NE(text_of([&] { visits.take("ada"); }).find("table 'visits', key 616461"),
              std::string::npos);
    EXPECT_FALSE(visits.compare_and_swap("ada", 3, 4));
    EXPECT_EQ(visits.raw().get("ada"), "three");
    EXPECT_TRUE(visits.replace("ada", 3)) << "nobody asked what was there";
    EXPECT_EQ(visits.add("ada", 1), 4u);
  });
  EXPECT_EQ(entries(db, "visits").size(), 1u);
}

TEST_F(TypedCounters, StayWithinTheirType) {
  Database db{file_};
  constexpr TableDef<int, std::uint8_t> kBytes{"bytes"};
  constexpr TableDef<int, std::int64_t> kWide{"wide"};
  db.write([&](Transaction& tx) {
    auto bytes = tx.table(kBytes);
    EXPECT_EQ(bytes.add(1, 200), 200u);
    EXPECT_EQ(bytes.add(1, 55), 255u);
    EXPECT_EQ(errc_of([&] { bytes.add(1, 1); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { bytes.add(1, -256); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { bytes.add(2, -1); }), Errc::misuse);
    EXPECT_EQ(bytes.add(1, -255), 0u);
    EXPECT_EQ(bytes.size(), 1u);

    auto visits = tx.table(kVisits);
    visits.put("ada", std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(visits.add("ada", -1), std::numeric_limits<std::uint64_t>::max() - 1);

    auto wide = tx.table(kWide);
    EXPECT_EQ(wide.add(1, -7), -7);
    EXPECT_EQ(wide.raw().add(wide.begin().raw().key(), 2), -5) << "the same counters";
    EXPECT_EQ(wide.add(1, std::numeric_limits<std::int64_t>::max()),
              std::numeric_limits<std::int64_t>::max() - 5);
    EXPECT_EQ(errc_of([&] { wide.add(1, 6); }), Errc::misuse);
  });
}

TEST_F(TypedPlaces, AreErasedEstimatedAndSampled) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto points = tx.table(kPoints);
    for (std::uint16_t x = 0; x < 100; ++x) {
      for (std::uint16_t y = 0; y < 100; ++y) points.put({x, y}, {x, y});
    }
    using Key = std::pair<std::uint16_t, std::uint16_t>;
    EXPECT_EQ(points.erase(Key(90, 50), Key(95, 50)), 500u);
    EXPECT_EQ(points.erase(Key(95, 50), Key(90, 50)), 0u);
    EXPECT_EQ(points.size(), 9500u);
    EXPECT_FALSE(points.contains({std::uint16_t{94}, std::uint16_t{0}}));

    EXPECT_EQ(points.estimate(points.prefix(std::uint16_t{92})), 0u);
    EXPECT_EQ(points.estimate({points.begin(), points.end()}), 9500u);
    EXPECT_NEAR(static_cast<double>(points.estimate(points.prefix(std::uint16_t{3}))), 100, 100);
    EXPECT_NEAR(static_cast<double>(points.estimate(Key(10, 0), Key(60, 0))), 5000, 1000);
    EXPECT_EQ(points.estimate(Key(60, 0), Key(10, 0)), 0u);
    EXPECT_EQ(points.estimate({points.end(), points.end()}), 0u);
    const auto all = points.range(Key(0, 0), Key(99, 0));
    points.put({std::uint16_t{0}, std::uint16_t{0}}, {1, 1});
    EXPECT_EQ(errc_of([&] { points.estimate(all); }), Errc::misuse) << "the table has changed";

    EXPECT_EQ(points.nth(0), points.begin());
    EXPECT_EQ(points.nth(9500), points.end());
    EXPECT_NEAR(points.nth(5000).key().first, 50, 15);
    const auto sample = points.sample(10);
    ASSERT_EQ(sample.size(), 10u);
    for (std::size_t i = 1; i < sample.size(); ++i) {
      EXPECT_LT(sample[i - 1].key(), sample[i].key());
    }
    EXPECT_TRUE(points.sample(0).empty());
  });
  const Snapshot now = db.snapshot();
  const auto points = now.table(kPoints);
  EXPECT_EQ(points.estimate({points.begin(), points.end()}), 9500u);
  EXPECT_EQ(points.sample(3).size(), 3u);
}

TEST_F(TypedWritingCursors, EraseAndPutWhereTheyStand) {
  Database db{file_};
  constexpr TableDef<int, int> kNumbers{"numbers"};
  db.write([&](Transaction& tx) {
    auto numbers = tx.table(kNumbers);
    for (int i = -500; i < 500; ++i) numbers.put(i, i);
    int seen = 0;
    for (auto at = numbers.begin(); !at.at_end(); ++seen) {
      ASSERT_EQ(at.key(), seen - 500);
      if (at.key() % 2 == 0) {
        at = numbers.put(at, at.value() * 10);
        ++at;
      } else {
        at = numbers.erase(at);
      }
    }
    EXPECT_EQ(seen, 1000);
    EXPECT_EQ(numbers.size(), 500u);
    EXPECT_EQ(numbers.get(-8), -80);
    EXPECT_EQ(numbers.get(-7), std::nullopt);
    EXPECT_EQ(errc_of([&] { numbers.erase(numbers.end()); }), Errc::misuse);
  });
}

}  // namespace
}  // namespace quire::test
