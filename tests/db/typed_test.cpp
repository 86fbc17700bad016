// Tables with keys and values of C++ types.
#include <quire/quire.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "support/database_test.h"

namespace quire::test {

struct Colour {
  std::uint8_t red, green, blue;
  bool operator==(const Colour&) const = default;
};

}  // namespace quire::test

template <>
struct quire::Codec<quire::test::Colour> {
  using Decoded = test::Colour;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = 3;
  static void encode(const test::Colour& colour, Encoding& out) {
    for (const std::uint8_t part : {colour.red, colour.green, colour.blue}) {
      out.append(static_cast<char>(part));
    }
  }
  static std::optional<Decoded> decode(Bytes bytes) {
    if (bytes.size() != 3) return std::nullopt;
    const auto part = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    return Decoded{part(0), part(1), part(2)};
  }
};

namespace quire::test {
namespace {

using TypedTables = DatabaseTest;
using namespace std::chrono_literals;

constexpr TableDef<std::int64_t, std::string_view> kNames{"names"};
constexpr TableDef<std::string_view, std::uint64_t> kVisits{"visits"};

using Reading = std::tuple<std::string_view, std::uint16_t, std::chrono::seconds>;
constexpr TableDef<Reading, double> kReadings{"readings"};

static_assert(std::bidirectional_iterator<CursorOf<std::int64_t, std::string_view>>);
static_assert(std::is_convertible_v<TableOf<int, int>, TableViewOf<int, int>>);
static_assert(!std::is_convertible_v<TableViewOf<int, int>, TableOf<int, int>>);

template <typename T>
concept Puts = requires(T table) {
  table.put(1, 1);
};
static_assert(Puts<TableOf<int, int>> && !Puts<const TableOf<int, int>> &&
              !Puts<TableViewOf<int, int>>);

template <typename Owner>
concept GivesTyped = requires {
  std::declval<Owner>().table(kNames);
};
static_assert(GivesTyped<const Snapshot&> && !GivesTyped<Snapshot>);
static_assert(GivesTyped<Transaction&> && !GivesTyped<Transaction>);

TEST_F(TypedTables, AreOrderedAsTheirKeys) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto names = tx.table(kNames);
    for (const std::int64_t number : {7, -3, 0, 1000, -70'000}) {
      names.put(number, std::to_string(number));
    }
    EXPECT_EQ(names.get(-3), "-3");
    EXPECT_EQ(names.size(), 5u);
  });
  const Snapshot now = db.snapshot();
  const auto names = now.table(kNames);
  std::vector<std::int64_t> keys;
  for (auto [key, value] : names) {
    keys.push_back(key);
    EXPECT_EQ(value, std::to_string(key));
  }
  EXPECT_EQ(keys, (std::vector<std::int64_t>{-70'000, -3, 0, 7, 1000}));

  EXPECT_EQ(names.lower_bound(-4)->key, -3);
  EXPECT_EQ(names.upper_bound(-3).key(), 0);
  EXPECT_EQ(names.find(7)->value, "7");
  EXPECT_EQ(names.find(8), names.end());
  EXPECT_EQ((*std::ranges::prev(names.end())).key, 1000);
  keys.clear();
  for (auto [key, value] : names.range(-3, 7)) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::int64_t>{-3, 0}));
  EXPECT_TRUE(names.range(7, -3).empty());
}

TEST_F(TypedTables, InsertReplaceAndErase) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto visits = tx.table(kVisits);
    EXPECT_TRUE(visits.insert("ada", 1));
    EXPECT_FALSE(visits.insert("ada", 2));
    visits.put("ada", 3);
    visits.put("alan", std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(visits.get("ada"), 3u);
    EXPECT_TRUE(visits.contains("alan"));
    EXPECT_TRUE(visits.erase("ada"));
    EXPECT_FALSE(visits.erase("ada"));
    EXPECT_EQ(visits.get("ada"), std::nullopt);
  });
  EXPECT_EQ(db.snapshot().txn(), 2u);
  db.write([](Transaction& tx) {
    auto visits = tx.table(kVisits);
    EXPECT_EQ(visits.size(), 1u);
    visits.clear();
    EXPECT_TRUE(visits.empty());
  });
}

TEST_F(TypedTables, GivePrefixesAndRangesOfCompositeKeys) {
  Database db{file_};
  db.write([](Transaction& tx) {
    auto readings = tx.table(kReadings);
    for (const char* room : {"attic", "attic-2", "cellar"}) {
      for (std::uint16_t sensor = 1; sensor <= 3; ++sensor) {
        for (int second = 0; second < 10; ++second) {
          readings.put({room, sensor, std::chrono::seconds(second)}, sensor + second / 10.0);
        }
      }
    }
  });
  const Snapshot now = db.snapshot();
  const auto readings = now.table(kReadings);
  const auto count = [](const auto& range) { return std::ranges::distance(range); };

  EXPECT_EQ(count(readings), 90);
  EXPECT_EQ(count(readings.prefix()), 90);
  EXPECT_EQ(count(readings.prefix("attic")), 30) << "not attic-2";
  EXPECT_EQ(count(readings.prefix("att")), 0) << "parts are whole";
  EXPECT_EQ(count(readings.prefix("attic", std::uint16_t{2})), 10);
  EXPECT_EQ(count(readings.prefix(std::tuple("cellar", std::uint16_t{2}, 3s))), 1);
  EXPECT_EQ(count(readings.range({"attic", std::uint16_t{2}, 5s}, {"attic", std::uint16_t{3}, 2s})),
            7);
  EXPECT_EQ(count(readings.range(std::tuple("attic"), std::tuple("cellar"))), 60);
  EXPECT_EQ(count(readings.range(std::tuple("attic", std::uint16_t{2}), std::tuple("attic-2"))),
            20);

  const auto [key, celsius] = *readings.lower_bound({"attic", std::uint16_t{2}, 5s});
  EXPECT_EQ(key, (std::tuple<std::string, std::uint16_t, std::chrono::seconds>("attic", 2, 5s)));
  EXPECT_EQ(celsius, 2.5);
}

TEST_F(TypedTables, EraseRangesAndUpdateValues) {
  constexpr TableDef<std::pair<std::uint8_t, std::uint8_t>, std::int32_t> kGrid{"grid"};
  Database db{file_};
  db.write([&](Transaction& tx) {
    auto grid = tx.table(kGrid);
    for (std::uint8_t row = 0; row < 10; ++row) {
      for (std::uint8_t column = 0; column < 10; ++column) grid.put({row, column}, 7);
    }
    EXPECT_EQ(grid.erase(grid.prefix(std::uint8_t{3})), 10u);
    EXPECT_EQ(grid.erase(grid.range({std::uint8_t{8}, std::uint8_t{5}},
                                    {std::uint8_t{9}, std::uint8_t{5}})),
              10u);
    EXPECT_EQ(grid.size(), 80u);
    EXPECT_FALSE(grid.contains({std::uint8_t{3}, std::uint8_t{9}}));

    using Value = std::optional<std::int32_t>;
    const auto twice = [](Value value) { return Value(value.value_or(1) * 2); };
    grid.update({std::uint8_t{0}, std::uint8_t{0}}, twice);
    grid.update({std::uint8_t{3}, std::uint8_t{3}}, twice);
    grid.update({std::uint8_t{0}, std::uint8_t{1}}, [](Value) { return Value(); });
    EXPECT_EQ(grid.get({std::uint8_t{0}, std::uint8_t{0}}), 14);
    EXPECT_EQ(grid.get({std::uint8_t{3}, std::uint8_t{3}}), 2);
    EXPECT_EQ(grid.get({std::uint8_t{0}, std::uint8_t{1}}), std::nullopt);
  });
}

TEST_F(TypedTables, GivePrefixesOfStrings) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (const char* name : {"ada", "adam", "alan"}) tx.table(kVisits).put(name, 1);
  });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(std::ranges::distance(now.table(kVisits).prefix("ad")), 2);
}

TEST_F(TypedTables, GetManyGivesEachKeyItsValue) {
  constexpr TableDef<std::pair<std::uint32_t, std::string>, Plain<Colour>> kColours{"colours"};
  Database db{file_};
  db.write([&](Transaction& tx) {
    auto colours = tx.table(kColours);
    for (std::uint32_t i = 0; i < 100; i += 2) {
      colours.put({i, "of " + std::to_string(i)}, Colour{static_cast<std::uint8_t>(i), 1, 2});
    }
  });
  const Snapshot now = db.snapshot();
  std::vector<std::pair<std::uint32_t, std::string>> keys;
  for (std::uint32_t i = 0; i < 100; ++i) keys.emplace_back(i, "of " + std::to_string(i));
  std::vector<std::optional<Colour>> values(100, Colour{9, 9, 9});
  now.table(kColours).get_many(keys, values);
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(values[i].has_value(), i % 2 == 0) << i;
    EXPECT_EQ(values[i].value_or(Colour{static_cast<std::uint8_t>(i), 0, 0}).red, i);
  }
  values.resize(99);
  EXPECT_EQ(errc_of([&] { now.table(kColours).get_many(keys, values); }), Errc::misuse);
}

TEST_F(TypedTables, TakeCodecsOfOnesOwn) {
  constexpr TableDef<std::tuple<Colour, std::string_view>, Colour> kMixed{"mixed"};
  Database db{file_};
  db.write([&](Transaction& tx) {
    tx.table(kMixed).put({Colour{1, 2, 3}, "with blue"}, Colour{1, 2, 255});
  });
  const Snapshot now = db.snapshot();
  for (auto [key, value] : now.table(kMixed).prefix(Colour{1, 2, 3})) {
    EXPECT_EQ(std::get<1>(key), "with blue");
    EXPECT_EQ(value, (Colour{1, 2, 255}));
  }
}

TEST_F(TypedTables, StringsPointIntoTheMap) {
  Database db{file_};
  db.write([&](Transaction& tx) { tx.table(kNames).put(1, std::string(100'000, 'x')); });
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.table(kNames).get(1)->data(), now.table("names").begin().value().data());
}

TEST_F(TypedTables, SayWhichEntryIsOfAnotherType) {
  Database db{file_};
  db.write([](Transaction& tx) {
    tx.table("visits").put("ada", "three");
    tx.table("names").put("key", "Ada");
    tx.table().put("12345678", "four");
  });
  const Snapshot now = db.snapshot();
  const auto visits = now.table(kVisits);
  const std::string text =
      "table 'visits', key 616461 (hex): the value has 5 bytes, not 8; open "
      "the table under the types that it was written with";
  EXPECT_EQ(errc_of([&] { (void)visits.get("ada"); }), Errc::misuse);
  EXPECT_NE(text_of([&] { (void)visits.get("ada"); }).find(text), std::string::npos)
      << text_of([&] { (void)visits.get("ada"); });
  EXPECT_EQ(errc_of([&] { (void)*visits.begin(); }), Errc::misuse);
  EXPECT_EQ(visits.begin().key(), "ada") << "the key alone is one";
  EXPECT_EQ(errc_of([&] { (void)*now.table(kNames).begin(); }), Errc::misuse);
  constexpr TableDef<std::uint64_t, bool> kDefault{};
  EXPECT_NE(text_of([&] {
              (void)*now.table(kDefault).begin();
            }).find("default table, key 3132333435363738 (hex): the value has 4 bytes, not 1"),
            std::string::npos);
  constexpr TableDef<std::tuple<std::string_view, int>, int> kComposite{"visits"};
  EXPECT_NE(text_of([&] {
              (void)now.table(kComposite).begin().key();
            }).find("the key has 3 bytes that are none of this type"),
            std::string::npos);
}

TEST_F(TypedTables, KeepTheLimitsOfTheBytes) {
  Database db{file_};
  Transaction tx = db.begin();
  auto visits = tx.table(kVisits);
  EXPECT_EQ(errc_of([&] { visits.put(std::string(5000, 'k'), 1); }), Errc::too_large);
  visits.put("k", 1);
  tx.commit();
  EXPECT_EQ(errc_of([&] { visits.put("k", 2); }), Errc::misuse);
}

}  // namespace
}  // namespace quire::test
