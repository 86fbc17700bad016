#include <quire/error.h>
#include <quire/table.h>

#include <new>
#include <string>
#include <type_traits>

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

// The first key behind all that begin with `prefix`; false when there is none.
bool next_prefix(Bytes prefix, std::string& next) {
  next.assign(prefix);
  while (!next.empty() && next.back() == '\xff') next.pop_back();
  if (next.empty()) return false;
  next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return true;
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
  return {lower_bound(prefix), next_prefix(prefix, next) ? lower_bound(next) : end()};
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

void Table::clear() {
  const ViewState& state = TableAccess::state(*this);
  detail::readable(state.file, [&] { state.transaction->clear(*state.open); });
}

std::size_t key_bytes_max(std::uint32_t page_size_bytes) noexcept {
  return format::key_bytes_max(page_size_bytes);
}

}  // namespace quire
