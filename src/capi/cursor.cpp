#include "capi/handles.h"

using namespace quire::capi;
using Place = quire_cursor::Place;

namespace {

quire_cursor* over(const quire::TableView& table, const quire::Cursor& first,
                   const quire::Cursor& limit) {
  return new quire_cursor{.table = table, .first = first, .limit = limit};
}

// The entry where the cursor has come to.
int arrived(quire_cursor& cursor, const quire::Cursor& at, quire_bytes* key, quire_bytes* value) {
  const quire::Bytes found = at.key();  // also finds out whether the cursor is still good
  const quire::Bytes its_value = value != nullptr ? at.value() : quire::Bytes();
  if (key != nullptr) *key = handed_out(found);
  if (value != nullptr) *value = handed_out(its_value);
  cursor.at = at;
  cursor.place = Place::inside;
  return QUIRE_OK;
}

// To `at` or beyond, going forwards.
int forwards(quire_cursor& cursor, const quire::Cursor& at, quire_bytes* key, quire_bytes* value) {
  if (!(at == cursor.limit)) return arrived(cursor, at, key, value);
  cursor.place = Place::behind;
  return QUIRE_NOT_FOUND;
}

// To the entry before `at`.
int backwards(quire_cursor& cursor, quire::Cursor at, quire_bytes* key, quire_bytes* value) {
  if (!(at == cursor.first)) return arrived(cursor, --at, key, value);
  cursor.place = Place::before;
  return QUIRE_NOT_FOUND;
}

}  // namespace

int quire_cursor_range(const quire_table* table, const quire_bytes* first, const quire_bytes* limit,
                       quire_cursor** cursor) {
  return guarded([&]() -> int {
    require(table, cursor);
    const quire::TableView& view = table->view();
    if (first != nullptr && limit != nullptr) {
      const quire::Range range = view.range(bytes(*first), bytes(*limit));
      *cursor = over(view, range.begin(), range.end());
    } else {
      *cursor = over(view, first != nullptr ? view.lower_bound(bytes(*first)) : view.begin(),
                     limit != nullptr ? view.lower_bound(bytes(*limit)) : view.end());
    }
    return QUIRE_OK;
  });
}

int quire_cursor_prefix(const quire_table* table, quire_bytes prefix, quire_cursor** cursor) {
  return guarded([&]() -> int {
    require(table, cursor);
    const quire::Range range = table->view().prefix(bytes(prefix));
    *cursor = over(table->view(), range.begin(), range.end());
    return QUIRE_OK;
  });
}

void quire_cursor_close(quire_cursor* cursor) { delete cursor; }

int quire_cursor_first(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return guarded([&]() -> int {
    require(cursor);
    return forwards(*cursor, cursor->first, key, value);
  });
}

int quire_cursor_last(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return guarded([&]() -> int {
    require(cursor);
    return backwards(*cursor, cursor->limit, key, value);
  });
}

int quire_cursor_next(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return guarded([&]() -> int {
    require(cursor);
    if (cursor->place == Place::behind) return QUIRE_NOT_FOUND;
    if (cursor->place == Place::before) return forwards(*cursor, cursor->first, key, value);
    quire::Cursor next = cursor->at;
    return forwards(*cursor, ++next, key, value);
  });
}

int quire_cursor_previous(quire_cursor* cursor, quire_bytes* key, quire_bytes* value) {
  return guarded([&]() -> int {
    require(cursor);
    if (cursor->place == Place::before) return QUIRE_NOT_FOUND;
    return backwards(*cursor, cursor->place == Place::behind ? cursor->limit : cursor->at, key,
                     value);
  });
}

int quire_cursor_seek(quire_cursor* cursor, quire_bytes wanted, quire_bytes* key,
                      quire_bytes* value) {
  return guarded([&]() -> int {
    require(cursor);
    quire_cursor& place = *cursor;
    if (place.first == place.limit) return forwards(place, place.limit, key, value);
    const quire::Cursor found = place.table.lower_bound(bytes(wanted));
    if (found == place.table.end()) return forwards(place, place.limit, key, value);
    if (found.key() < place.first.key()) return forwards(place, place.first, key, value);
    const bool is_beyond = !(place.limit == place.table.end()) && found.key() >= place.limit.key();
    return forwards(place, is_beyond ? place.limit : found, key, value);
  });
}
