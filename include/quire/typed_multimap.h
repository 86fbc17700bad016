// Multimaps with keys and values of C++ types, over those of bytes.
//
//   using Day = std::chrono::sys_days;
//   inline constexpr quire::MultimapDef<std::string_view, Day> kVisits{"visits"};
//
//   db.write([&](quire::Transaction& tx) { tx.multimap(kVisits).insert("ada", today); });
//   auto now = db.snapshot();
//   for (auto [name, day] : now.multimap(kVisits)) ...              // by name, then by day
//   for (Day day : now.multimap(kVisits).values("ada", monday, sunday)) ...
//
// Types and their bytes as in quire/typed.h, what is said there of entries of other types too. Keys
// and values both need codecs that keep order: Plain<T> is none. A composite value (std::tuple of
// score and name, say) sorts the values of a key by its parts.
#pragma once

#include <quire/codec.h>
#include <quire/composite.h>
#include <quire/multimap.h>
#include <quire/transaction.h>
#include <quire/typed.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace quire {

// A multimap's name and types; meant to be a constant, the name a literal.
template <typename K, typename V>
struct MultimapDef {
  std::string_view name;
};

// A MultimapCursor that reads typed pairs, values or keys. Reading throws Errc::misuse where they
// are of other types.
template <Over kOver, typename K, typename V>
class MultimapCursorOf {
 public:
  using Raw = MultimapCursor<kOver>;
  using value_type = std::conditional_t<
      kOver == Over::pairs, EntryOf<K, V>,
      std::conditional_t<kOver == Over::values, detail::Decoded<V>, detail::Decoded<K>>>;
  using difference_type = std::ptrdiff_t;
  using reference = value_type;
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::bidirectional_iterator_tag;

  MultimapCursorOf() noexcept = default;
  MultimapCursorOf(const Raw& raw, std::string_view multimap) : raw_(raw), multimap_(multimap) {}

  value_type operator*() const {
    if constexpr (kOver == Over::pairs) {
      return {key(), value()};
    } else if constexpr (kOver == Over::values) {
      return value();
    } else {
      return key();
    }
  }

  detail::Decoded<K> key() const {
    const Bytes key = raw_.key();
    return detail::decoded<K>(multimap_, "key", key, key);
  }
  detail::Decoded<V> value() const {
    return detail::decoded<V>(multimap_, "value", raw_.key(), raw_.value());
  }
  std::uint64_t value_count() const { return raw_.value_count(); }  // of the key

  MultimapCursorOf& operator++() {
    ++raw_;
    return *this;
  }
  MultimapCursorOf operator++(int) {
    MultimapCursorOf before = *this;
    ++raw_;
    return before;
  }
  MultimapCursorOf& operator--() {
    --raw_;
    return *this;
  }
  MultimapCursorOf operator--(int) {
    MultimapCursorOf before = *this;
    --raw_;
    return before;
  }

  friend bool operator==(const MultimapCursorOf& left, const MultimapCursorOf& right) noexcept {
    return left.raw_ == right.raw_;
  }

  const Raw& raw() const noexcept { return raw_; }

 private:
  Raw raw_;
  std::string_view multimap_;
};

template <Over kOver, typename K, typename V>
class MultimapRangeOf {
 public:
  using Position = MultimapCursorOf<kOver, K, V>;
  MultimapRangeOf(const Position& first, const Position& limit) : first_(first), limit_(limit) {}
  MultimapRangeOf(const MultimapRange<kOver>& raw, std::string_view multimap)
      : first_(raw.begin(), multimap), limit_(raw.end(), multimap) {}
  Position begin() const { return first_; }
  Position end() const { return limit_; }
  bool empty() const { return first_ == limit_; }

 private:
  Position first_;
  Position limit_;
};

namespace detail {

// What MultimapViewOf and MultimapOf have in common; `Raw` is MultimapView or Multimap.
template <typename K, typename V, typename Raw>
class TypedPairReads {
 public:
  static_assert(Codec<K>::kKeepsOrder, "keys need a codec that keeps order: Plain<T> is none");
  static_assert(Codec<V>::kKeepsOrder,
                "values of a multimap need a codec that keeps order: Plain<T> is none");
  using PairCursor = MultimapCursorOf<Over::pairs, K, V>;
  using KeyCursor = MultimapCursorOf<Over::keys, K, V>;
  using PairRange = MultimapRangeOf<Over::pairs, K, V>;
  using ValueRange = MultimapRangeOf<Over::values, K, V>;
  using KeyRange = MultimapRangeOf<Over::keys, K, V>;

  TypedPairReads(const Raw& raw, std::string_view name) : raw_(raw), name_(name) {}

  // Number of values of a key, 0 when it is absent.
  std::uint64_t count(Argument<K> key) const {
    Encoding buffer;
    return raw_.count(encoded<K>(key, buffer));
  }
  bool contains(Argument<K> key) const { return count(key) > 0; }
  bool contains(Argument<K> key, Argument<V> value) const {
    Encoding key_buffer, value_buffer;
    return raw_.contains(encoded<K>(key, key_buffer), encoded<V>(value, value_buffer));
  }

  std::uint64_t size() const { return raw_.size(); }  // pairs
  std::uint64_t key_count() const { return raw_.key_count(); }
  bool empty() const { return raw_.empty(); }

  PairCursor begin() const { return at(raw_.begin()); }
  PairCursor end() const { return at(raw_.end()); }
  PairCursor find(Argument<K> key, Argument<V> value) const {  // end() when absent
    Encoding key_buffer, value_buffer;
    return at(raw_.find(encoded<K>(key, key_buffer), encoded<V>(value, value_buffer)));
  }
  PairCursor lower_bound(Argument<K> key) const {  // first pair of a key >= `key`
    Encoding buffer;
    return at(raw_.lower_bound(encoded<K>(key, buffer)));
  }
  PairCursor lower_bound(Argument<K> key, Argument<V> value) const {  // first >= (`key`, `value`)
    Encoding key_buffer, value_buffer;
    return at(raw_.lower_bound(encoded<K>(key, key_buffer), encoded<V>(value, value_buffer)));
  }
  PairCursor upper_bound(Argument<K> key) const {  // first pair of a key > `key`
    Encoding buffer;
    return at(raw_.upper_bound(encoded<K>(key, buffer)));
  }

  // Pairs with first <= key < limit; empty when limit <= first.
  PairRange range(Argument<K> first, Argument<K> limit) const {
    Encoding first_buffer, limit_buffer;
    return {raw_.range(encoded<K>(first, first_buffer), encoded<K>(limit, limit_buffer)), name_};
  }

  // Pairs whose composite key begins with these parts, or whose key, a string, begins so.
  template <typename... Parts>
  requires Composite<K> PairRange prefix(const Parts&... parts)
  const {
    Encoding buffer;
    append_parts<K>(std::forward_as_tuple(parts...), buffer);
    return {raw_.prefix(buffer.bytes()), name_};
  }
  PairRange prefix(std::string_view beginning) const requires StringLike<K> {
    return {raw_.prefix(beginning), name_};
  }

  // The values of one key: all of them, or those with first <= value < limit.
  ValueRange values(Argument<K> key) const {
    Encoding buffer;
    return {raw_.values(encoded<K>(key, buffer)), name_};
  }
  ValueRange values(Argument<K> key, Argument<V> first, Argument<V> limit) const {
    Encoding key_buffer, first_buffer, limit_buffer;
    return {raw_.values(encoded<K>(key, key_buffer), encoded<V>(first, first_buffer),
                        encoded<V>(limit, limit_buffer)),
            name_};
  }

  // The different keys: all of them, or those with first <= key < limit.
  KeyRange keys() const { return {raw_.keys(), name_}; }
  KeyRange keys(Argument<K> first, Argument<K> limit) const {
    Encoding first_buffer, limit_buffer;
    return {raw_.keys(encoded<K>(first, first_buffer), encoded<K>(limit, limit_buffer)), name_};
  }

  // About how many keys there are with first <= key < limit.
  std::uint64_t estimate(Argument<K> first, Argument<K> limit) const {
    Encoding first_buffer, limit_buffer;
    return raw_.estimate(encoded<K>(first, first_buffer), encoded<K>(limit, limit_buffer));
  }

  // Up to `count` keys spread evenly.
  std::vector<KeyCursor> sample(std::size_t count) const {
    std::vector<KeyCursor> sampled;
    for (const quire::KeyCursor& key : raw_.sample(count)) sampled.emplace_back(key, name_);
    return sampled;
  }

  std::string_view name() const noexcept { return name_; }

  // The multimap of bytes.
  const Raw& raw() const noexcept { return raw_; }

 protected:
  PairCursor at(const quire::PairCursor& cursor) const { return PairCursor(cursor, name_); }

  Raw raw_;
  std::string_view name_;
};

}  // namespace detail

// A multimap as a snapshot shows it. Threads, lifetimes, errors and costs of every function: those
// of MultimapView, and Errc::misuse for pairs that are of other types.
template <typename K, typename V>
class MultimapViewOf : public detail::TypedPairReads<K, V, MultimapView> {
 public:
  using detail::TypedPairReads<K, V, MultimapView>::TypedPairReads;
};

// A multimap inside a transaction: as Multimap.
template <typename K, typename V>
class MultimapOf : public detail::TypedPairReads<K, V, Multimap> {
 public:
  using detail::TypedPairReads<K, V, Multimap>::TypedPairReads;
  operator MultimapViewOf<K, V>() const { return {this->raw_, this->name_}; }

  // False when the pair is there already.
  bool insert(detail::Argument<K> key, detail::Argument<V> value) {
    Encoding key_buffer, value_buffer;
    return this->raw_.insert(detail::encoded<K>(key, key_buffer),
                             detail::encoded<V>(value, value_buffer));
  }

  // False when the pair was absent. With its last value a key goes.
  bool erase(detail::Argument<K> key, detail::Argument<V> value) {
    Encoding key_buffer, value_buffer;
    return this->raw_.erase(detail::encoded<K>(key, key_buffer),
                            detail::encoded<V>(value, value_buffer));
  }

  // All values of a key; how many there were.
  std::uint64_t erase(detail::Argument<K> key) {
    Encoding buffer;
    return this->raw_.erase(detail::encoded<K>(key, buffer));
  }

  // All values of all keys with first <= key < limit; how many pairs there were.
  std::uint64_t erase_keys(detail::Argument<K> first, detail::Argument<K> limit) {
    Encoding first_buffer, limit_buffer;
    return this->raw_.erase_keys(detail::encoded<K>(first, first_buffer),
                                 detail::encoded<K>(limit, limit_buffer));
  }

  // All values of a range of this multimap's keys, `map.erase(map.keys("a", "c"))`, or of the keys
  // that begin with these parts, or, strings, with `beginning`; how many pairs there were.
  template <std::same_as<MultimapRangeOf<Over::keys, K, V>> Keys>
  std::uint64_t erase(const Keys& keys) {
    return this->raw_.erase(quire::KeyRange(keys.begin().raw(), keys.end().raw()));
  }
  template <typename... Parts>
  requires detail::Composite<K> std::uint64_t erase_prefix(const Parts&... parts) {
    Encoding buffer;
    detail::append_parts<K>(std::forward_as_tuple(parts...), buffer);
    return this->raw_.erase_prefix(buffer.bytes());
  }
  std::uint64_t erase_prefix(std::string_view beginning) requires detail::StringLike<K> {
    return this->raw_.erase_prefix(beginning);
  }

  // Removes all pairs; the multimap stays.
  void clear() { this->raw_.clear(); }

  using detail::TypedPairReads<K, V, Multimap>::raw;
  Multimap& raw() noexcept { return this->raw_; }
};

template <typename K, typename V>
MultimapViewOf<K, V> Snapshot::multimap(const MultimapDef<K, V>& definition) const& {
  return {multimap(definition.name), definition.name};
}

template <typename K, typename V>
MultimapOf<K, V> Transaction::multimap(const MultimapDef<K, V>& definition) & {
  return {multimap(definition.name), definition.name};
}

}  // namespace quire
