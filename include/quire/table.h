// Tables: ordered maps from bytes to bytes, as a snapshot shows them (TableView) and as a
// transaction changes them (Table).
#pragma once

#include <quire/cursor.h>
#include <quire/export.h>
#include <quire/options.h>
#include <quire/value.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

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
  std::optional<ValueReader> reader(Bytes key) const;

  // True when the key is there. One descent.
  bool contains(Bytes key) const;

  // Number of entries; kept, not counted.
  std::uint64_t size() const;
  bool empty() const { return size() == 0; }

  Cursor begin() const;
  Cursor end() const;
  Cursor find(Bytes key) const;         // end() when absent
  Cursor lower_bound(Bytes key) const;  // first entry with a key >= `key`
  Cursor upper_bound(Bytes key) const;  // first entry with a key > `key`

  // Entries with first <= key < limit; empty when limit <= first.
  Range range(Bytes first, Bytes limit) const;

  // Entries whose key begins with `prefix`.
  Range prefix(Bytes prefix) const;

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
// be rolled back.
class QUIRE_API Table : public TableView {
 public:
  // Inserts or replaces. Creates a table that does not exist yet. Many puts in a row, with nothing
  // else asked of the transaction between them, wait in memory (8 MiB at most) to be stored in the
  // order of their keys; then it is the call that comes behind them that tells of no_space or io.
  void put(Bytes key, Bytes value);

  // Inserts unless the key is there: then false, and nothing changes.
  bool insert(Bytes key, Bytes value);

  // Room in the file for a value of so many bytes, for the caller to fill: it is not copied. All
  // zeros at first, and whatever is not filled stays so. The next call on any table of the
  // transaction, or its commit, takes the value as it is then, hashes it and puts it; from then on
  // the span must not be written to (it would change what was committed). Short values, which
  // stand in a leaf, are made in memory and copied. Cost: stores zeros into the room once.
  std::span<std::byte> reserve(Bytes key, std::uint64_t length_bytes);

  // The same for a value that comes in pieces, which may be larger than memory.
  ValueWriter writer(Bytes key, std::uint64_t length_bytes);

  // False when the key was absent. A table without entries stays until it is dropped.
  bool erase(Bytes key);

  // Removes all entries; the table stays. Reads every page of it once.
  void clear();

 private:
  friend struct detail::TableAccess;
  Table() noexcept = default;
};

}  // namespace quire
