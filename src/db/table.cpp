#include <quire/error.h>
#include <quire/table.h>

#include <new>
#include <string>
#include <type_traits>

#include "btree/estimate.h"
#include "btree/tree.h"
#include "db/handles.h"

namespace quire {
namespace {

using detail::CursorAccess;
using detail::CursorState;
using detail::TableAccess;
using detail::ViewState;

static_assert(std::is_trivially_copyable_v<ViewState> && std::is_trivially_copyable_v<CursorState>);

// What a lookup reads: the tree as it is now.
struct Source {
  const pages::PageView& view;
  const format::TreeRoot& tree;
};

Source source_of(const ViewState& state) {
  if (state.file != nullptr) db::require_own_process(*state.file);
  if (state.transaction == nullptr) return {state.view, state.tree};
  state.transaction->require_usable();
  state.transaction->settle();
  if (state.open->is_multimap) [[unlikely]]
    txn::require_kind(*state.file, state.open->name, true, false);
  return {state.transaction->view(), state.open->tree};
}

Cursor cursor_over(const ViewState& state, const Source& source) {
  Cursor cursor;
  CursorState& inside = CursorAccess::state(cursor);
  inside.cursor = btree::Cursor(source.view, source.tree);
  inside.file = state.file;
  inside.transaction = state.transaction;
  inside.open = state.open;
  if (state.open != nullptr) inside.changes = state.open->changes;
  return cursor;
}

// A cursor that `seek` has placed.
template <typename Seek>
Cursor placed(const ViewState& state, Seek seek) {
  return detail::readable(state.file, [&] {
    Cursor cursor = cursor_over(state, source_of(state));
    seek(CursorAccess::state(cursor).cursor);
    return cursor;
  });
}

}  // namespace

bool detail::next_prefix(Bytes prefix, std::string& next) {
  next.assign(prefix);
  while (!next.empty() && next.back() == '\xff') next.pop_back();
  if (next.empty()) return false;
  next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return true;
}

namespace {

// The cursor, which must be a valid one of this table, and may stand at its end.
const btree::Cursor& of_table(const ViewState& state, const Cursor& cursor) {
  const CursorState& inside = CursorAccess::state(cursor);
  state.transaction->require_usable();
  if (inside.transaction != state.transaction || inside.open != state.open) {
    throw Error(Errc::misuse, "the cursor is not one of this table");
  }
  if (inside.changes != state.open->changes) {
    throw Error(Errc::misuse, "the table has changed since the cursor was placed; place it anew");
  }
  return inside.cursor;
}

// Changes the entry at `at`. A cursor at the same key, or the next one.
template <typename Change>
Cursor placed_after(const ViewState& state, const Cursor& at, Change change) {
  return detail::readable(state.file, [&] {
    const btree::Cursor& before = of_table(state, at);
    if (before.at_end()) throw Error(Errc::misuse, "the cursor stands at the end");
    const std::string key{before.key()};
    change(key);
    const Source source = source_of(state);
    Cursor after = cursor_over(state, source);
    btree::Cursor& place = CursorAccess::state(after).cursor;
    // Where a page was split or merged the way to the key has to be found again.
    const btree::Finger& finger = state.open->finger;
    const bool is_at_hand = source.tree.root && finger.height == source.tree.height;
    is_at_hand ? place.seek_finger(finger) : place.seek_lower_bound(key);
    return after;
  });
}

}  // namespace

TableView detail::TableAccess::make_view(const ViewState& state) {
  TableView view;
  new (view.state_) ViewState(state);
  return view;
}

Table detail::TableAccess::make_table(const ViewState& state) {
  Table table;
  new (table.state_) ViewState(state);
  return table;
}

static_assert(sizeof(ViewState) <= 128);

std::optional<Bytes> TableView::get(Bytes key) const {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] {
    const Source source = source_of(state);
    return btree::get(source.view, source.tree, key);
  });
}

void TableView::get_many(std::span<const Bytes> keys,
                         std::span<std::optional<Bytes>> values) const {
  const ViewState& state = TableAccess::state(*this);
  detail::readable(state.file, [&] {
    const Source source = source_of(state);
    if (values.size() < keys.size()) {
      throw Error(Errc::misuse, "get_many: room for " + std::to_string(values.size()) +
                                    " values, but " + std::to_string(keys.size()) + " keys");
    }
    btree::get_many(source.view, source.tree, keys, values);
    if (state.file != nullptr && state.file->is_guarded()) [[unlikely]] {
      for (const auto& value : values.first(keys.size())) detail::touch(value);
    }
  });
}

std::optional<ValueReader> TableView::reader(Bytes key) const {
  const ViewState& state = TableAccess::state(*this);
  return detail::open_reader(state, [&] {
    const Source source = source_of(state);
    return btree::get_stored(source.view, source.tree, key);
  });
}

bool TableView::contains(Bytes key) const {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] {
    const Source source = source_of(state);
    return btree::contains(source.view, source.tree, key);
  });
}

std::uint64_t TableView::size() const {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] { return source_of(state).tree.entry_count; });
}

Cursor TableView::begin() const {
  return placed(TableAccess::state(*this), [](btree::Cursor& cursor) { cursor.seek_first(); });
}

Cursor TableView::end() const {
  return placed(TableAccess::state(*this), [](btree::Cursor&) {});
}

Cursor TableView::find(Bytes key) const {
  return placed(TableAccess::state(*this), [&](btree::Cursor& cursor) { cursor.seek_exact(key); });
}

Cursor TableView::lower_bound(Bytes key) const {
  return placed(TableAccess::state(*this),
                [&](btree::Cursor& cursor) { cursor.seek_lower_bound(key); });
}

Cursor TableView::upper_bound(Bytes key) const {
  return placed(TableAccess::state(*this),
                [&](btree::Cursor& cursor) { cursor.seek_upper_bound(key); });
}

Range TableView::range(Bytes first, Bytes limit) const {
  if (limit <= first) return {end(), end()};
  return {lower_bound(first), lower_bound(limit)};
}

Range TableView::prefix(Bytes prefix) const {
  std::string next;
  return {lower_bound(prefix), detail::next_prefix(prefix, next) ? lower_bound(next) : end()};
}

std::uint64_t TableView::estimate(Bytes first, std::optional<Bytes> limit) const {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] {
    const Source source = source_of(state);
    return btree::estimate(source.view, source.tree, first, limit);
  });
}

Cursor TableView::nth(std::uint64_t index) const {
  const ViewState& state = TableAccess::state(*this);
  return placed(state, [&](btree::Cursor& cursor) {
    const std::uint64_t count = source_of(state).tree.entry_count;
    if (index >= count) return;
    cursor.seek_part((static_cast<double>(index) + 0.5) / static_cast<double>(count));
  });
}

std::vector<Cursor> TableView::sample(std::size_t count) const {
  std::vector<Cursor> entries;
  const std::uint64_t size = this->size();
  if (count >= size) {  // as the file counts them: there may be more
    const Cursor limit = end();
    for (Cursor at = begin(); entries.size() < count && at != limit; ++at) entries.push_back(at);
    return entries;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const double part = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    const Cursor at =
        placed(TableAccess::state(*this), [&](btree::Cursor& cursor) { cursor.seek_part(part); });
    if (entries.empty() || at != entries.back()) entries.push_back(at);
  }
  return entries;
}

void Table::put(Bytes key, Bytes value) {
  const ViewState& state = TableAccess::state(*this);
  detail::readable(
      state.file, [&] { state.transaction->put(*state.open, key, value, btree::PutMode::upsert); });
}

bool Table::insert(Bytes key, Bytes value) {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] {
    return state.transaction->put(*state.open, key, value, btree::PutMode::insert_only);
  });
}

bool Table::erase(Bytes key) {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] { return state.transaction->erase(*state.open, key); });
}

std::uint64_t Table::erase(Bytes first, Bytes limit) {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(
      state.file, [&] { return state.transaction->erase_range(*state.open, first, limit); });
}

std::uint64_t Table::erase_prefix(Bytes prefix) {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] {
    std::string next;
    const bool has_limit = detail::next_prefix(prefix, next);
    return state.transaction->erase_range(*state.open, prefix,
                                          has_limit ? std::optional<Bytes>(next) : std::nullopt);
  });
}

std::uint64_t Table::erase_between(const Cursor& from, const Cursor& to) {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&]() -> std::uint64_t {
    const btree::Cursor& first = of_table(state, from);
    const btree::Cursor& limit = of_table(state, to);
    if (first.at_end()) return 0;
    const std::string first_key{first.key()};
    std::optional<std::string> limit_key;
    if (!limit.at_end()) limit_key = limit.key();
    return state.transaction->erase_range(*state.open, first_key, limit_key);
  });
}

Cursor Table::erase_at(const Cursor& at) {
  const ViewState& state = TableAccess::state(*this);
  return placed_after(state, at, [&](Bytes key) { state.transaction->erase(*state.open, key); });
}

Cursor Table::put_at(const Cursor& at, Bytes value) {
  const ViewState& state = TableAccess::state(*this);
  return placed_after(state, at, [&](Bytes key) {
    state.transaction->put(*state.open, key, value, btree::PutMode::upsert);
  });
}

void Table::clear() {
  const ViewState& state = TableAccess::state(*this);
  detail::readable(state.file, [&] {
    source_of(state);
    state.transaction->clear(*state.open);
  });
}

std::size_t key_bytes_max(std::uint32_t page_size_bytes) noexcept {
  return format::key_bytes_max(page_size_bytes);
}

}  // namespace quire
