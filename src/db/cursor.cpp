#include <quire/cursor.h>
#include <quire/error.h>

#include <new>

#include "db/handles.h"

namespace quire {
namespace {

using detail::CursorAccess;
using detail::CursorState;

void require_valid(const CursorState& state) {
  if (state.file != nullptr) db::require_own_process(*state.file);
  if (state.transaction == nullptr) return;
  state.transaction->require_usable();
  if (state.open->changes != state.changes) {
    throw Error(Errc::misuse, "the table has changed since the cursor was placed; place it anew");
  }
}

const CursorState& entry_of(const CursorState& state) {
  require_valid(state);
  if (state.cursor.at_end()) throw Error(Errc::misuse, "the cursor stands at the end");
  return state;
}

}  // namespace

Cursor::Cursor() noexcept {
  static_assert(sizeof(CursorState) <= kStateBytes && alignof(CursorState) <= 8);
  new (state_) CursorState();
}

bool Cursor::at_end() const {
  const CursorState& state = CursorAccess::state(*this);
  return detail::readable(state.file, [&] {
    require_valid(state);
    return state.cursor.at_end();
  });
}

Entry Cursor::operator*() const {
  const CursorState& state = CursorAccess::state(*this);
  return detail::readable(state.file, [&] {
    const btree::Cursor::Entry entry = entry_of(state).cursor.entry();
    return Entry{entry.key, entry.value};
  });
}

Bytes Cursor::key() const {
  const CursorState& state = CursorAccess::state(*this);
  return detail::readable(state.file, [&] { return entry_of(state).cursor.key(); });
}

Bytes Cursor::value() const {
  const CursorState& state = CursorAccess::state(*this);
  return detail::readable(state.file, [&] { return entry_of(state).cursor.value(); });
}

Cursor& Cursor::operator++() {
  CursorState& state = CursorAccess::state(*this);
  detail::readable(state.file, [&] {
    entry_of(state);
    state.cursor.next();
  });
  return *this;
}

Cursor& Cursor::operator--() {
  CursorState& state = CursorAccess::state(*this);
  detail::readable(state.file, [&] {
    require_valid(state);
    if (!state.cursor.previous()) {
      throw Error(Errc::misuse, "the cursor stands at the beginning");
    }
  });
  return *this;
}

bool operator==(const Cursor& left, const Cursor& right) noexcept {
  const CursorState& a = CursorAccess::state(left);
  const CursorState& b = CursorAccess::state(right);
  return a.file == b.file && a.open == b.open && a.cursor.same_place(b.cursor);
}

}  // namespace quire
