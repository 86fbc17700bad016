// The cursor is the iterator: one concept, not two.
#pragma once

#include <quire/export.h>
#include <quire/options.h>

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace quire {

// One key and its value, both pointing into the map.
struct Entry {
  Bytes key;
  Bytes value;
};

namespace detail {
struct CursorAccess;
}

// A position in a table, and a std::bidirectional_iterator over Entry. A plain value: copying
// allocates nothing.
//
// Use std::ranges::next and prev on it; std::prev knows only iterators that refer to objects in
// memory.
//
// Threads: one cursor by one thread at a time; copies are independent.
// Lifetime: that of the snapshot or transaction it came from. Inside a transaction any change to
// the table invalidates its cursors; using one afterwards throws Errc::misuse (except to assign it
// anew). Errors: Errc::corrupt where a page contradicts itself; Errc::misuse for * and ++ at the
// end and -- at the beginning. Cost: ++ and -- are a few loads, a new leaf costs a descent of its
// own only as far as needed.
class QUIRE_API Cursor {
 public:
  using value_type = Entry;
  using difference_type = std::ptrdiff_t;
  using reference = Entry;
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::bidirectional_iterator_tag;

  class Arrow {
   public:
    explicit Arrow(const Entry& entry) noexcept : entry_(entry) {}
    const Entry* operator->() const noexcept { return &entry_; }

   private:
    Entry entry_;
  };
  using pointer = Arrow;

  // A cursor of no table: equal to itself only.
  Cursor() noexcept;

  Entry operator*() const;
  Arrow operator->() const { return Arrow(**this); }

  // Whether it stands behind the last entry of its table; of no table it does.
  bool at_end() const;

  // Halves of operator*, for when only one is needed (a key costs nothing of a large value).
  Bytes key() const;
  Bytes value() const;

  Cursor& operator++();
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  Cursor& operator--();
  Cursor operator--(int) {
    Cursor before = *this;
    --*this;
    return before;
  }

  // Same position of the same table.
  friend QUIRE_API bool operator==(const Cursor& left, const Cursor& right) noexcept;

 private:
  friend struct detail::CursorAccess;
  static constexpr std::size_t kStateBytes = 328;
  alignas(8) std::byte state_[kStateBytes];
};

// Entries from one cursor up to another: `for (auto [key, value] : table.range("a", "b"))`.
class Range {
 public:
  Range(const Cursor& first, const Cursor& limit) : first_(first), limit_(limit) {}
  Cursor begin() const { return first_; }
  Cursor end() const { return limit_; }
  bool empty() const { return first_ == limit_; }

 private:
  Cursor first_;
  Cursor limit_;
};

static_assert(std::bidirectional_iterator<Cursor>);

}  // namespace quire
