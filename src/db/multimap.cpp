#include "btree/multimap.h"

#include <quire/error.h>
#include <quire/multimap.h>
#include <quire/transaction.h>

#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "btree/estimate.h"
#include "btree/pair_cursor.h"
#include "db/handles.h"
#include "txn/catalogue.h"

namespace quire {

using detail::MultimapAccess;
using detail::PairPosition;
using detail::PairState;
using detail::ViewState;

static_assert(std::is_trivially_copyable_v<PairState>);

namespace {

// What a lookup reads: the multimap as it is now.
struct Source {
  const pages::PageView& view;
  const format::TreeRoot& tree;
  std::uint64_t pair_count;
};

Source source_of(const detail::MultimapState& state) {
  if (state.file != nullptr) db::require_own_process(*state.file);
  if (state.transaction == nullptr) return {state.view, state.tree, state.pair_count};
  state.transaction->require_usable();
  state.transaction->settle();
  const txn::OpenTable& open = *state.open;
  if (open.exists) txn::require_kind(*state.file, open.name, open.is_multimap, true);
  return {state.transaction->view(), open.tree, open.pair_count};
}

// A cursor that `seek` has placed.
template <Over kOver, typename Seek>
MultimapCursor<kOver> placed(const detail::MultimapState& state, Seek seek) {
  return detail::readable(state.file, [&] {
    const Source source = source_of(state);
    MultimapCursor<kOver> cursor;
    PairState& inside = MultimapAccess::state(cursor);
    inside.cursor = btree::PairCursor(source.view, source.tree);
    inside.file = state.file;
    inside.transaction = state.transaction;
    inside.open = state.open;
    if (state.open != nullptr) inside.changes = state.open->changes;
    seek(inside.cursor);
    return cursor;
  });
}

template <Over kOver>
MultimapCursor<kOver> at_key(const detail::MultimapState& state, Bytes key) {
  return placed<kOver>(state, [&](btree::PairCursor& cursor) { cursor.seek_key(key); });
}

template <Over kOver>
MultimapCursor<kOver> behind_key(const detail::MultimapState& state, Bytes key) {
  return placed<kOver>(state, [&](btree::PairCursor& cursor) { cursor.seek_behind_key(key); });
}

template <Over kOver>
MultimapCursor<kOver> at_pair(const detail::MultimapState& state, Bytes key, Bytes value) {
  return placed<kOver>(state,
                       [&](btree::PairCursor& cursor) { cursor.seek_lower_bound(key, value); });
}

template <Over kOver>
MultimapCursor<kOver> at_begin(const detail::MultimapState& state) {
  return placed<kOver>(state, [](btree::PairCursor& cursor) { cursor.seek_first(); });
}

template <Over kOver>
MultimapCursor<kOver> at_end(const detail::MultimapState& state) {
  return placed<kOver>(state, [](btree::PairCursor&) {});
}

void require_valid(const PairState& state) {
  if (state.file != nullptr) db::require_own_process(*state.file);
  if (state.transaction == nullptr) return;
  state.transaction->require_usable();
  if (state.open->changes != state.changes) {
    throw Error(Errc::misuse,
                "the multimap has changed since the cursor was placed; place it anew");
  }
}

const PairState& pair_of(const PairState& state) {
  require_valid(state);
  if (state.cursor.at_end()) throw Error(Errc::misuse, "the cursor stands at the end");
  return state;
}

template <typename Step>
void step_back(PairState& state, Step step) {
  detail::readable(state.file, [&] {
    require_valid(state);
    if (!step(state.cursor)) throw Error(Errc::misuse, "the cursor stands at the beginning");
  });
}

bool is_of_same(const PairState& a, const PairState& b) noexcept {
  return a.file == b.file && a.open == b.open;
}

// The key at a cursor, which must be a valid one of this multimap; nothing at its end.
std::optional<std::string> key_at(const detail::MultimapState& state, const KeyCursor& cursor) {
  const PairState& inside = MultimapAccess::state(cursor);
  state.transaction->require_usable();
  if (inside.transaction != state.transaction || inside.open != state.open) {
    throw Error(Errc::misuse, "the cursor is not one of this multimap");
  }
  require_valid(inside);
  if (inside.cursor.at_end()) return std::nullopt;
  return std::string(inside.cursor.key());
}

}  // namespace

MultimapView MultimapAccess::make_view(const MultimapState& state) {
  static_assert(sizeof(MultimapState) <= MultimapView::kStateBytes);
  MultimapView view;
  new (view.state_) MultimapState(state);
  return view;
}

Multimap MultimapAccess::make(const MultimapState& state) {
  Multimap multimap;
  new (multimap.state_) MultimapState(state);
  return multimap;
}

PairPosition::PairPosition() noexcept {
  static_assert(sizeof(PairState) <= kStateBytes && alignof(PairState) <= 8);
  new (state_) PairState();
}

bool PairPosition::at_end() const {
  const PairState& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] {
    require_valid(state);
    return state.cursor.at_end();
  });
}

Bytes PairPosition::key() const {
  const PairState& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] { return pair_of(state).cursor.key(); });
}

Bytes PairPosition::value() const {
  const PairState& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] { return pair_of(state).cursor.value(); });
}

std::uint64_t PairPosition::value_count() const {
  const PairState& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] { return pair_of(state).cursor.value_count(); });
}

void PairPosition::next() {
  PairState& state = MultimapAccess::state(*this);
  detail::readable(state.file, [&] {
    pair_of(state);
    state.cursor.next();
  });
}

void PairPosition::next_key() {
  PairState& state = MultimapAccess::state(*this);
  detail::readable(state.file, [&] {
    pair_of(state);
    state.cursor.next_key();
  });
}

void PairPosition::previous() {
  step_back(MultimapAccess::state(*this),
            [](btree::PairCursor& cursor) { return cursor.previous(); });
}

void PairPosition::previous_key() {
  step_back(MultimapAccess::state(*this),
            [](btree::PairCursor& cursor) { return cursor.previous_key(); });
}

bool PairPosition::is_same_pair(const PairPosition& other) const noexcept {
  const PairState& a = MultimapAccess::state(*this);
  const PairState& b = MultimapAccess::state(other);
  return is_of_same(a, b) && a.cursor.same_place(b.cursor);
}

bool PairPosition::is_same_key(const PairPosition& other) const noexcept {
  const PairState& a = MultimapAccess::state(*this);
  const PairState& b = MultimapAccess::state(other);
  return is_of_same(a, b) && a.cursor.same_key(b.cursor);
}

std::uint64_t MultimapView::count(Bytes key) const {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] {
    const Source source = source_of(state);
    return btree::count_values(source.view, source.tree, key);
  });
}

bool MultimapView::contains(Bytes key, Bytes value) const {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] {
    const Source source = source_of(state);
    return btree::contains_pair(source.view, source.tree, key, value);
  });
}

std::uint64_t MultimapView::size() const {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] { return source_of(state).pair_count; });
}

std::uint64_t MultimapView::key_count() const {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] { return source_of(state).tree.entry_count; });
}

PairCursor MultimapView::begin() const {
  return at_begin<Over::pairs>(MultimapAccess::state(*this));
}

PairCursor MultimapView::end() const { return at_end<Over::pairs>(MultimapAccess::state(*this)); }

PairCursor MultimapView::find(Bytes key, Bytes value) const {
  return placed<Over::pairs>(MultimapAccess::state(*this),
                             [&](btree::PairCursor& cursor) { cursor.seek_exact(key, value); });
}

PairCursor MultimapView::lower_bound(Bytes key) const {
  return at_key<Over::pairs>(MultimapAccess::state(*this), key);
}

PairCursor MultimapView::lower_bound(Bytes key, Bytes value) const {
  return at_pair<Over::pairs>(MultimapAccess::state(*this), key, value);
}

PairCursor MultimapView::upper_bound(Bytes key) const {
  return behind_key<Over::pairs>(MultimapAccess::state(*this), key);
}

PairRange MultimapView::range(Bytes first, Bytes limit) const {
  if (limit <= first) return {end(), end()};
  return {lower_bound(first), lower_bound(limit)};
}

PairRange MultimapView::prefix(Bytes prefix) const {
  std::string next;
  return {lower_bound(prefix), detail::next_prefix(prefix, next) ? lower_bound(next) : end()};
}

ValueRange MultimapView::values(Bytes key) const {
  const auto& state = MultimapAccess::state(*this);
  return {at_key<Over::values>(state, key), behind_key<Over::values>(state, key)};
}

ValueRange MultimapView::values(Bytes key, Bytes first, Bytes limit) const {
  const auto& state = MultimapAccess::state(*this);
  if (limit <= first || count(key) == 0) {
    return {at_end<Over::values>(state), at_end<Over::values>(state)};
  }
  return {at_pair<Over::values>(state, key, first), at_pair<Over::values>(state, key, limit)};
}

KeyRange MultimapView::keys() const {
  const auto& state = MultimapAccess::state(*this);
  return {at_begin<Over::keys>(state), at_end<Over::keys>(state)};
}

KeyRange MultimapView::keys(Bytes first, Bytes limit) const {
  const auto& state = MultimapAccess::state(*this);
  if (limit <= first) return {at_end<Over::keys>(state), at_end<Over::keys>(state)};
  return {at_key<Over::keys>(state, first), at_key<Over::keys>(state, limit)};
}

std::uint64_t MultimapView::estimate(Bytes first, std::optional<Bytes> limit) const {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&] {
    const Source source = source_of(state);
    return btree::estimate(source.view, source.tree, first, limit);
  });
}

std::vector<KeyCursor> MultimapView::sample(std::size_t count) const {
  const auto& state = MultimapAccess::state(*this);
  std::vector<KeyCursor> sampled;
  if (count >= key_count()) {  // as the file counts them: there may be more
    const KeyCursor limit = at_end<Over::keys>(state);
    for (auto at = at_begin<Over::keys>(state); sampled.size() < count && at != limit; ++at) {
      sampled.push_back(at);
    }
    return sampled;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const double part = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    const auto at =
        placed<Over::keys>(state, [&](btree::PairCursor& cursor) { cursor.seek_part(part); });
    if (sampled.empty() || at != sampled.back()) sampled.push_back(at);
  }
  return sampled;
}

bool Multimap::insert(Bytes key, Bytes value) {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file,
                          [&] { return state.transaction->insert_pair(*state.open, key, value); });
}

bool Multimap::erase(Bytes key, Bytes value) {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file,
                          [&] { return state.transaction->erase_pair(*state.open, key, value); });
}

std::uint64_t Multimap::erase(Bytes key) {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file,
                          [&] { return state.transaction->erase_values(*state.open, key); });
}

std::uint64_t Multimap::erase_keys(Bytes first, std::optional<Bytes> limit) {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file,
                          [&] { return state.transaction->erase_keys(*state.open, first, limit); });
}

std::uint64_t Multimap::erase_prefix(Bytes prefix) {
  std::string next;
  const bool has_limit = detail::next_prefix(prefix, next);
  return erase_keys(prefix, has_limit ? std::optional<Bytes>(next) : std::nullopt);
}

std::uint64_t Multimap::erase_between(const KeyCursor& first, const KeyCursor& limit) {
  const auto& state = MultimapAccess::state(*this);
  return detail::readable(state.file, [&]() -> std::uint64_t {
    const auto first_key = key_at(state, first);
    const auto limit_key = key_at(state, limit);
    if (!first_key) return 0;
    return state.transaction->erase_keys(*state.open, *first_key, limit_key);
  });
}

void Multimap::clear() {
  const auto& state = MultimapAccess::state(*this);
  detail::readable(state.file, [&] {
    source_of(state);
    state.transaction->clear(*state.open);
  });
}

}  // namespace quire
