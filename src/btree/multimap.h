// Multimaps: trees in which a key has several sorted values. Few of them are a set in the leaf
// (format/value_set.h); when they would take more than a value may there, they become a tree of
// their own, whose keys they are, and which the key's leaf refers to. The leaf is written anew
// whenever that tree changes, so no page is younger than what points to it.
//
// Of such a tree `TreeRoot::entry_count` counts keys, and `extent_pages` the pages of the trees of
// values. Who counts the pairs is the caller.
//
// Threads and errors: as in tree.h.
#pragma once

#include <cstdint>
#include <string>

#include "btree/finger.h"
#include "btree/tree.h"
#include "btree/values.h"
#include "format/page.h"
#include "pages/page_space.h"
#include "pages/page_view.h"

namespace quire::btree {

// Number of values of a key; 0 when it is absent. One descent; they are not read.
std::uint64_t count_values(const pages::PageView& view, const format::TreeRoot& tree, Bytes key);

// Whether the key has this value. Two descents at most.
bool contains_pair(const pages::PageView& view, const format::TreeRoot& tree, Bytes key,
                   Bytes value);

// Where the last pair was changed. As Finger.
struct PairFinger {
  Finger keys;
  Finger values;  // in the tree of values of `key`
  std::string key;

  void forget() noexcept {
    keys.forget();
    values.forget();
  }
};

// The values of one key, to be changed. Lives for one change: look, then `insert` or `erase` once.
// Requires for that pages_needed() free pages. After it `tree` and `finger` go on; this object does
// not.
class KeyValues {
 public:
  // Goes to where `key` is or belongs. `key` is as put_at requires, and outlives this.
  KeyValues(pages::PageSpace& space, format::TreeRoot& tree, PairFinger& finger, Bytes key);
  KeyValues(const KeyValues&) = delete;
  KeyValues& operator=(const KeyValues&) = delete;

  bool has_key() const noexcept { return has_key_; }
  std::uint64_t count() const noexcept { return has_key_ ? values_.count() : 0; }

  // Goes to where `value` is or belongs; true when it is there.
  bool locate(Bytes value);

  std::uint32_t pages_needed() const noexcept;

  // Of the tree of its values, as the key's leaf counts them; 0 when they are a set.
  std::uint64_t value_pages() const noexcept { return has_key_ ? pages_of(values_.tree) : 0; }

  // The value that was located and not there. Requires a length of format::key_bytes_max at most,
  // and a value that is no part of a page that this transaction has written.
  void insert(Bytes value);

  // The value that was located and there. With the last one the key goes.
  void erase();

  // Takes the key out. Cost: reads every page of its values.
  void erase_all();

  // The same key in other memory.
  void set_key(Bytes key) noexcept { key_ = key; }

 private:
  void insert_first(Bytes value);
  void insert_into_set(Bytes value);
  void become_tree(Bytes value);
  void judge(const std::byte* page, const format::LeafEntry& entry) const;
  void put_value(format::TreeRoot& values, Bytes value);
  bool become_set(const format::TreeRoot& values);
  void store_set(Bytes set);
  void store_tree(const format::TreeRoot& values);
  void count_pages(const format::TreeRoot& values);
  void erase_key();

  pages::PageSpace& space_;
  format::TreeRoot& tree_;
  PairFinger& finger_;
  Bytes key_;
  bool has_key_;
  Values values_;
  format::ValueSet::Position at_{0, false};  // in a set
};

}  // namespace quire::btree
