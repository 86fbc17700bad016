#include "btree/pair_cursor.h"

#include "base/assert.h"
#include "btree/path.h"

namespace quire::btree {

// Who has met damage stands at the end: of the two cursors inside, one may have moved.
template <typename Step>
auto PairCursor::at_end_unless(Step&& step) {
  try {
    return step();
  } catch (...) {
    keys_.seek_end();
    throw;
  }
}

void PairCursor::enter_first() {
  if (keys_.at_end()) return;
  at_end_unless([&] {
    values_ = keys_.values();
    index_ = 0;
    if (values_.set) return;
    in_tree_ = Cursor(view_, values_.tree);
    in_tree_.seek_first();
  });
}

void PairCursor::enter_last() {
  at_end_unless([&] {
    values_ = keys_.values();
    if (values_.set) {
      index_ = values_.set->count() - 1;
      return;
    }
    in_tree_ = Cursor(view_, values_.tree);
    in_tree_.seek_last();
  });
}

void PairCursor::seek_first() {
  keys_.seek_first();
  enter_first();
}

void PairCursor::seek_key(std::string_view key) {
  keys_.seek_lower_bound(key);
  enter_first();
}

void PairCursor::seek_behind_key(std::string_view key) {
  keys_.seek_upper_bound(key);
  enter_first();
}

void PairCursor::seek_lower_bound(std::string_view key, std::string_view value) {
  keys_.seek_lower_bound(key);
  if (keys_.at_end()) return;
  if (keys_.key() != key) return enter_first();
  const bool is_behind_all = at_end_unless([&] {
    values_ = keys_.values();
    if (values_.set) {
      index_ = naming_file(view_, [&] { return values_.set->lower_bound(value).index; });
      return index_ == values_.set->count();
    }
    in_tree_ = Cursor(view_, values_.tree);
    in_tree_.seek_lower_bound(value);
    return in_tree_.at_end();
  });
  if (is_behind_all) next_key();
}

bool PairCursor::seek_exact(std::string_view key, std::string_view value) {
  seek_lower_bound(key, value);
  if (!at_end() && this->key() == key && this->value() == value) return true;
  seek_end();
  return false;
}

void PairCursor::seek_part(double part) {
  keys_.seek_part(part);
  enter_first();
}

void PairCursor::next() {
  QUIRE_ASSERT(!at_end());
  if (values_.set) {
    if (++index_ < values_.set->count()) return;
  } else {
    at_end_unless([&] { in_tree_.next(); });
    if (!in_tree_.at_end()) return;
  }
  next_key();
}

bool PairCursor::previous() {
  if (!at_end()) {
    if (values_.set && index_ > 0) {
      --index_;
      return true;
    }
    if (!values_.set && at_end_unless([&] { return in_tree_.previous(); })) return true;
  }
  if (!keys_.previous()) return false;
  enter_last();
  return true;
}

void PairCursor::next_key() {
  keys_.next();
  enter_first();
}

bool PairCursor::previous_key() {
  if (!keys_.previous()) return false;
  enter_first();
  return true;
}

std::string_view PairCursor::value() const {
  QUIRE_ASSERT(!at_end());
  if (!values_.set) return in_tree_.key();
  return naming_file(view_, [&] { return values_.set->value(index_); });
}

bool PairCursor::same_place(const PairCursor& other) const noexcept {
  if (!same_key(other) || at_end()) return same_key(other);
  return values_.set ? index_ == other.index_ : in_tree_.same_place(other.in_tree_);
}

}  // namespace quire::btree
