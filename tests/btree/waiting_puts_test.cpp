#include "btree/waiting_puts.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "support/random.h"

namespace quire::btree {
namespace {

std::map<std::string, std::string> sorted_of(WaitingPuts& puts) {
  puts.sort();
  std::map<std::string, std::string> all;
  for (std::size_t i = 0; i < puts.size(); ++i) {
    if (i > 0) {
      EXPECT_LT(puts.key(i - 1), puts.key(i));
    }
    all.emplace(puts.key(i), puts.value(i));
  }
  return all;
}

TEST(WaitingPuts, ComeInTheOrderOfTheirKeysAndTheLastOfEachKeyIsLeft) {
  test::Random random(1);
  WaitingPuts puts;
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    // Zero bytes and keys that begin each other: a short key's head is padded with zeros.
    std::string key(random.below(12), '\0');
    for (char& byte : key) byte = static_cast<char>(random.below(3) * 127);
    const std::string value = std::to_string(i);
    puts.add(key, value);
    expected[key] = value;
  }
  EXPECT_EQ(sorted_of(puts), expected);
}

TEST(WaitingPuts, TakeBoundedMemoryHoweverSmallTheyAre) {
  for (const std::size_t value_bytes : {std::size_t{0}, std::size_t{1000}}) {
    WaitingPuts puts;
    const std::string value(value_bytes, 'v');
    std::size_t count = 0;
    for (; puts.has_room_for("", value); ++count) puts.add("", value);
    EXPECT_GT(count, 1000u);
    EXPECT_LE(count * (value_bytes + 16), std::size_t{8} << 20);
    EXPECT_EQ(sorted_of(puts).size(), 1u);
    puts.clear();
    EXPECT_TRUE(puts.empty());
    EXPECT_TRUE(puts.has_room_for("key", value));
  }
}

TEST(WaitingPuts, TakeEmptyKeysAndValues) {
  WaitingPuts puts;
  puts.add("", "");
  puts.add("", "");
  puts.sort();
  ASSERT_EQ(puts.size(), 1u);
  EXPECT_EQ(puts.key(0), "");
  EXPECT_EQ(puts.value(0), "");
}

// Which of them came last was told by where their bytes stood, and these have none.
TEST(WaitingPuts, OfTheEmptyKeyLeaveTheLastOneToo) {
  for (int count = 1; count < 40; ++count) {
    WaitingPuts puts;
    for (int i = 0; i < count; ++i) puts.add("", "");
    puts.add("", "last");
    puts.sort();
    ASSERT_EQ(puts.size(), 1u);
    EXPECT_EQ(puts.value(0), "last") << count;
  }
}

}  // namespace
}  // namespace quire::btree
