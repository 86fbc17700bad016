// A position in a multimap: a key and one of its values. A plain value, as Cursor is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "btree/cursor.h"
#include "btree/values.h"

namespace quire::btree {

// Threads, lifetime and errors: as of Cursor. Pairs are ordered by key, then by value.
class PairCursor {
 public:
  // Stands at the end.
  PairCursor() = default;
  PairCursor(const pages::PageView& view, const format::TreeRoot& tree) noexcept
      : view_(view), keys_(view, tree) {}

  void seek_first();
  void seek_end() noexcept { keys_.seek_end(); }
  void seek_key(std::string_view key);         // first pair of the first key >= key
  void seek_behind_key(std::string_view key);  // first pair of the first key > key
  void seek_lower_bound(std::string_view key,
                        std::string_view value);                  // first pair >= (key, value)
  bool seek_exact(std::string_view key, std::string_view value);  // at the pair, or at the end
  void seek_part(double part);  // as Cursor's, of keys: to the first pair of one

  bool at_end() const noexcept { return keys_.at_end(); }

  // As Cursor's; to a key: to its first pair.
  void next();
  bool previous();
  void next_key();
  bool previous_key();

  // Require !at_end(). Both point into the map.
  std::string_view key() const { return keys_.key(); }
  std::string_view value() const;
  std::uint64_t value_count() const { return values_.count(); }  // of the key

  bool same_key(const PairCursor& other) const noexcept { return keys_.same_place(other.keys_); }
  bool same_place(const PairCursor& other) const noexcept;

 private:
  template <typename Step>
  auto at_end_unless(Step&& step);
  void enter_first();
  void enter_last();

  pages::PageView view_;
  Cursor keys_;
  Values values_;            // of the key at which keys_ stands
  std::uint32_t index_ = 0;  // in a set
  Cursor in_tree_;           // in a tree of values
};

}  // namespace quire::btree
