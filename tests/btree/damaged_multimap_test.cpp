// Multimaps whose pages say what no writer has written: everything ends with a result or
// Errc::corrupt.
#include <quire/error.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/endian.h"
#include "btree/cursor.h"
#include "btree/multimap.h"
#include "btree/multimap_fixture.h"
#include "btree/pair_cursor.h"
#include "format/leaf.h"
#include "support/random.h"

namespace quire::btree {
namespace {

using format::TreeRoot;
using test::big_endian;
using test::pair_count;
using test::TreeStore;
using Fixture = test::MultimapFixture;

// What the Error says that `step` throws; empty when it throws none.
template <typename Step>
std::string refusal_of(Step&& step) {
  try {
    step();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), make_error_code(Errc::corrupt)) << error.what();
    return error.what();
  }
  return {};
}

class DamagedMultimap : public ::testing::Test {
 protected:
  DamagedMultimap() : map_(4096) {
    map_.insert("a", "1");
    map_.insert("a", "2");
    map_.insert("b", "3");
    for (std::uint64_t i = 0; i < 3'000; ++i) map_.insert("many", big_endian(i));
    map_.commit();
  }

  // The bytes of a key's value in its leaf.
  char* value_of(const std::string& key) {
    Cursor cursor(map_.store.view(), map_.tree);
    EXPECT_TRUE(cursor.seek_exact(key));
    const std::string_view key_bytes = cursor.key();
    const auto offset =
        reinterpret_cast<const std::byte*>(key_bytes.data()) - map_.store.view().base;
    return reinterpret_cast<char*>(map_.store.page(0)) + offset + key_bytes.size();
  }

  // The same as bytes in memory.
  std::byte* reference_of(const std::string& key) {
    return reinterpret_cast<std::byte*>(value_of(key));
  }

  bool is_noticed() { return !map_.store.check(map_.tree, pair_count(map_.model)).faults.empty(); }

  // Everything that can be done with it ends, with an Error or without.
  void use() {
    const auto tolerate = [&](auto&& step) {
      try {
        step();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), make_error_code(Errc::corrupt)) << error.what();
      }
    };
    PairCursor cursor(map_.store.view(), map_.tree);
    tolerate([&] {
      for (cursor.seek_first(); !cursor.at_end(); cursor.next()) static_cast<void>(cursor.value());
    });
    if (!cursor.at_end()) tolerate([&] { static_cast<void>(cursor.value()); });
    cursor.seek_end();
    tolerate([&] {
      while (cursor.previous()) static_cast<void>(cursor.value());
    });
    if (!cursor.at_end()) tolerate([&] { static_cast<void>(cursor.value()); });
    for (const char* key : {"a", "b", "many"}) {
      tolerate([&] { count_values(map_.store.view(), map_.tree, key); });
      tolerate([&] { contains_pair(map_.store.view(), map_.tree, key, "2"); });
      tolerate([&] { get(map_.store.view(), map_.tree, key); });
      TreeRoot tree = map_.tree;
      tolerate([&] {
        KeyValues values(map_.store.space(), tree, map_.finger, key);
        if (values.locate("2")) {
          values.erase();
        } else {
          values.insert("2");
        }
      });
      map_.store.roll_back();
      map_.finger.forget();
      tolerate([&] {
        TreeRoot cleared = map_.tree;
        clear(map_.store.space(), cleared);
      });
      map_.store.roll_back();
      tolerate([&] {
        TreeRoot cut = map_.tree;
        erase_keys(map_.store.space(), cut, key, key + std::string(1, '\0'));
      });
      map_.store.roll_back();
    }
  }

  Fixture map_;
};

TEST_F(DamagedMultimap, IsNoticedAndEndsEveryOperation) {
  ASSERT_FALSE(is_noticed());
  for (const char* key : {"a", "b", "many"}) {
    char* value = value_of(key);
    const std::size_t size = key[0] == 'm' ? format::kSubTreeBytes : key[0] == 'a' ? 8 : 5;
    for (std::size_t at = 0; at < size; ++at) {
      for (const int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
        const char before = value[at];
        value[at] = static_cast<char>(before ^ change);
        const std::size_t last_end = key[0] == 'a' ? 4 : 2;
        // What moves a value's end inside of the set makes another set.
        if (key[0] == 'm' || at < 2 || (at >= last_end && at < last_end + 2)) {
          EXPECT_TRUE(is_noticed()) << key << " byte " << at << " ^ " << change;
        }
        use();
        value[at] = before;
        if (HasFailure()) return;
      }
    }
  }
  ASSERT_FALSE(is_noticed());
}

TEST_F(DamagedMultimap, MayNotReferToTreesFromTreesOfValues) {
  Cursor keys(map_.store.view(), map_.tree);
  ASSERT_TRUE(keys.seek_exact("many"));
  Cursor values(map_.store.view(), keys.values().tree);
  values.seek_first();
  const auto offset =
      reinterpret_cast<const std::byte*>(values.key().data()) - map_.store.view().base;
  char* record = reinterpret_cast<char*>(map_.store.page(0)) + offset - 4;
  std::memcpy(record + 2, "\x1c\x80", 2);  // 28 bytes of a reference
  EXPECT_TRUE(is_noticed());
  use();
}

TEST_F(DamagedMultimap, IsNoMapOfValues) {
  EXPECT_FALSE(map_.store.check(map_.tree).faults.empty());
  EXPECT_THROW(get(map_.store.view(), map_.tree, "many"), Error);
  TreeRoot ordinary;
  map_.store.put(ordinary, "key", "value");
  EXPECT_FALSE(map_.store.check(ordinary, 1).faults.empty());
  EXPECT_THROW(count_values(map_.store.view(), ordinary, "key"), Error);
}

// A tree of one leaf with one entry, which no function here would have made.
TreeRoot leaf_of(TreeStore& store, const format::LeafEntry& entry) {
  TreeRoot tree;
  format::leaf_start(store.space().create(0, &tree.root), store.view().page_bytes, entry);
  tree.entry_count = tree.leaf_pages = tree.height = 1;
  return tree;
}

std::string set_of(std::uint32_t count, std::size_t value_bytes) {
  std::vector<std::byte> buffer(count * (value_bytes + 2) + 2);
  format::ValueSetWriter writer(buffer.data(), count);
  for (std::uint32_t i = 0; i < count; ++i) {
    writer.append(big_endian(i) + std::string(value_bytes - 8, 'v'));
  }
  return std::string(writer.bytes());
}

// Stored again with one value less, it ended the process by an assert.
TEST_F(DamagedMultimap, WhoseSetIsTooLongForALeafIsNotChanged) {
  const std::string set = set_of(100, 20);
  ASSERT_GT(set.size(), format::set_bytes_max(1, 4096));
  TreeRoot tree = leaf_of(map_.store, {"k", set});
  EXPECT_EQ(count_values(map_.store.view(), tree, "k"), 100u);
  const std::string text = refusal_of([&] {
    PairFinger finger;
    KeyValues values(map_.store.space(), tree, finger, "k");
    if (values.locate(big_endian(7) + std::string(12, 'v'))) values.erase();
  });
  EXPECT_NE(text.find("a set of values too long for a leaf"), std::string::npos) << text;
}

TEST_F(DamagedMultimap, WhoseKeyIsTooLongIsNotChanged) {
  const std::string key(format::key_bytes_max(4096) + 1, 'k');
  TreeRoot tree = leaf_of(map_.store, {key, set_of(3, 20)});
  const std::string text = refusal_of([&] {
    PairFinger finger;
    KeyValues values(map_.store.space(), tree, finger, key);
    if (values.locate(big_endian(1) + std::string(12, 'v'))) values.erase();
  });
  EXPECT_NE(text.find("a key is too long"), std::string::npos) << text;
}

// A reference is stored again only as one that may be read.
TEST_F(DamagedMultimap, WhoseTreeOfValuesCountsNoEntriesIsNotStored) {
  store_le(reference_of("many") + 8, std::uint64_t{1});
  TreeRoot tree = map_.tree;
  std::string text = refusal_of([&] {
    KeyValues values(map_.store.space(), tree, map_.finger, "many");
    ASSERT_TRUE(values.locate(big_endian(5)));
    values.erase();
  });
  EXPECT_NE(text.find("a tree of values that is not what its key says"), std::string::npos) << text;
  map_.store.roll_back();
  map_.finger.forget();
  store_le(reference_of("many") + 8, UINT64_MAX);
  tree = map_.tree;
  text = refusal_of([&] {
    KeyValues values(map_.store.space(), tree, map_.finger, "many");
    ASSERT_FALSE(values.locate("new"));
    values.insert("new");
  });
  EXPECT_NE(text.find("a tree of values that is not what its key says"), std::string::npos) << text;
}

// The values of a key are its own leaf: what is put among them moves the key itself.
TEST_F(DamagedMultimap, WhoseKeyIsAmongItsOwnValuesIsNotReplacedByAnother) {
  Fixture own{4096};
  own.insert("a", "1");
  for (std::uint64_t i = 0; own.tree.extent_pages == 0; ++i) own.insert("many", big_endian(i));
  ASSERT_EQ(own.tree.height, 1u);
  own.finger.forget();
  TreeRoot values_root = own.tree;
  values_root.entry_count = 2;
  values_root.extent_pages = 0;
  char* page = reinterpret_cast<char*>(own.store.page(0));
  Cursor cursor(own.store.view(), own.tree);
  ASSERT_TRUE(cursor.seek_exact("many"));
  const auto offset =
      reinterpret_cast<const std::byte*>(cursor.key().data()) - own.store.view().base;
  encode_sub_tree(values_root, reinterpret_cast<std::byte*>(page + offset + 4));
  const std::string text = refusal_of([&] {
    KeyValues values(own.store.space(), own.tree, own.finger, "many");
    ASSERT_FALSE(values.locate("b"));
    values.insert("b");
  });
  EXPECT_NE(text.find("leaf has changed since it was searched"), std::string::npos) << text;
}

// Roots that lead to the keys themselves, to another key's values, to no page at all.
TEST_F(DamagedMultimap, WhoseTreeOfValuesIsAnotherTreeEndsEveryOperation) {
  for (std::uint64_t i = 0; i < 3'000; ++i) map_.insert("more", big_endian(i));
  map_.commit();
  const auto root_of = [&](const std::string& key) {
    Cursor cursor(map_.store.view(), map_.tree);
    EXPECT_TRUE(cursor.seek_exact(key));
    return cursor.values().tree;
  };
  const TreeRoot good = root_of("many");
  TreeRoot keys = map_.tree;
  keys.extent_pages = 0;
  TreeRoot stale = good;
  ++stale.root.birth_low;
  TreeRoot outside = good;
  outside.root.page = UINT32_MAX;
  TreeRoot meta = good;
  meta.root.page = 1;
  TreeRoot flat = good;
  flat.height = 1;
  for (const TreeRoot& wrong : {keys, root_of("more"), stale, outside, meta, flat}) {
    encode_sub_tree(wrong, reference_of("many"));
    EXPECT_TRUE(is_noticed()) << wrong.root.page;
    use();
  }
  encode_sub_tree(good, reference_of("many"));
  EXPECT_FALSE(is_noticed());
}

// Many keys with one tree of values: dropping them ends when it has seen as many pages as there
// are.
TEST_F(DamagedMultimap, WhoseKeysShareATreeOfValuesIsErasedInBoundedTime) {
  std::byte reference[format::kSubTreeBytes];
  std::memcpy(reference, reference_of("many"), sizeof reference);
  TreeRoot tree;
  const std::string_view bytes = format::view_of(reference, sizeof reference);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    Finger finger;
    ASSERT_FALSE(locate(map_.store.space(), tree, big_endian(i), finger));
    put_at(map_.store.space(), tree, finger, big_endian(i),
           {.inline_bytes = bytes, .is_sub_tree = true}, false);
  }
  map_.store.commit();
  const std::string text =
      refusal_of([&] { erase_keys(map_.store.space(), tree, "", std::nullopt); });
  EXPECT_NE(text.find("more pages than the file"), std::string::npos) << text;
}

}  // namespace
}  // namespace quire::btree
