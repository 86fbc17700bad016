#include "capi/handles.h"

using namespace quire::capi;

namespace {

// What cursors go over: how each finds the first entry that is not before what is sought, and the
// first one of the next key; nothing: that is the next one.
struct Entries {
  quire::TableView table;

  using Position = quire::Cursor;
  Position find(quire::Bytes key) const { return table.lower_bound(key); }
  static std::optional<Position> find_behind(quire::Bytes) { return std::nullopt; }
  static bool precedes(const Position& a, const Position& b) { return a.key() < b.key(); }
};

struct Pairs {
  quire::MultimapView multimap;

  using Position = quire::PairCursor;
  Position find(quire::Bytes key) const { return multimap.lower_bound(key); }
  std::optional<Position> find_behind(quire::Bytes key) const { return multimap.upper_bound(key); }
  static bool precedes(const Position& a, const Position& b) {
    const int order = a.key().compare(b.key());
    return order < 0 || (order == 0 && a.value() < b.value());
  }
};

struct Values : Pairs {
  std::string key;

  Position find(quire::Bytes value) const { return multimap.lower_bound(key, value); }
};

template <typename Of>
class Walk : public quire_cursor {
 public:
  using Position = typename Of::Position;

  Walk(const Of& of, const Position& first, const Position& limit)
      : of_(of), first_(first), limit_(limit) {}

  // All of its positions were placed in the same state of the table.
  void require_valid() const override { (void)limit_.at_end(); }

  int first(quire_bytes* key, quire_bytes* value) override { return forwards(first_, key, value); }

  int last(quire_bytes* key, quire_bytes* value) override { return backwards(limit_, key, value); }

  int next(quire_bytes* key, quire_bytes* value) override {
    if (place_ == Place::behind) return QUIRE_NOT_FOUND;
    if (place_ == Place::before) return first(key, value);
    if (place_ == Place::in_front) return forwards(at_, key, value);
    Position beyond = at_;
    return forwards(++beyond, key, value);
  }

  int previous(quire_bytes* key, quire_bytes* value) override {
    if (place_ == Place::before) return QUIRE_NOT_FOUND;
    return backwards(place_ == Place::behind ? limit_ : at_, key, value);
  }

  int next_key(quire_bytes* key, quire_bytes* value) override {
    if (place_ != Place::inside) return next(key, value);
    const std::optional<Position> found = of_.find_behind(at_.key());
    return found ? forwards(within(*found), key, value) : next(key, value);
  }

  int seek(quire::Bytes wanted, quire_bytes* key, quire_bytes* value) override {
    const Position found = of_.find(wanted);
    return forwards(is_before(found, first_) ? first_ : within(found), key, value);
  }

  void put(quire::Bytes) override { refuse_to_change(); }
  void erase() override { refuse_to_change(); }

 protected:
  // Where the range begins, at an entry, between the one before it and `at_`, where it ends.
  enum class Place { before, inside, in_front, behind };

  // The entry where the cursor stands.
  const Position& entry() const {
    if (place_ != Place::inside) {
      throw quire::Error(quire::Errc::misuse,
                         "the cursor stands at no entry; move it to one first");
    }
    return at_;
  }

  void place(const Position& at, Place place, const Position& first, const Position& limit) {
    at_ = at;
    place_ = place;
    first_ = first;
    limit_ = limit;
  }

 private:
  [[noreturn]] static void refuse_to_change() {
    throw quire::Error(quire::Errc::misuse,
                       "a cursor of a multimap changes nothing; use quire_multimap_erase");
  }

  // The end of the table is before nothing.
  static bool is_before(const Position& a, const Position& b) {
    return !a.at_end() && (b.at_end() || Of::precedes(a, b));
  }

  Position within(const Position& at) const { return is_before(at, limit_) ? at : limit_; }

  // The entry where the cursor has come to.
  int arrived(const Position& at, quire_bytes* key, quire_bytes* value) {
    const quire::Bytes its_key = key != nullptr ? at.key() : quire::Bytes();
    const quire::Bytes its_value = value != nullptr ? at.value() : quire::Bytes();
    if (key != nullptr) *key = handed_out(its_key);
    if (value != nullptr) *value = handed_out(its_value);
    at_ = at;
    place_ = Place::inside;
    return QUIRE_OK;
  }

  // To `at` or beyond, going forwards.
  int forwards(const Position& at, quire_bytes* key, quire_bytes* value) {
    if (!(at == limit_)) return arrived(at, key, value);
    place_ = Place::behind;
    return QUIRE_NOT_FOUND;
  }

  // To the entry before `at`.
  int backwards(Position at, quire_bytes* key, quire_bytes* value) {
    if (!(at == first_)) return arrived(--at, key, value);
    place_ = Place::before;
    return QUIRE_NOT_FOUND;
  }

  Of of_;
  Position first_;
  Position limit_;
  Position at_ = {};
  Place place_ = Place::before;
};

// What a cursor of a table goes over, to be found again after a change.
struct Bounds {
  std::optional<std::string> first;  // or the prefix
  std::optional<std::string> limit;
  bool is_prefix = false;

  quire::Range in(const quire::TableView& view) const {
    if (is_prefix) return view.prefix(*first);
    if (first && limit) return view.range(*first, *limit);
    return {first ? view.lower_bound(*first) : view.begin(),
            limit ? view.lower_bound(*limit) : view.end()};
  }
};

class TableWalk final : public Walk<Entries> {
 public:
  TableWalk(const quire_table& table, const Bounds& bounds)
      : TableWalk(table, bounds, bounds.in(table.view())) {}

  void put(quire::Bytes value) override {
    const quire::Cursor at = changing().put(entry(), value);
    settle(at, Place::inside);
  }

  void erase() override {
    const quire::Cursor next = changing().erase(entry());
    settle(next, Place::in_front);
  }

 private:
  TableWalk(const quire_table& table, const Bounds& bounds, const quire::Range& range)
      : Walk(Entries{table.view()}, range.begin(), range.end()), bounds_(bounds) {
    if (table.is_of_transaction()) table_ = std::get<quire::Table>(table.table);
  }

  quire::Table& changing() {
    if (!table_) quire::capi::refuse_change("table");
    return *table_;
  }

  void settle(const quire::Cursor& at, Place where) {
    const quire::Range range = bounds_.in(*table_);
    place(at, where, range.begin(), range.end());
  }

  Bounds bounds_;
  std::optional<quire::Table> table_ = {};  // of a transaction
};

// Null: nothing.
std::optional<std::string> copy_of(const quire_bytes* given) {
  if (given == nullptr) return std::nullopt;
  return std::string(bytes(*given));
}

// Null: no bound.
template <typename View, typename Of>
quire_cursor* over_range(const View& view, const Of& of, const quire_bytes* first,
                         const quire_bytes* limit) {
  if (first != nullptr && limit != nullptr) {
    const auto range = view.range(bytes(*first), bytes(*limit));
    return new Walk<Of>(of, range.begin(), range.end());
  }
  return new Walk<Of>(of, first != nullptr ? of.find(bytes(*first)) : view.begin(),
                      limit != nullptr ? of.find(bytes(*limit)) : view.end());
}

template <typename View, typename Of>
quire_cursor* over_prefix(const View& view, const Of& of, quire_bytes prefix) {
  const auto range = view.prefix(bytes(prefix));
  return new Walk<Of>(of, range.begin(), range.end());
}

quire_cursor* over_values(const Values& of, const quire_bytes* first, const quire_bytes* limit) {
  const Values::Position begin =
      first != nullptr ? of.find(bytes(*first)) : of.multimap.lower_bound(of.key);
  if (first != nullptr && limit != nullptr && bytes(*limit) <= bytes(*first)) {
    return new Walk<Values>(of, begin, begin);
  }
  return new Walk<Values>(
      of, begin, limit != nullptr ? of.find(bytes(*limit)) : of.multimap.upper_bound(of.key));
}

// Runs a call that moves a cursor or changes where it stands. One that stands beyond an end is not
// looked at again by its move, so whether it is still valid is asked of each first.
template <typename Move>
int moving(quire_cursor* cursor, Move move) {
  return guarded([&]() -> int {
    require(cursor);
    cursor->require_valid();
    return move(*cursor);
  });
}

}  // namespace

int quire_cursor_range(const quire_table* table, const quire_bytes* first, const quire_bytes* limit,
                       quire_cursor** cursor) {
  return guarded([&]() -> int {
    require(table, cursor);
    *cursor = new TableWalk(*table, {copy_of(first), copy_of(limit)});
    return QUIRE_OK;
  });
}

int quire_cursor_prefix(const quire_table* table, quire_bytes prefix, quire_cursor** cursor) {
  return guarded([&]() -> int {
    require(table, cursor);
    *cursor = new TableWalk(*table, {.first = copy_of(&prefix), .limit = {}, .is_prefix = true});
    return QUIRE_OK;
  });
}

int quire_cursor_pairs(const quire_multimap* multimap, const quire_bytes* first,
                       const quire_bytes* limit, quire_cursor** cursor) {
  return guarded([&]() -> int {
    require(multimap, cursor);
    *cursor = over_range(multimap->view(), Pairs{multimap->view()}, first, limit);
    return QUIRE_OK;
  });
}

int quire_cursor_pairs_prefix(const quire_multimap* multimap, quire_bytes prefix,
                              quire_cursor** cursor) {
  return guarded([&]() -> int {
    require(multimap, cursor);
    *cursor = over_prefix(multimap->view(), Pairs{multimap->view()}, prefix);
    return QUIRE_OK;
  });
}

int quire_cursor_values(const quire_multimap* multimap, quire_bytes key, const quire_bytes* first,
                        const quire_bytes* limit, quire_cursor** cursor) {
  return guarded([&]() -> int {
    require(multimap, cursor);
    const Values of{{multimap->view()}, std::string(bytes(key))};
    *cursor = over_values(of, first, limit);
    return QUIRE_OK;
  });
}

void quire_cursor_close(quire_cursor* cursor) { delete cursor; }

int quire_cursor_first(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return moving(cursor, [&](quire_cursor& at) { return at.first(key, value); });
}

int quire_cursor_last(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return moving(cursor, [&](quire_cursor& at) { return at.last(key, value); });
}

int quire_cursor_next(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return moving(cursor, [&](quire_cursor& at) { return at.next(key, value); });
}

int quire_cursor_previous(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return moving(cursor, [&](quire_cursor& at) { return at.previous(key, value); });
}

int quire_cursor_next_key(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return moving(cursor, [&](quire_cursor& at) { return at.next_key(key, value); });
}

int quire_cursor_seek(quire_cursor* cursor, quire_bytes wanted, quire_bytes* key,
                      quire_bytes* value) {
  return moving(cursor, [&](quire_cursor& at) { return at.seek(bytes(wanted), key, value); });
}

int quire_cursor_put(quire_cursor* cursor, quire_bytes value) {
  return moving(cursor, [&](quire_cursor& at) -> int {
    at.put(bytes(value));
    return QUIRE_OK;
  });
}

int quire_cursor_erase(quire_cursor* cursor) {
  return moving(cursor, [](quire_cursor& at) -> int {
    at.erase();
    return QUIRE_OK;
  });
}
