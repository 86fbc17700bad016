// Random operations on multimaps, beside what they should hold.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reference/model.h"
#include "support/database_test.h"

namespace quire::test {

class PairOperations {
 public:
  PairOperations(Random& random, std::uint32_t page_bytes)
      : random_(random), longest_(key_bytes_max(page_bytes)) {}

  // `model` has no ordinary table of that name.
  void one(Transaction& tx, Model& model, const std::string& in) {
    Multimap map = tx.multimap(in);
    switch (random_.below(20)) {
      case 0:
        return walk(map, model.pairs(in));
      case 1:
        if (random_.one_in(40)) empty(tx, map, model, in);
        return;
      case 2:
        return erase_key(map, model, in);
      case 3:
        return insert_run(map, model, in);
      case 4:
      case 5:
        return look_up(map, model.pairs(in));
      case 6:
        return erase_keys(map, model, in);
      case 7:
        return sample(map, model.pairs(in));
      default:
        return random_.below(5) < 2 ? erase_known(map, model, in) : insert(map, model, in);
    }
  }

  static void expect_equal(const MultimapView& map, const Model::Pairs& model) {
    std::uint64_t count = 0;
    PairCursor at = map.begin();
    KeyCursor key = map.keys().begin();
    for (const auto& [k, values] : model) {
      ASSERT_EQ(*key, k);
      ASSERT_EQ(key.value_count(), values.size());
      ++key;
      for (const std::string& v : values) {
        ASSERT_EQ(at.key(), k);
        ASSERT_TRUE(at.value() == v);
        ++at;
        ++count;
      }
    }
    ASSERT_EQ(at, map.end());
    ASSERT_EQ(key, map.keys().end());
    ASSERT_EQ(map.size(), count);
    ASSERT_EQ(map.key_count(), model.size());
  }

 private:
  std::string key() {
    switch (random_.below(6)) {
      case 0:
        return std::string(random_.below(4), '\0');
      case 1:
        return std::string(longest_ - 1, 'l') + std::to_string(random_.below(4));
      case 2:
        return "key " + std::to_string(random_.below(2000));
      default:  // some that get many values
        return "many " + std::to_string(random_.below(5));
    }
  }

  std::string value() {
    switch (random_.below(8)) {
      case 0:
        return std::string(random_.below(3), '\xff');
      case 1:
        return random_.one_in(10) ? pattern(longest_, random_.below(20)) : std::string();
      case 2:
        return pattern(random_.below(200), random_.next());
      default:
        return big_endian(random_.below(3000));
    }
  }

  void insert(Multimap& map, Model& model, const std::string& in) {
    const std::string k = key();
    const std::string v = value();
    EXPECT_EQ(map.insert(k, v), model.change_pairs(in)[k].insert(v).second);
  }

  void insert_run(Multimap& map, Model& model, const std::string& in) {
    if (!random_.one_in(10)) return;
    const std::string k = key();
    const std::uint64_t first = random_.below(3000);
    for (std::uint64_t i = first; i < first + random_.below(400); ++i) {
      EXPECT_EQ(map.insert(k, big_endian(i)),
                model.change_pairs(in)[k].insert(big_endian(i)).second);
    }
  }

  // A pair that is there, named by where it stands in the map.
  void erase_known(Multimap& map, Model& model, const std::string& in) {
    const PairCursor at = map.lower_bound(key(), value());
    if (at == map.end()) {
      EXPECT_FALSE(map.erase("key without", "a value"));
      return;
    }
    const std::string k{at.key()};
    const std::string v{at.value()};
    EXPECT_TRUE(map.erase(at.key(), at.value()));
    Model::Pairs& pairs = model.change_pairs(in);
    EXPECT_EQ(pairs[k].erase(v), 1u);
    if (pairs[k].empty()) pairs.erase(k);
  }

  void erase_key(Multimap& map, Model& model, const std::string& in) {
    if (!random_.one_in(20)) return;
    const std::string k = key();
    const auto at = model.pairs(in).find(k);
    const std::size_t count = at == model.pairs(in).end() ? 0 : at->second.size();
    EXPECT_EQ(map.erase(k), count);
    if (count > 0) model.change_pairs(in).erase(k);
  }

  // Long ranges and short ones; with a limit, without, by prefix, by cursors.
  void erase_keys(Multimap& map, Model& model, const std::string& in) {
    if (!random_.one_in(10)) return;
    const std::string first = key();
    const std::string prefix = first.substr(0, random_.between(1, 6));
    const std::string limit = random_.one_in(2) ? key() : first + std::string(2, '\xff');
    const Model::Pairs& now = model.pairs(in);
    auto from = now.lower_bound(first);
    auto to = now.end();
    std::uint64_t erased = 0;
    switch (random_.below(8)) {
      case 0:
        erased = map.erase_keys(first, std::nullopt);
        break;
      case 1:
        from = to = now.lower_bound(prefix);
        while (to != now.end() && to->first.starts_with(prefix)) ++to;
        erased = map.erase_prefix(prefix);
        break;
      case 2:
      case 3:
        erased = map.erase(map.keys(first, limit));
        to = limit < first ? from : now.lower_bound(limit);
        break;
      default:
        erased = map.erase_keys(first, limit);
        to = limit < first ? from : now.lower_bound(limit);
    }
    std::uint64_t expected = 0;
    Strings keys;
    for (; from != to; ++from) {
      expected += from->second.size();
      keys.push_back(from->first);
    }
    EXPECT_EQ(erased, expected);
    for (const std::string& each : keys) model.change_pairs(in).erase(each);
  }

  // Some keys in order, with their first values.
  void sample(const MultimapView& map, const Model::Pairs& model) {
    ASSERT_EQ(map.estimate(""), model.size());
    const std::vector<KeyCursor> sampled = map.sample(random_.below(12));
    ASSERT_LE(sampled.size(), 12u);
    Strings keys;
    for (const KeyCursor& at : sampled) {
      const auto known = model.find(*at);
      ASSERT_NE(known, model.end());
      ASSERT_EQ(at.value_count(), known->second.size());
      ASSERT_TRUE(at.value() == *known->second.begin());
      if (!keys.empty()) {
        ASSERT_LT(keys.back(), *at);
      }
      keys.emplace_back(*at);
    }
  }

  void empty(Transaction& tx, Multimap& map, Model& model, const std::string& in) {
    if (random_.one_in(2)) {
      map.clear();
      if (model.is_multimap(in)) model.change_pairs(in).clear();
      EXPECT_TRUE(map.empty());
    } else {
      EXPECT_EQ(tx.drop(in), model.drop(in));
    }
  }

  void look_up(const MultimapView& map, const Model::Pairs& model) {
    const std::string k = key();
    const std::string v = value();
    const auto at = model.find(k);
    const std::size_t count = at == model.end() ? 0 : at->second.size();
    ASSERT_EQ(map.count(k), count);
    ASSERT_EQ(map.contains(k), count > 0);
    ASSERT_EQ(map.contains(k, v), count > 0 && at->second.contains(v));
    ASSERT_EQ(map.find(k, v) != map.end(), map.contains(k, v));
    const std::string limit = value();
    auto seen = count == 0 || limit <= v ? Values::const_iterator{} : at->second.lower_bound(v);
    for (const Bytes each : map.values(k, v, limit)) {
      ASSERT_TRUE(each == *seen);
      ASSERT_LT(each, limit);
      ++seen;
    }
    if (count > 0 && limit > v) {
      ASSERT_EQ(seen, at->second.lower_bound(limit));
    }
    std::size_t backwards = 0;
    const ValueRange values = map.values(k);
    for (auto position = values.end(); position != values.begin(); ++backwards) --position;
    ASSERT_EQ(backwards, count);
    const auto next = model.upper_bound(k);
    const PairCursor behind = map.upper_bound(k);
    ASSERT_EQ(behind == map.end(), next == model.end());
    if (next != model.end()) {
      ASSERT_EQ(behind.key(), next->first);
    }
  }

  // Some steps from somewhere, forwards and back.
  void walk(const MultimapView& map, const Model::Pairs& model) {
    const std::string k = key();
    const PairRange range = map.range(k, k + "\xff\xff");
    std::uint64_t seen = 0;
    for (const auto& [each_key, each_value] : range) {
      const auto at = model.find(std::string(each_key));
      ASSERT_TRUE(at != model.end() && at->second.contains(std::string(each_value)));
      ++seen;
    }
    std::uint64_t expected = 0;
    for (auto at = model.lower_bound(k); at != model.lower_bound(k + "\xff\xff"); ++at) {
      expected += at->second.size();
    }
    ASSERT_EQ(seen, expected);
    for (PairCursor at = range.end(); at != range.begin(); --seen) --at;
    ASSERT_EQ(seen, 0u);
  }

  using Strings = std::vector<std::string>;
  using Values = Model::Pairs::mapped_type;

  Random& random_;
  const std::size_t longest_;
};

}  // namespace quire::test
