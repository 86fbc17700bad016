// Tables with keys and values of C++ types, over those of bytes.
//
//   inline constexpr quire::TableDef<std::string_view, std::uint64_t> kVisits{"visits"};
//
//   db.write([](quire::Transaction& tx) { tx.table(kVisits).put("ada", 3); });
//   auto now = db.snapshot();
//   for (auto [name, visits] : now.table(kVisits)) std::cout << name << ' ' << visits << '\n';
//
// Composite keys, and the entries whose first parts are given:
//
//   using Reading = std::tuple<std::string_view, std::chrono::sys_seconds>;
//   inline constexpr quire::TableDef<Reading, double> kReadings{"readings"};
//   for (auto [reading, celsius] : now.table(kReadings).prefix("attic")) ...
//
// Which types there are, and their bytes: quire/codec.h, quire/composite.h. A table does not know
// its types: raw access, kvtool and programs in other languages see the bytes. Whoever opens it
// under other types meets Errc::misuse, naming table and key, at the first entry that cannot be
// one; where the bytes fit (a signed number read as an unsigned one), nothing tells.
#pragma once

#include <quire/codec.h>
#include <quire/composite.h>
#include <quire/cursor.h>
#include <quire/error.h>
#include <quire/export.h>
#include <quire/options.h>
#include <quire/table.h>
#include <quire/transaction.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace quire {

// A table's name and types; meant to be a constant, the name a literal. An empty name is the
// default table.
template <typename K, typename V>
struct TableDef {
  std::string_view name;
};

// What reading an entry gives: Codec<K>::Decoded and Codec<V>::Decoded. Strings point into the map
// (in composites they are copies).
template <typename K, typename V>
struct EntryOf {
  detail::Decoded<K> key;
  detail::Decoded<V> value;
};

namespace detail {

// Throws Errc::misuse: `bytes` of the entry at `key` are no value of the type asked for. `part` is
// "key" or "value"; `size_bytes` what they should have been, 0 = any number.
[[noreturn]] QUIRE_API void refuse_entry(std::string_view table, const char* part, Bytes key,
                                         Bytes bytes, std::size_t size_bytes);

template <typename T>
Decoded<T> decoded(std::string_view table, const char* part, Bytes key, Bytes bytes) {
  auto value = Codec<T>::decode(bytes);
  if (!value) refuse_entry(table, part, key, bytes, Codec<T>::kSizeBytes);
  return *std::move(value);
}

template <typename T>
inline constexpr bool kIsComposite = false;
template <typename First, typename Second>
inline constexpr bool kIsComposite<std::pair<First, Second>> = true;
template <typename... Ts>
inline constexpr bool kIsComposite<std::tuple<Ts...>> = true;

template <typename K>
concept Composite = kIsComposite<K>;

template <typename K>
concept StringLike = std::is_same_v<Decoded<K>, std::string_view>;

// The first parts of a composite key.
template <typename K, typename Given>
void append_parts(const Given& given, Encoding& out) {
  static_assert(std::tuple_size_v<Given> <= std::tuple_size_v<K>, "the key has fewer parts");
  [&]<std::size_t... kPart>(std::index_sequence<kPart...>) {
    (append_part<std::tuple_element_t<kPart, K>>(std::get<kPart>(given), out), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<Given>>());
}

}  // namespace detail

// A Cursor that reads typed entries. Reading throws Errc::misuse where they are of other types.
template <typename K, typename V>
class CursorOf {
 public:
  using value_type = EntryOf<K, V>;
  using difference_type = std::ptrdiff_t;
  using reference = EntryOf<K, V>;
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::bidirectional_iterator_tag;

  class Arrow {
   public:
    explicit Arrow(EntryOf<K, V> entry) : entry_(std::move(entry)) {}
    const EntryOf<K, V>* operator->() const noexcept { return &entry_; }

   private:
    EntryOf<K, V> entry_;
  };
  using pointer = Arrow;

  CursorOf() noexcept = default;
  CursorOf(const Cursor& raw, std::string_view table) : raw_(raw), table_(table) {}

  EntryOf<K, V> operator*() const {
    const Entry entry = *raw_;
    return {detail::decoded<K>(table_, "key", entry.key, entry.key),
            detail::decoded<V>(table_, "value", entry.key, entry.value)};
  }
  Arrow operator->() const { return Arrow(**this); }

  bool at_end() const { return raw_.at_end(); }

  // Halves of operator*.
  detail::Decoded<K> key() const {
    const Bytes key = raw_.key();
    return detail::decoded<K>(table_, "key", key, key);
  }
  detail::Decoded<V> value() const {
    const Entry entry = *raw_;
    return detail::decoded<V>(table_, "value", entry.key, entry.value);
  }

  CursorOf& operator++() {
    ++raw_;
    return *this;
  }
  CursorOf operator++(int) {
    CursorOf before = *this;
    ++raw_;
    return before;
  }
  CursorOf& operator--() {
    --raw_;
    return *this;
  }
  CursorOf operator--(int) {
    CursorOf before = *this;
    --raw_;
    return before;
  }

  friend bool operator==(const CursorOf& left, const CursorOf& right) noexcept {
    return left.raw_ == right.raw_;
  }

  const Cursor& raw() const noexcept { return raw_; }

 private:
  Cursor raw_;
  std::string_view table_;
};

template <typename K, typename V>
class RangeOf {
 public:
  RangeOf(const CursorOf<K, V>& first, const CursorOf<K, V>& limit)
      : first_(first), limit_(limit) {}
  CursorOf<K, V> begin() const { return first_; }
  CursorOf<K, V> end() const { return limit_; }
  bool empty() const { return first_ == limit_; }

 private:
  CursorOf<K, V> first_;
  CursorOf<K, V> limit_;
};

namespace detail {

// What TableViewOf and TableOf have in common; `Raw` is TableView or Table.
template <typename K, typename V, typename Raw>
class TypedReads {
 public:
  static_assert(Codec<K>::kKeepsOrder, "keys need a codec that keeps order: Plain<T> is none");
  using Cursor = CursorOf<K, V>;
  using Range = RangeOf<K, V>;

  TypedReads(const Raw& raw, std::string_view name) : raw_(raw), name_(name) {}

  // The value; nothing when the key is absent. One descent.
  std::optional<Decoded<V>> get(Argument<K> key) const {
    Encoding buffer;
    const Bytes bytes = encoded<K>(key, buffer);
    const std::optional<Bytes> value = raw_.get(bytes);
    if (!value) return std::nullopt;
    return decoded<V>(name_, "value", bytes, *value);
  }

  // What `get` gives for each of `keys`, stored into `values` at the same place (see
  // TableView::get_many). Throws Errc::misuse when there are fewer values than keys.
  void get_many(std::span<const K> keys, std::span<std::optional<Decoded<V>>> values) const {
    constexpr std::size_t kBatch = 32;
    require_room(keys.size(), values.size());
    for (std::size_t first = 0; first < keys.size(); first += kBatch) {
      const std::size_t count = std::min(kBatch, keys.size() - first);
      std::array<Encoding, kBatch> buffers;
      std::array<Bytes, kBatch> wanted;
      std::array<std::optional<Bytes>, kBatch> found;
      for (std::size_t i = 0; i < count; ++i) wanted[i] = encoded<K>(keys[first + i], buffers[i]);
      raw_.get_many(std::span(wanted).first(count), found);
      for (std::size_t i = 0; i < count; ++i) {
        auto& value = values[first + i];
        value.reset();
        if (found[i]) value.emplace(decoded<V>(name_, "value", wanted[i], *found[i]));
      }
    }
  }

  bool contains(Argument<K> key) const {
    Encoding buffer;
    return raw_.contains(encoded<K>(key, buffer));
  }

  std::uint64_t size() const { return raw_.size(); }
  bool empty() const { return raw_.empty(); }

  Cursor begin() const { return at(raw_.begin()); }
  Cursor end() const { return at(raw_.end()); }
  Cursor find(Argument<K> key) const {  // end() when absent
    Encoding buffer;
    return at(raw_.find(encoded<K>(key, buffer)));
  }
  Cursor lower_bound(Argument<K> key) const {  // first entry with a key >= `key`
    Encoding buffer;
    return at(raw_.lower_bound(encoded<K>(key, buffer)));
  }
  Cursor upper_bound(Argument<K> key) const {  // first entry with a key > `key`
    Encoding buffer;
    return at(raw_.upper_bound(encoded<K>(key, buffer)));
  }

  // Entries with first <= key < limit; empty when limit <= first.
  Range range(Argument<K> first, Argument<K> limit) const {
    Encoding first_buffer, limit_buffer;
    return at(raw_.range(encoded<K>(first, first_buffer), encoded<K>(limit, limit_buffer)));
  }

  // The same between the first parts of composite keys, as many as are given:
  // `range(std::tuple(7), std::tuple(9))` has all entries whose first part is 7 or 8.
  template <typename... First, typename... Limit>
  requires Composite<K> Range range(const std::tuple<First...>& first,
                                    const std::tuple<Limit...>& limit)
  const {
    Encoding first_buffer, limit_buffer;
    append_parts<K>(first, first_buffer);
    append_parts<K>(limit, limit_buffer);
    return at(raw_.range(first_buffer.bytes(), limit_buffer.bytes()));
  }

  // Entries whose composite key begins with these parts.
  template <typename... Parts>
  requires Composite<K> Range prefix(const Parts&... parts)
  const { return prefix(std::forward_as_tuple(parts...)); }
  template <typename... Parts>
  requires Composite<K> Range prefix(const std::tuple<Parts...>& parts)
  const {
    Encoding buffer;
    append_parts<K>(parts, buffer);
    return at(raw_.prefix(buffer.bytes()));
  }

  // Entries whose key, a string, begins with `beginning`.
  Range prefix(std::string_view beginning) const requires StringLike<K> {
    return at(raw_.prefix(beginning));
  }

  // About how many entries a range of this table has, or there are with first <= key < limit; exact
  // where they are few (TableView::estimate). Two descents; reads nothing between them.
  // Errc::misuse for cursors that are not valid.
  std::uint64_t estimate(const Range& entries) const {
    const Cursor first = entries.begin();
    const Cursor limit = entries.end();
    if (first.at_end()) return 0;
    const std::string first_key(first.raw().key());
    if (limit.at_end()) return raw_.estimate(first_key);
    const std::string limit_key(limit.raw().key());
    return raw_.estimate(first_key, limit_key);
  }
  std::uint64_t estimate(Argument<K> first, Argument<K> limit) const {
    Encoding first_buffer, limit_buffer;
    return raw_.estimate(encoded<K>(first, first_buffer), encoded<K>(limit, limit_buffer));
  }

  // About the entry with so many before it; end() when index >= size(). One descent.
  Cursor nth(std::uint64_t index) const { return at(raw_.nth(index)); }

  // Up to `count` entries spread evenly, in order and each at most once. A descent for each.
  std::vector<Cursor> sample(std::size_t count) const {
    std::vector<Cursor> entries;
    for (const quire::Cursor& raw : raw_.sample(count)) entries.push_back(at(raw));
    return entries;
  }

  std::string_view name() const noexcept { return name_; }

  // The table of bytes.
  const Raw& raw() const noexcept { return raw_; }

 protected:
  static void require_room(std::size_t key_count, std::size_t value_count) {
    if (value_count >= key_count) return;
    throw Error(Errc::misuse, "get_many: room for " + std::to_string(value_count) +
                                  " values, but " + std::to_string(key_count) + " keys");
  }

  Cursor at(const quire::Cursor& cursor) const { return Cursor(cursor, name_); }
  Range at(const quire::Range& range) const { return Range(at(range.begin()), at(range.end())); }

  Raw raw_;
  std::string_view name_;
};

}  // namespace detail

// A table as a snapshot shows it. Threads, lifetimes, errors and costs of every function: those of
// TableView, and Errc::misuse for entries that are of other types.
template <typename K, typename V>
class TableViewOf : public detail::TypedReads<K, V, TableView> {
 public:
  using detail::TypedReads<K, V, TableView>::TypedReads;
};

// A table inside a transaction. Threads, lifetimes, errors and costs of every function: those of
// Table's function of the same name, and Errc::misuse for entries that are of other types, which
// then stay as they are.
template <typename K, typename V>
class TableOf : public detail::TypedReads<K, V, Table> {
 public:
  using Cursor = CursorOf<K, V>;

  using detail::TypedReads<K, V, Table>::TypedReads;
  operator TableViewOf<K, V>() const { return {this->raw_, this->name_}; }

  // Inserts or replaces.
  void put(detail::Argument<K> key, detail::Argument<V> value) {
    Encoding key_buffer, value_buffer;
    this->raw_.put(detail::encoded<K>(key, key_buffer), detail::encoded<V>(value, value_buffer));
  }

  // Inserts unless the key is there: then false, and nothing changes.
  bool insert(detail::Argument<K> key, detail::Argument<V> value) {
    Encoding key_buffer, value_buffer;
    return this->raw_.insert(detail::encoded<K>(key, key_buffer),
                             detail::encoded<V>(value, value_buffer));
  }

  // False when the key was absent.
  bool erase(detail::Argument<K> key) {
    Encoding buffer;
    return this->raw_.erase(detail::encoded<K>(key, buffer));
  }

  // Removes the entries of a range of this table, whole subtrees at once; how many there were:
  // `readings.erase(readings.prefix("attic"))`. Or those with first <= key < limit.
  template <std::same_as<RangeOf<K, V>> Entries>
  std::uint64_t erase(const Entries& range) {
    return this->raw_.erase(quire::Range(range.begin().raw(), range.end().raw()));
  }
  std::uint64_t erase(detail::Argument<K> first, detail::Argument<K> limit) {
    Encoding first_buffer, limit_buffer;
    return this->raw_.erase(detail::encoded<K>(first, first_buffer),
                            detail::encoded<K>(limit, limit_buffer));
  }

  // Replaces the value of a key that is there. False when it is absent: then nothing changes.
  bool replace(detail::Argument<K> key, detail::Argument<V> value) {
    Encoding key_buffer, value_buffer;
    return this->raw_.replace(detail::encoded<K>(key, key_buffer),
                              detail::encoded<V>(value, value_buffer));
  }

  // The value of the key, which is `value` if it was absent. One descent, and one more when it was.
  struct Got {
    detail::Decoded<V> value;
    bool is_new;
  };
  Got insert_or_get(detail::Argument<K> key, detail::Argument<V> value) {
    Encoding key_buffer, value_buffer;
    const Bytes bytes = detail::encoded<K>(key, key_buffer);
    const Table::Got got = this->raw_.insert_or_get(bytes, detail::encoded<V>(value, value_buffer));
    return {detail::decoded<V>(this->name_, "value", bytes, got.value), got.is_new};
  }

  // Removes the entry and returns its value, strings as copies; nothing when the key was absent.
  // One descent.
  std::optional<detail::Owned<V>> take(detail::Argument<K> key) {
    std::optional<detail::Owned<V>> taken;
    Encoding buffer;
    const Bytes bytes = detail::encoded<K>(key, buffer);
    this->raw_.update(bytes, [&](std::optional<Bytes> value) -> std::optional<std::string> {
      if (value) taken.emplace(detail::decoded<V>(this->name_, "value", bytes, *value));
      return std::nullopt;
    });
    return taken;
  }

  // If the value of the key is `expected` (nothing: the key is absent), makes it `desired`
  // (nothing: removes it). False when it is something else: then nothing changes. Values are
  // compared as their bytes: -0.0 is not 0.0, a NaN is itself, and the padding of Plain<T> counts.
  // One descent.
  using GivenValue = std::optional<std::remove_cvref_t<detail::Argument<V>>>;
  bool compare_and_swap(detail::Argument<K> key, const GivenValue& expected,
                        const GivenValue& desired) {
    Encoding buffer, expected_buffer, desired_buffer;
    return this->raw_.compare_and_swap(detail::encoded<K>(key, buffer),
                                       encoded_if(expected, expected_buffer),
                                       encoded_if(desired, desired_buffer));
  }

  // Replaces the value by what `change` makes of it, a std::optional: given nothing when the key is
  // absent, giving nothing when it is to be. `change` must not change the table itself; what it
  // throws passes through, and nothing has happened. One descent, and a copy of the new value.
  template <typename Change>
  void update(detail::Argument<K> key, Change&& change) {
    Encoding buffer;
    const Bytes bytes = detail::encoded<K>(key, buffer);
    this->raw_.update(bytes, [&](std::optional<Bytes> value) -> std::optional<std::string> {
      std::optional<detail::Decoded<V>> now;
      if (value) now.emplace(detail::decoded<V>(this->name_, "value", bytes, *value));
      const auto next = std::forward<Change>(change)(std::move(now));
      if (!next) return std::nullopt;
      Encoding next_buffer;
      return std::string(detail::encoded<V>(*next, next_buffer));
    });
  }

  // Adds to a counter, and returns what it is then. An absent key counts as 0. Throws Errc::misuse,
  // and nothing changes, when V cannot hold the sum. Counters of std::int64_t are those of
  // Table::add. One descent.
  V add(detail::Argument<K> key, std::int64_t delta) requires detail::Integer<V> {
    V sum = 0;
    update(key, [&](std::optional<V> value) {
      if (__builtin_add_overflow(value.value_or(0), delta, &sum)) {
        throw Error(Errc::misuse, "add: the counter would overflow");
      }
      return std::optional<V>(sum);
    });
    return sum;
  }

  // Changes at a cursor of this table, as Table's; returned are the next entry or the end, and the
  // same entry.
  template <std::same_as<CursorOf<K, V>> At>
  Cursor erase(const At& at) {
    return this->at(this->raw_.erase(at.raw()));
  }
  template <std::same_as<CursorOf<K, V>> At>
  Cursor put(const At& at, detail::Argument<V> value) {
    Encoding buffer;
    return this->at(this->raw_.put(at.raw(), detail::encoded<V>(value, buffer)));
  }

  // Removes all entries; the table stays.
  void clear() { this->raw_.clear(); }

  using detail::TypedReads<K, V, Table>::raw;
  Table& raw() noexcept { return this->raw_; }

 private:
  static std::optional<Bytes> encoded_if(const GivenValue& value, Encoding& buffer) {
    if (!value) return std::nullopt;
    return detail::encoded<V>(*value, buffer);
  }
};

template <typename K, typename V>
TableViewOf<K, V> Snapshot::table(const TableDef<K, V>& definition) const& {
  return {table(definition.name), definition.name};
}

template <typename K, typename V>
TableOf<K, V> Transaction::table(const TableDef<K, V>& definition) & {
  return {table(definition.name), definition.name};
}

}  // namespace quire
