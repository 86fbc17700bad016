// Tables: ordered maps from bytes to bytes, as a snapshot shows them (TableView) and as a
// transaction changes them (Table).
#pragma once

#include <quire/cursor.h>
#include <quire/export.h>
#include <quire/options.h>
#include <quire/value.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace quire {

namespace detail {
struct TableAccess;
}

// One table as a snapshot or transaction sees it. A plain value; a table that does not exist reads
// as empty.
//
// Threads: of a snapshot any number at once; of a transaction its own thread.
// Lifetime: of this object, of every key and value it hands out and of its cursors: that of the
// snapshot; in a transaction keys and values stay valid until the table's next change, the view
// until the transaction ends. Errors of every function: Errc::corrupt, Errc::forked; in a
// transaction also Errc::misuse after it has ended.
class QUIRE_API TableView {
 public:
  // The value, pointing into the map (no copy, whatever its size); nothing when the key is absent.
  // One descent.
  std::optional<Bytes> get(Bytes key) const;

  // What `get` gives for each of `keys`, in any order, stored into `values` at the same place. The
  // lookups wait for memory together instead of one after the other: of tables larger than the
  // processor's caches several times as fast as `get`; from about 8 keys on, 32 and more are best.
  // Takes no memory. Throws Errc::misuse when there are fewer values than keys; after any exception
  // `values` holds anything.
  void get_many(std::span<const Bytes> keys, std::span<std::optional<Bytes>> values) const;

  // The same, to be read piece by piece by a process that stays small however long the value is.
  // One descent and one allocation.
  std::optional<ValueReader> reader(Bytes key) const;

  // True when the key is there. One descent.
  bool contains(Bytes key) const;

  // Number of entries; kept, not counted.
  std::uint64_t size() const;
  bool empty() const { return size() == 0; }

  // One descent each, a range two; end() none.
  Cursor begin() const;
  Cursor end() const;
  Cursor find(Bytes key) const;         // end() when absent
  Cursor lower_bound(Bytes key) const;  // first entry with a key >= `key`
  Cursor upper_bound(Bytes key) const;  // first entry with a key > `key`

  // Entries with first <= key < limit; empty when limit <= first.
  Range range(Bytes first, Bytes limit) const;

  // Entries whose key begins with `prefix`.
  Range prefix(Bytes prefix) const;

  // About how many entries there are with first <= key < limit; of all from `first` on without
  // `limit`. Exact where both ends lie in the same leaf, or in neighbours under one branch page;
  // elsewhere it is counted as if the pages beside the two ways down were filled like the table's
  // average, by entries and by children. Two descents; reads nothing between them.
  std::uint64_t estimate(Bytes first, std::optional<Bytes> limit = {}) const;

  // About the entry with so many before it: by the average of what pages hold, as `estimate`
  // counts; exact where the table is one leaf. end() when index >= size(). One descent.
  Cursor nth(std::uint64_t index) const;

  // Up to `count` entries spread evenly, in order and each at most once; all of a table with no
  // more than that. Deterministic: good for cutting work into parts of about the same size. A
  // descent for each.
  std::vector<Cursor> sample(std::size_t count) const;

 protected:
  friend struct detail::TableAccess;
  TableView() noexcept = default;
  static constexpr std::size_t kStateBytes = 120;
  alignas(8) std::byte state_[kStateBytes];
};

// One table inside a transaction: a TableView that can change. Its writes are seen by the
// transaction at once and by others when it commits. Arguments may point into the map, also into
// what the call itself moves or frees.
//
// Threads: the transaction's thread (Errc::misuse elsewhere).
// Errors besides TableView's: Errc::too_large (key beyond Limits, value beyond the address space),
// Errc::no_space, Errc::io, Errc::poisoned. After no_space, io or corrupt the transaction can only
// be rolled back; after no_space also to a savepoint.
class QUIRE_API Table : public TableView {
 public:
  // Inserts or replaces. Creates a table that does not exist yet. Many puts in a row, with nothing
  // else asked of the transaction between them, wait in memory (8 MiB at most) to be stored in the
  // order of their keys; then it is the call that comes behind them that tells of no_space or io.
  // One descent, and none where the last change of the table was nearby; a page is copied at the
  // transaction's first change of it, and so are those above it.
  void put(Bytes key, Bytes value);

  // Inserts unless the key is there: then false, and nothing changes. Costs what `put` does.
  bool insert(Bytes key, Bytes value);

  // Room in the file for a value of so many bytes, for the caller to fill: it is not copied. All
  // zeros at first, and whatever is not filled stays so. The next call on the transaction or any of
  // its tables (`savepoint` and `nested` as well), or its commit, takes the value as it is then,
  // hashes it and puts it; from then on the span must not be written to (it would change what was
  // committed). Short values, which
  // stand in a leaf, are made in memory and copied. Cost: stores zeros into the room once.
  std::span<std::byte> reserve(Bytes key, std::uint64_t length_bytes);

  // The same for a value that comes in pieces, which may be larger than memory; nothing is zeroed.
  ValueWriter writer(Bytes key, std::uint64_t length_bytes);

  // False when the key was absent. A table without entries stays until it is dropped. Costs what
  // `put` does; no page of a large value is read.
  bool erase(Bytes key);

  // Removes the entries with first <= key < limit, or those whose key begins with `prefix`, or
  // those from one cursor to the other (misuse when they are of something else or not valid).
  // Returns their number. Whole subtrees go at once: pages within the range are read, to be freed,
  // and only those at its two ends are changed. One operation in the log, whatever the number. On a
  // full disk no_space where there are more pages than places to note them (2048 at least; clear
  // and drop as well): erase in parts then, a transaction each.
  std::uint64_t erase(Bytes first, Bytes limit);
  std::uint64_t erase_prefix(Bytes prefix);
  template <std::same_as<Range> Entries>
  std::uint64_t erase(const Entries& range) {
    return erase_between(range.begin(), range.end());
  }

  // Removes all entries; the table stays. Reads every page of it once.
  void clear();

  // What these do is done at once or not at all, like every call. Each is one descent, but for what
  // is said; none where the last change of the table was nearby.

  // Replaces the value of a key that is there. False when it is absent: then nothing changes.
  bool replace(Bytes key, Bytes value);

  // The value of the key, which is `value` if it was absent. One descent more when it was.
  struct Got {
    Bytes value;  // in the map
    bool is_new;
  };
  Got insert_or_get(Bytes key, Bytes value);

  // Removes the entry and returns a copy of its value; nothing when the key was absent.
  std::optional<std::string> take(Bytes key);

  // If the value of the key is `expected` (nothing: the key is absent), makes it `desired`
  // (nothing: removes it). False when it is something else: then nothing changes.
  bool compare_and_swap(Bytes key, std::optional<Bytes> expected, std::optional<Bytes> desired);

  // Makes the value of the key what `change` returns for it: nothing stands for an absent key, both
  // ways. What `change` is given points into the map; it must not change the table itself. What it
  // throws passes through, and nothing has happened.
  template <typename Change>
  requires std::is_invocable_r_v<std::optional<std::string>, Change, std::optional<Bytes>>
  void update(Bytes key, Change&& change) {
    const std::optional<std::string> next = std::forward<Change>(change)(find_to_change(key));
    if (next) {
      put(key, *next);
    } else {
      erase(key);
    }
  }

  // Adds to a counter, and returns what it is then. An absent key counts as 0. A counter is eight
  // bytes, big-endian, with the sign bit flipped, so that counters sort as numbers do. Throws
  // Errc::misuse, and nothing changes, when the value is of another length or the sum overflows.
  std::int64_t add(Bytes key, std::int64_t delta);

  // Changes at a cursor, which must be a valid one of this table that stands at an entry (misuse).
  // Other cursors of the table become invalid as ever; go on with what is returned: the next entry
  // or the end, and the same entry. No descent where the last change of the table was nearby and no
  // page had to be split or merged.
  template <std::same_as<Cursor> At>
  Cursor erase(const At& at) {
    return erase_at(at);
  }
  template <std::same_as<Cursor> At>
  Cursor put(const At& at, Bytes value) {
    return put_at(at, value);
  }

 private:
  friend struct detail::TableAccess;
  Table() noexcept = default;
  std::optional<Bytes> find_to_change(Bytes key);
  std::uint64_t erase_between(const Cursor& first, const Cursor& limit);
  Cursor erase_at(const Cursor& at);
  Cursor put_at(const Cursor& at, Bytes value);
};

}  // namespace quire
