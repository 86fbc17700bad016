// Snapshot: a consistent, unchanging view. Transaction: the one writer's view, which becomes
// everybody's at commit.
#pragma once

#include <quire/export.h>
#include <quire/multimap.h>
#include <quire/options.h>
#include <quire/savepoint.h>
#include <quire/table.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace quire {

template <typename K, typename V>
struct TableDef;
template <typename K, typename V>
class TableViewOf;
template <typename K, typename V>
class TableOf;
template <typename K, typename V>
struct MultimapDef;
template <typename K, typename V>
class MultimapViewOf;
template <typename K, typename V>
class MultimapOf;

namespace detail {
class Handle;
class SnapshotState;
class TransactionState;
struct Access;
struct EndSnapshot {
  QUIRE_API void operator()(SnapshotState* state) const noexcept;
};
}  // namespace detail

// The database as it was at one commit, for as long as this object lives, whatever is committed
// meanwhile by whom. Pages that it can see are not reused, so a snapshot kept for long makes the
// file grow.
//
// Threads: may move between threads and be read by several at once.
// Cost: begin and end take no lock, no memory and no system call (but the first of a thread claims
// a slot, and so does each one beyond the first that the thread has open).
class QUIRE_API Snapshot {
 public:
  Snapshot(Snapshot&& other) noexcept;
  Snapshot& operator=(Snapshot&& other) noexcept;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot();

  // The unnamed default table, or the named one; empty when it does not exist. `""` is the default
  // table. A named one costs a descent in the catalogue.
  TableView table(Bytes name = {}) const&;
  TableView table(Bytes name = {}) const&& = delete;  // it would outlive its snapshot

  // The same with types for keys and values (quire/typed.h).
  template <typename K, typename V>
  TableViewOf<K, V> table(const TableDef<K, V>& definition) const&;
  template <typename K, typename V>
  TableViewOf<K, V> table(const TableDef<K, V>& definition) const&& = delete;

  // The multimap of that name; empty when it does not exist. Throws Errc::misuse for a table that
  // is none, as `table` does for one that is, and for the default table.
  MultimapView multimap(Bytes name) const&;
  MultimapView multimap(Bytes name) const&& = delete;

  // The same with types for keys and values (quire/typed_multimap.h).
  template <typename K, typename V>
  MultimapViewOf<K, V> multimap(const MultimapDef<K, V>& definition) const&;
  template <typename K, typename V>
  MultimapViewOf<K, V> multimap(const MultimapDef<K, V>& definition) const&& = delete;

  // Whether the table of that name is a multimap; false when it does not exist.
  bool is_multimap(Bytes name) const;

  // Names of the named tables, multimaps among them, in order. Reads the whole catalogue.
  std::vector<std::string> tables() const;

  // Where the bytes stand that `get` or a cursor of this snapshot has given, or any part of them,
  // for sendfile(2), splice(2) or copy_file_range(2): nothing of them is looked at, nor verified.
  // Keys and short values inside pages have a place as well. The bytes stay as they are for as long
  // as the snapshot lives; the descriptor is open as long as the database. Use calls that are given
  // an offset: its own position is shared by all. Throws Errc::misuse for bytes that are not in the
  // file; Errc::read_only in a process that may only read a file whose log nobody has replayed,
  // because there they may be in its memory alone; Errc::io. No system call but the first time.
  ValueLocation locate(Bytes bytes) const;

  // Number of the commit that this snapshot shows; rises with every commit.
  std::uint64_t txn() const noexcept;

 private:
  friend struct detail::Access;
  using State = std::unique_ptr<detail::SnapshotState, detail::EndSnapshot>;
  explicit Snapshot(State state) noexcept;
  State state_;
};

// The one running write transaction, among all processes. Rolls back unless committed.
//
// Threads: stays on the thread that began it (Errc::misuse elsewhere); a thread that ends with one
// rolls it back.
class QUIRE_API Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  // The unnamed default table, or the named one, which the first put creates. Throws
  // Errc::too_large for a name over kTableNameBytesMax; that put throws it for more than
  // kTableCountMax tables. A named one costs a descent in the catalogue the first time.
  Table table(Bytes name = {}) &;
  Table table(Bytes name = {}) && = delete;

  // The same with types for keys and values (quire/typed.h).
  template <typename K, typename V>
  TableOf<K, V> table(const TableDef<K, V>& definition) &;
  template <typename K, typename V>
  TableOf<K, V> table(const TableDef<K, V>& definition) && = delete;

  // The multimap of that name, which the first insert creates: a table is a multimap, or is none,
  // for as long as it exists. Throws Errc::misuse for a table that is none, as `table` does for one
  // that is, and for the default table; otherwise as `table`.
  Multimap multimap(Bytes name) &;
  Multimap multimap(Bytes name) && = delete;

  // The same with types for keys and values (quire/typed_multimap.h).
  template <typename K, typename V>
  MultimapOf<K, V> multimap(const MultimapDef<K, V>& definition) &;
  template <typename K, typename V>
  MultimapOf<K, V> multimap(const MultimapDef<K, V>& definition) && = delete;

  // Whether the table of that name is a multimap; false when it does not exist.
  bool is_multimap(Bytes name) const;

  // Removes a named table or multimap with all entries; false when it does not exist. The default
  // table cannot be dropped (misuse). Reads every page of it once, large values excepted.
  bool drop(Bytes name);

  // Names of the named tables, multimaps among them, in order, as this transaction has them. Reads
  // the whole catalogue.
  std::vector<std::string> tables() const;

  // A place to go back to without ending the transaction. One that is kept beyond the transaction's
  // end is of no use, and does no harm.
  Savepoint savepoint() &;
  Savepoint savepoint() && = delete;

  // A part of the transaction that is done as a whole or not at all: savepoint, body, release. An
  // exception from the body undoes that part and passes on; the transaction goes on, if the
  // exception allows it (Savepoint::rollback). Returns what the body returns. Parts may be nested.
  template <std::invocable<Transaction&> Body>
  std::invoke_result_t<Body, Transaction&> nested(Body&& body) {
    Savepoint part = savepoint();
    if constexpr (std::is_void_v<std::invoke_result_t<Body, Transaction&>>) {
      std::forward<Body>(body)(*this);
      part.release();
    } else {
      auto result = std::forward<Body>(body)(*this);
      part.release();
      return result;
    }
  }

  // Makes everything since `begin`, also since savepoints that are open, visible to others and as
  // durable as asked. After an exception of commit with Errc::poisoned or Errc::io the outcome is
  // unknown: it may or may not survive. With any other code nothing happened. In every case the
  // transaction has ended. Cost: a record in the log, as long as what was changed; with
  // Durability::full a flush of it, shared with others who commit meanwhile. What does not fit the
  // log is written out as a checkpoint instead. Without changes nothing is committed.
  void commit();
  void commit(Durability durability);

  // Ends the transaction without a trace. Costs a look at each run of pages it has taken.
  void rollback() noexcept;

  // Number that this transaction will have when committed.
  std::uint64_t txn() const noexcept;

 private:
  friend struct detail::Access;
  explicit Transaction(std::shared_ptr<detail::TransactionState> state) noexcept;
  std::shared_ptr<detail::TransactionState> state_;  // savepoints look whether it is there
};

}  // namespace quire
