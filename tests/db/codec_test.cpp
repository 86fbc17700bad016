// What codecs promise: bytes compare as values do, and give the values back.
#include <quire/quire.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/random.h"

namespace quire::test {
namespace {

template <typename T>
std::string encoding_of(detail::Argument<T> value) {
  Encoding buffer;
  return std::string(detail::encoded<T>(value, buffer));
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

// Each value of an ascending list comes back, its bytes follow those of the one before it, and
// short or long bytes are no value where the size is fixed.
template <typename T>
void expect_in_order(const std::vector<T>& ascending) {
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    const std::string bytes = encoding_of<T>(ascending[i]);
    const auto back = Codec<T>::decode(bytes);
    ASSERT_TRUE(back.has_value()) << i << ": " << hex(bytes);
    EXPECT_EQ(encoding_of<T>(T(*back)), bytes) << i;
    EXPECT_EQ(T(*back), ascending[i]) << i << ": " << hex(bytes);
    if (i > 0) {
      const std::string before = encoding_of<T>(ascending[i - 1]);
      EXPECT_LT(before, bytes) << i << ": " << hex(before) << " " << hex(bytes);
    }
    if (Codec<T>::kSizeBytes == 0) continue;
    EXPECT_EQ(bytes.size(), Codec<T>::kSizeBytes);
    EXPECT_FALSE(Codec<T>::decode(bytes + 'x').has_value());
    EXPECT_FALSE(Codec<T>::decode(bytes.substr(1)).has_value());
  }
}

// The same for random values in whatever order.
template <typename T, typename Make>
void expect_order_of_random(Make make) {
  std::vector<T> values;
  for (int i = 0; i < 2000; ++i) values.push_back(make());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  expect_in_order(values);
}

class CodecOrder : public ::testing::Test {
 protected:
  // Of few different values at small sizes, so that parts are equal often.
  std::string random_string() {
    std::string text(random_.next() % 5, '\0');
    for (char& byte : text) {
      constexpr char kNasty[] = {'\0', '\1', '\2', '\x7f', '\x80', '\xfe', '\xff', 'a'};
      byte = kNasty[random_.next() % sizeof kNasty];
    }
    return text;
  }

  template <typename T>
  T random_integer() {
    return static_cast<T>(random_.next() >> (random_.next() % 64));
  }

  template <typename T>
  void expect_order_of_integers() {
    using Limits = std::numeric_limits<T>;
    expect_order_of_random<T>([this] { return random_integer<T>(); });
    expect_in_order<T>({Limits::min(), static_cast<T>(Limits::min() + 1),
                        static_cast<T>(Limits::max() / 2), static_cast<T>(Limits::max() - 1),
                        Limits::max()});
    if constexpr (std::is_signed_v<T>) expect_in_order<T>({Limits::min(), -1, 0, 1});
  }

  Random random_{choose_seed("codecs")};
};

TEST_F(CodecOrder, OfIntegersIsThatOfTheirValues) {
  expect_order_of_integers<std::int8_t>();
  expect_order_of_integers<std::uint8_t>();
  expect_order_of_integers<std::int16_t>();
  expect_order_of_integers<std::uint16_t>();
  expect_order_of_integers<std::int32_t>();
  expect_order_of_integers<std::uint32_t>();
  expect_order_of_integers<std::int64_t>();
  expect_order_of_integers<std::uint64_t>();
  expect_order_of_integers<long long>();
  expect_in_order<bool>({false, true});
}

TEST(CodecBytes, AreThoseThatTheHeaderSays) {
  enum class Size : std::int16_t { small = -1, large = 2 };
  EXPECT_EQ(hex(encoding_of<std::uint32_t>(0x01020304)), "01020304");
  EXPECT_EQ(hex(encoding_of<std::int32_t>(-1)), "7fffffff");
  EXPECT_EQ(hex(encoding_of<std::int32_t>(1)), "80000001");
  EXPECT_EQ(hex(encoding_of<bool>(true)), "01");
  EXPECT_EQ(hex(encoding_of<double>(1.0)), "bff0000000000000");
  EXPECT_EQ(hex(encoding_of<double>(-1.0)), "400fffffffffffff");
  EXPECT_EQ(hex(encoding_of<float>(0.0f)), "80000000");
  EXPECT_EQ(hex(encoding_of<float>(-0.0f)), "7fffffff");
  EXPECT_EQ(hex(encoding_of<Size>(Size::small)), "7fff");
  EXPECT_EQ(hex(encoding_of<std::chrono::seconds>(std::chrono::seconds(1))), "8000000000000001");
  EXPECT_EQ(hex(encoding_of<std::array<std::uint16_t, 2>>({1, 2})), "00010002");
  EXPECT_EQ(encoding_of<std::string>("ada"), "ada");
  EXPECT_EQ(hex(encoding_of<std::optional<bool>>(std::nullopt)), "00");
  EXPECT_EQ(hex(encoding_of<std::optional<bool>>(false)), "0100");
  using Pair = std::pair<std::string_view, std::uint8_t>;
  EXPECT_EQ(hex(encoding_of<Pair>({std::string_view("a\0b", 3), std::uint8_t{7}})),
            "6100ff62000107");
  using Fixed = std::tuple<std::uint8_t, std::int8_t>;
  static_assert(Codec<Fixed>::kSizeBytes == 2 && Codec<Pair>::kSizeBytes == 0);
  EXPECT_EQ(hex(encoding_of<Fixed>({std::uint8_t{1}, std::int8_t{0}})), "0180");
}

template <typename T>
void expect_order_of_floats(Random& random) {
  using Limits = std::numeric_limits<T>;
  expect_in_order<T>({-Limits::infinity(), Limits::lowest(), T(-1.5), T(-1), -Limits::min(),
                      -Limits::denorm_min(), T(0), Limits::denorm_min(), Limits::min(),
                      Limits::epsilon(), T(1), T(1.5), Limits::max(), Limits::infinity()});
  expect_order_of_random<T>([&random] {
    const auto word = static_cast<detail::Word<sizeof(T)>>(random.next());
    const T value = std::bit_cast<T>(word);
    return std::isnan(value) || value == 0 ? T(1) : value;
  });

  const std::vector<T> total = {-Limits::quiet_NaN(), -Limits::infinity(), T(-0.0), T(0),
                                Limits::infinity(),   Limits::quiet_NaN()};
  for (std::size_t i = 0; i < total.size(); ++i) {
    const auto back = Codec<T>::decode(encoding_of<T>(total[i]));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(std::signbit(*back), std::signbit(total[i])) << i;
    EXPECT_EQ(std::isnan(*back), std::isnan(total[i])) << i;
    if (i > 0) {
      EXPECT_LT(encoding_of<T>(total[i - 1]), encoding_of<T>(total[i])) << i;
    }
  }
}

TEST_F(CodecOrder, OfFloatingPointIsTheTotalOrder) {
  expect_order_of_floats<float>(random_);
  expect_order_of_floats<double>(random_);
}

TEST_F(CodecOrder, OfStringsAndArraysIsThatOfTheirBytes) {
  expect_order_of_random<std::string>([this] { return random_string(); });
  expect_order_of_random<std::array<std::uint8_t, 3>>([this] {
    return std::array{random_integer<std::uint8_t>(), random_integer<std::uint8_t>(),
                      random_integer<std::uint8_t>()};
  });
  expect_order_of_random<std::array<std::int16_t, 2>>([this] {
    return std::array{random_integer<std::int16_t>(), random_integer<std::int16_t>()};
  });
  EXPECT_LT((encoding_of<std::array<char, 1>>({'\x7f'})),
            (encoding_of<std::array<char, 1>>({'\x80'})));
  EXPECT_EQ((*Codec<std::array<char, 2>>::decode("ab")), (std::array{'a', 'b'}));
}

TEST_F(CodecOrder, OfCompositesIsPartByPart) {
  using Mixed = std::tuple<std::string, std::int16_t, std::string>;
  expect_order_of_random<Mixed>([this] {
    return Mixed(random_string(), static_cast<std::int16_t>(random_.next() % 3 - 1),
                 random_string());
  });
  using Pair = std::pair<std::string, std::string>;
  expect_order_of_random<Pair>([this] { return Pair(random_string(), random_string()); });
}

TEST_F(CodecOrder, OfNestedCompositesIsPartByPart) {
  using Inner = std::tuple<std::string, std::optional<std::string>>;
  using Outer = std::pair<Inner, std::tuple<std::optional<std::int8_t>, Inner>>;
  expect_order_of_random<Outer>([this] {
    const auto maybe = [this]() -> std::optional<std::string> {
      if (random_.next() % 3 == 0) return std::nullopt;
      return random_string();
    };
    const auto number = [this]() -> std::optional<std::int8_t> {
      if (random_.next() % 3 == 0) return std::nullopt;
      return random_integer<std::int8_t>();
    };
    return Outer{Inner{random_string(), maybe()}, {number(), Inner{random_string(), maybe()}}};
  });
}

TEST_F(CodecOrder, RandomBytesAreRefusedOrTheOneEncodingOfAValue) {
  using Key = std::tuple<std::string, bool, std::optional<std::uint8_t>>;
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes;
    if (i % 2 == 0) {
      bytes = encoding_of<Key>({random_string(), random_.next() % 2 == 0, std::nullopt});
      if (!bytes.empty())
        bytes[random_.next() % bytes.size()] = static_cast<char>(random_.next() % 3);
    } else {
      bytes = random_string() + random_string() + random_string();
    }
    const auto key = Codec<Key>::decode(bytes);
    if (!key) continue;
    ++read;
    EXPECT_EQ(encoding_of<Key>(*key), bytes) << hex(bytes);
  }
  EXPECT_GT(read, 100);
}

TEST(CodecBytes, OfPlainStructsAreThoseInMemory) {
  struct Point {
    std::int32_t x;
    std::int32_t y;
    bool operator==(const Point&) const = default;
  };
  static_assert(!Codec<Plain<Point>>::kKeepsOrder && !Codec<std::tuple<Plain<Point>>>::kKeepsOrder);
  const Point point{3, -4};
  const std::string bytes = encoding_of<Plain<Point>>(point);
  EXPECT_EQ(bytes.size(), sizeof(Point));
  EXPECT_EQ(Codec<Plain<Point>>::decode(bytes), point);
  EXPECT_EQ(Codec<Plain<Point>>::decode(bytes.substr(1)), std::nullopt);
}

TEST(Encodings, GrowBeyondTheStack) {
  Encoding encoding;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 7));
    encoding.append(piece);
    expected += piece;
    ASSERT_EQ(encoding.bytes(), expected) << i;
  }
}

}  // namespace
}  // namespace quire::test
