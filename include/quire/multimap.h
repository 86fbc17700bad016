// Multimaps: tables in which a key has any number of different values, sorted. As a snapshot shows
// them (MultimapView) and as a transaction changes them (Multimap). For secondary indexes, tags,
// edges of graphs, inverted lists.
//
//   auto by_city = tx.multimap("by city");
//   by_city.insert("Paris", "ada");
//   by_city.insert("Paris", "alan");
//   for (auto [city, person] : by_city) ...          // ordered by city, then by person
//   for (Bytes person : by_city.values("Paris")) ...
//   for (Bytes city : by_city.keys()) ...
#pragma once

#include <quire/cursor.h>
#include <quire/export.h>
#include <quire/options.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <type_traits>
#include <vector>

namespace quire {

namespace detail {
struct MultimapAccess;

// A pair of a multimap, or the end. What the iterators below have in common.
class QUIRE_API PairPosition {
 public:
  // Of no multimap: equal to itself only.
  PairPosition() noexcept;

  // Whether it stands behind the last pair; of no multimap it does.
  bool at_end() const;

  // Errc::misuse at the end.
  Bytes key() const;
  Bytes value() const;
  std::uint64_t value_count() const;  // of the key; kept, not counted

 protected:
  void next();
  void previous();
  void next_key();
  void previous_key();
  bool is_same_pair(const PairPosition& other) const noexcept;
  bool is_same_key(const PairPosition& other) const noexcept;

 private:
  friend struct MultimapAccess;
  static constexpr std::size_t kStateBytes = 848;
  alignas(8) std::byte state_[kStateBytes];
};
}  // namespace detail

// What an iterator goes over: all pairs, the values of keys, or keys.
enum class Over { pairs, values, keys };

// A position in a multimap, and a std::bidirectional_iterator: over Entry {key, value} for
// Over::pairs, over Bytes for the others. Over::keys stands at the first value of each key.
//
// Threads, lifetime and errors as of Cursor (quire/cursor.h): any change to the multimap
// invalidates those of its transaction. Cost: a few loads for each step; a step to a key with many
// values costs a descent into the tree of these values.
template <Over kOver>
class MultimapCursor : public detail::PairPosition {
 public:
  using value_type = std::conditional_t<kOver == Over::pairs, Entry, Bytes>;
  using difference_type = std::ptrdiff_t;
  using reference = value_type;
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::bidirectional_iterator_tag;

  value_type operator*() const {
    if constexpr (kOver == Over::pairs) {
      return Entry{key(), value()};
    } else if constexpr (kOver == Over::values) {
      return value();
    } else {
      return key();
    }
  }

  MultimapCursor& operator++() {
    if constexpr (kOver == Over::keys) {
      next_key();
    } else {
      next();
    }
    return *this;
  }
  MultimapCursor operator++(int) {
    MultimapCursor before = *this;
    ++*this;
    return before;
  }

  MultimapCursor& operator--() {
    if constexpr (kOver == Over::keys) {
      previous_key();
    } else {
      previous();
    }
    return *this;
  }
  MultimapCursor operator--(int) {
    MultimapCursor before = *this;
    --*this;
    return before;
  }

  friend bool operator==(const MultimapCursor& left, const MultimapCursor& right) noexcept {
    return kOver == Over::keys ? left.is_same_key(right) : left.is_same_pair(right);
  }
};

using PairCursor = MultimapCursor<Over::pairs>;
using ValueCursor = MultimapCursor<Over::values>;
using KeyCursor = MultimapCursor<Over::keys>;

// From one cursor up to another.
template <Over kOver>
class MultimapRange {
 public:
  using Position = MultimapCursor<kOver>;
  MultimapRange(const Position& first, const Position& limit) : first_(first), limit_(limit) {}
  Position begin() const { return first_; }
  Position end() const { return limit_; }
  bool empty() const { return first_ == limit_; }

 private:
  Position first_;
  Position limit_;
};

using PairRange = MultimapRange<Over::pairs>;
using ValueRange = MultimapRange<Over::values>;
using KeyRange = MultimapRange<Over::keys>;

static_assert(std::bidirectional_iterator<PairCursor>);
static_assert(std::bidirectional_iterator<ValueCursor>);
static_assert(std::bidirectional_iterator<KeyCursor>);

// One multimap as a snapshot or transaction sees it. A plain value; one that does not exist reads
// as empty. Pairs are ordered by key, then by value, both as bytes.
//
// Threads, lifetime and errors as of TableView (quire/table.h).
class QUIRE_API MultimapView {
 public:
  // Number of values of a key, 0 when it is absent; kept, not counted. One descent.
  std::uint64_t count(Bytes key) const;

  bool contains(Bytes key) const { return count(key) > 0; }

  // One descent to the key, and one to the value where the key has many.
  bool contains(Bytes key, Bytes value) const;

  // Number of pairs, and of different keys; kept, not counted.
  std::uint64_t size() const;
  std::uint64_t key_count() const;
  bool empty() const { return size() == 0; }

  // One descent to the key each, and one to the value where the key has many; a range two of
  // either; end() none.
  PairCursor begin() const;
  PairCursor end() const;
  PairCursor find(Bytes key, Bytes value) const;         // end() when absent
  PairCursor lower_bound(Bytes key) const;               // first pair of a key >= `key`
  PairCursor lower_bound(Bytes key, Bytes value) const;  // first pair >= (`key`, `value`)
  PairCursor upper_bound(Bytes key) const;               // first pair of a key > `key`

  // Pairs with first <= key < limit; empty when limit <= first.
  PairRange range(Bytes first, Bytes limit) const;

  // Pairs whose key begins with `prefix`.
  PairRange prefix(Bytes prefix) const;

  // The values of one key: all of them, or those with first <= value < limit. Two or three
  // descents.
  ValueRange values(Bytes key) const;
  ValueRange values(Bytes key, Bytes first, Bytes limit) const;

  // The different keys: all of them, or those with first <= key < limit. Values are passed over.
  KeyRange keys() const;
  KeyRange keys(Bytes first, Bytes limit) const;

  // About how many keys there are with first <= key < limit; of all from `first` on without
  // `limit`. Of keys, not of pairs: where each has about as many values, size() / key_count() times
  // as many pairs. As exact, and as fast, as TableView::estimate.
  std::uint64_t estimate(Bytes first, std::optional<Bytes> limit = {}) const;

  // Up to `count` keys spread evenly, whatever values they have, in order and each at most once;
  // all keys where there are no more than that. As TableView::sample.
  std::vector<KeyCursor> sample(std::size_t count) const;

 protected:
  friend struct detail::MultimapAccess;
  MultimapView() noexcept = default;
  static constexpr std::size_t kStateBytes = 128;
  alignas(8) std::byte state_[kStateBytes];
};

// One multimap inside a transaction. Its changes are seen by the transaction at once and by others
// when it commits. Arguments may point into the map.
//
// Keys and values have at most key_bytes_max(page size) bytes (quire/options.h). Few values of a
// key stand beside it in its leaf; what would take more than a quarter of a page becomes a tree of
// its own, in which there is room for any number.
//
// Threads: the transaction's thread (Errc::misuse elsewhere).
// Errors besides MultimapView's: Errc::too_large (key or value too long), Errc::misuse (a table of
// that name has become another kind), and those of Table, after which the same holds.
class QUIRE_API Multimap : public MultimapView {
 public:
  // False when the pair is there already. Creates a multimap that does not exist yet; the commit
  // with the first one of a file is as slow as a checkpoint. Otherwise what Table::put costs, and a
  // descent more where the key has many values.
  bool insert(Bytes key, Bytes value);

  // False when the pair was absent. With its last value a key goes. Costs what `insert` does.
  bool erase(Bytes key, Bytes value);

  // All values of a key; returns how many there were. Reads every page of them once.
  std::uint64_t erase(Bytes key);

  // All values of all keys with first <= key < limit (nothing: of all from `first` on), or of those
  // that begin with `prefix`, or of those from one cursor to the other: `map.erase(map.keys("a",
  // "c"))` (misuse when they are of something else or not valid). Returns how many pairs there
  // were. Whole subtrees go at once: pages within the range and those of the keys' values are read,
  // to be freed, and only those at its two ends are changed. One operation in the log, whatever the
  // number. A range of pairs may begin amid the values of a key, so there is no such call for it.
  std::uint64_t erase_keys(Bytes first, std::optional<Bytes> limit);
  std::uint64_t erase_prefix(Bytes prefix);
  template <std::same_as<KeyRange> Keys>
  std::uint64_t erase(const Keys& keys) {
    return erase_between(keys.begin(), keys.end());
  }

  // Removes all pairs; the multimap stays. Reads every page of it once.
  void clear();

 private:
  friend struct detail::MultimapAccess;
  Multimap() noexcept = default;
  std::uint64_t erase_between(const KeyCursor& first, const KeyCursor& limit);
};

}  // namespace quire
