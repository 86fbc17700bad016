// Calls on tables that look and change at once, beside what they should do.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "reference/inputs.h"
#include "reference/model.h"
#include "support/database_test.h"

namespace quire::test {

class Updates {
 public:
  Updates(Random& random, Inputs& inputs) : random_(random), inputs_(inputs) {}

  void one(Table& table, Model& model, const std::string& in) {
    if (random_.one_in(5)) return add(table, model, in);
    const std::string k = inputs_.key();
    const std::string v = inputs_.value();
    const auto known = model.table(in).find(k);
    const bool is_there = known != model.table(in).end();
    const std::string before = is_there ? known->second : "";
    const auto change = [&] { model.change(in)[k] = v; };
    switch (random_.below(5)) {
      case 0:
        EXPECT_EQ(table.replace(k, v), is_there);
        if (is_there) change();
        return;
      case 1: {
        const Table::Got got = table.insert_or_get(k, v);
        EXPECT_EQ(got.is_new, !is_there);
        if (!is_there) change();
        EXPECT_TRUE(got.value == model.table(in).at(k));
        return;
      }
      case 2: {
        const auto taken = table.take(k);
        ASSERT_EQ(taken.has_value(), is_there);
        if (!is_there) return;
        EXPECT_TRUE(*taken == before);
        model.change(in).erase(k);
        return;
      }
      case 3: {
        const bool swaps = random_.one_in(2);
        const std::optional<Bytes> expected =
            is_there ? std::optional<Bytes>(before) : std::nullopt;
        EXPECT_EQ(table.compare_and_swap(k, swaps ? expected : Bytes("something else"), v), swaps);
        if (swaps) change();
        return;
      }
      default:
        table.update(k, [&](std::optional<Bytes> now) {
          EXPECT_EQ(now.has_value(), is_there);
          return v;
        });
        change();
    }
  }

 private:
  static constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

  static std::string counter(std::int64_t number) {
    return big_endian(static_cast<std::uint64_t>(number) ^ kSignBit);
  }

  // What a counter of these bytes stands at; nothing when they are none.
  static std::optional<std::int64_t> counted(std::string_view bytes) {
    if (bytes.size() != 8) return std::nullopt;
    std::uint64_t word = 0;
    for (const char byte : bytes) word = word << 8 | static_cast<unsigned char>(byte);
    return static_cast<std::int64_t>(word ^ kSignBit);
  }

  std::int64_t delta() {
    if (random_.one_in(30)) return std::numeric_limits<std::int64_t>::max();
    if (random_.one_in(30)) return std::numeric_limits<std::int64_t>::min();
    return static_cast<std::int64_t>(random_.below(2001)) - 1000;
  }

  // Mostly to few keys, so that counters rise and fall, and overflow.
  void add(Table& table, Model& model, const std::string& in) {
    const std::string k =
        random_.one_in(8) ? inputs_.key() : "count " + std::to_string(random_.below(8));
    const auto known = model.table(in).find(k);
    std::optional<std::int64_t> before = 0;
    if (known != model.table(in).end()) before = counted(known->second);
    const std::int64_t added = delta();
    std::int64_t sum = 0;
    if (!before || __builtin_add_overflow(*before, added, &sum)) {
      EXPECT_EQ(errc_of([&] { table.add(k, added); }), Errc::misuse);
      return;
    }
    EXPECT_EQ(table.add(k, added), sum);
    model.change(in)[k] = counter(sum);
  }

  Random& random_;
  Inputs& inputs_;
};

}  // namespace quire::test
