// The running write transaction: tables as they will be, and how they become everybody's.
#pragma once

#include <quire/error.h>
#include <quire/options.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btree/appender.h"
#include "btree/multimap.h"
#include "btree/tree.h"
#include "btree/waiting_puts.h"
#include "format/record.h"
#include "pages/page_space.h"
#include "txn/checkpoint.h"
#include "txn/repair.h"
#include "txn/space.h"
#include "txn/store.h"
#include "txn/value_in_place.h"

namespace quire::txn {

// Of a table inside a transaction, what a savepoint brings back.
struct TableState {
  format::TreeRoot tree;
  std::uint32_t table_id = 0;
  bool exists = false;
  bool is_changed = false;
  bool is_multimap = false;  // for as long as it exists
  std::uint64_t pair_count = 0;
  std::uint64_t saved_by = 0;  // the newest savepoint that knows an earlier state of it
};

// A table inside a transaction; at a fixed address while the transaction lives.
struct OpenTable : TableState {
  std::string name;               // empty = the default table
  bool existed = false;           // before the transaction
  std::uint64_t changes = 0;      // rises with every change: cursors compare it
  btree::Finger finger;           // where `tree` was changed last
  btree::PairFinger pair_finger;  // the same of a multimap
  std::uint64_t finger_era = 0;
};

// A savepoint that is open: what the transaction goes back to.
struct OpenSavepoint {
  // A table as it was before its first change since the savepoint.
  struct SavedTable {
    OpenTable* table = nullptr;
    TableState state;
  };

  std::uint64_t number = 0;  // never used again
  std::size_t record_bytes = 0;
  std::uint64_t table_count = 0;
  std::uint64_t next_table_id = 0;
  std::vector<SavedTable> tables;

  // Values written in pieces: the first number of one begun since, and those that were begun before
  // and finished since.
  struct FinishedValue {
    std::uint64_t number = 0;
    format::ExtentRef extent;
  };
  std::uint64_t next_value_number = 0;
  std::vector<FinishedValue> finished_values;
};

// Throws Errc::misuse unless the table of that name, if it exists, is one or is none.
void require_kind(const File& file, std::string_view name, bool is_multimap, bool wants_multimap);

// What of quire::Options a transaction goes by.
struct TransactionOptions {
  Verify verify = Verify::never;
  OnSlowReader on_slow_reader = nullptr;  // outlives the transaction
  bool background_checkpoints = false;
};

// Threads: the thread that holds the writer lock.
// Errors: of every function Errc::misuse once ended, and after an error that left the trees
// unusable only rollback; after Errc::no_space also `roll_back_to`.
class Transaction {
 public:
  // Starts on the newest state; `hold` holds the writer lock. Throws Errc::poisoned, no_space, io.
  Transaction(Store& store, WriterHold hold, const TransactionOptions& options);
  // For recovery, alone: the transaction `txn` that replays the log and becomes a checkpoint of a
  // new epoch.
  Transaction(Store& store, WriterHold hold, TxnId txn, const log::Tail& log_tail);
  ~Transaction();  // rolls back unless ended
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  TxnId txn() const noexcept { return txn_; }
  bool is_active() const noexcept { return hold_.holds(); }
  const pages::PageView& view() const noexcept { return space_.view(); }
  Store& store() noexcept { return store_; }

  // Throws Errc::misuse when ended, broken, or on another thread; forked in a child process.
  void require_usable() const;

  // The table of that name, existing or not; "" is the default table. Throws Errc::too_large for a
  // long name.
  OpenTable& table(std::string_view name);

  // Before anybody reads what this transaction has written: entries that are in memory only go into
  // the file, and what was reserved becomes an entry. After an error only rollback.
  void settle() {
    if (reserved_) [[unlikely]]
      put_reserved();
    puts_in_row_ = 0;
    if (deferred_ != nullptr || appender_.is_open()) [[unlikely]]
      settle_all();
  }

  // Names of all named tables, in order.
  std::vector<std::string> tables() const;

  // As quire::Table's functions of these names. What `put` returns is whether an entry was
  // inserted; said of insert_only alone.
  bool put(OpenTable& table, std::string_view key, std::string_view value, btree::PutMode mode);
  bool erase(OpenTable& table, std::string_view key);

  // The value of the key, pointing into the map. A change of it that follows has no way to go.
  std::optional<std::string_view> find(OpenTable& table, std::string_view key);

  // Removes the entries with first <= key < limit (nothing: no limit). Returns their number.
  std::uint64_t erase_range(OpenTable& table, std::string_view first,
                            std::optional<std::string_view> limit);
  void clear(OpenTable& table);
  bool drop(std::string_view name);

  // As quire::Multimap's functions of these names.
  bool insert_pair(OpenTable& table, std::string_view key, std::string_view value);
  bool erase_pair(OpenTable& table, std::string_view key, std::string_view value);
  std::uint64_t erase_values(OpenTable& table, std::string_view key);
  std::uint64_t erase_keys(OpenTable& table, std::string_view first,
                           std::optional<std::string_view> limit);

  // As quire::Table::reserve: zeros in the file or, of what a leaf will hold, in memory. Becomes an
  // entry when the transaction settles.
  std::span<std::byte> reserve(OpenTable& table, std::string_view key, std::uint64_t size_bytes);

  // A value that is written from its beginning to its end, by the number that the first returns;
  // others may be written meanwhile. What is not finished by the end of the transaction is given
  // back. Throw Errc::misuse as quire::ValueWriter's functions do.
  std::uint64_t open_value(OpenTable& table, std::string_view key, std::uint64_t size_bytes);
  void write_value(std::uint64_t number, std::string_view bytes);
  void finish_value(std::uint64_t number);

  // Gives back the values that are still being written; from now on they cannot be.
  void discard_open_values();

  // Opens a savepoint within those that are open, and returns its number.
  std::uint64_t begin_savepoint();

  // As quire::Savepoint's functions of these names. Throw Errc::misuse when that savepoint is not
  // open any more.
  void roll_back_to(std::uint64_t savepoint);
  void release(std::uint64_t savepoint);
  bool is_open(std::uint64_t savepoint) const noexcept;

  // Recovery: applies one operation of the log record at `position`. Throws Errc::corrupt.
  void replay(const format::Operation& operation, Lsn position);
  void commit_replay();

  // Copies what trees have at page `limit` or beyond to lower pages, as far as there are free ones,
  // and commits that as a checkpoint. False, and rolls back, when there was nothing to move.
  // Throws as `commit`.
  bool move_below(PageId limit);

  // Ends the transaction; see quire::Transaction::commit.
  void commit(Durability durability);
  void rollback() noexcept;

 private:
  Transaction(Store& store, WriterHold hold, TxnId txn, const TransactionOptions& options);
  template <typename Change>
  auto change(OpenTable& table, Change&& change);
  bool locate(OpenTable& table, std::string_view key);
  btree::PairFinger& pair_finger_of(OpenTable& table);
  void save_before_change(OpenTable& table);
  void require_running() const;
  void require_open(std::uint64_t savepoint) const;
  void return_to_newest();
  void give_up_values(OpenSavepoint& newest);
  void keep_newest();
  void keep_all_savepoints();
  bool defer(OpenTable& table, std::string_view key, std::string_view value);
  void count_put(OpenTable& table);
  void apply_deferred();
  bool append(OpenTable& table, std::string_view key, std::string_view value);
  void close_appender();
  void settle_all();
  void drop_unsettled() noexcept;
  void put_inline(OpenTable& table, std::string_view key, std::string_view value, bool found);
  void put_extent(OpenTable& table, std::string_view key, std::string_view value, bool found);
  void log_put(const OpenTable& table, std::string_view key, std::string_view value);
  void room_for_one(const format::TreeRoot& tree, std::uint64_t kept_pages = 0);
  void room_for(std::uint64_t page_count);
  void room_for_frees(const OpenTable& table, std::string_view first = {},
                      std::optional<std::string_view> limit = {});
  void deferred_room_for(std::uint64_t page_count);
  std::string_view bounded(std::string_view end, std::string& copy) const;
  std::uint64_t erase_between(OpenTable& table, std::string_view first,
                              std::optional<std::string_view> limit, bool is_multimap);
  void lose_pairs(OpenTable& table, std::uint64_t count) const;
  format::ExtentRef store_extent(std::string_view value);
  ValueInPlace make_in_place(OpenTable& table, std::string_view key, std::uint64_t size_bytes);
  ValueInPlace& open_value_of(std::uint64_t number);
  void put_reserved();
  void put_in_place(ValueInPlace& value);
  void require_sizes(std::string_view key, std::uint64_t value_bytes) const;
  void require_kind(const OpenTable& table, bool wants_multimap) const;
  void require_table_room(const OpenTable& table, bool wants_multimap = false) const;
  void require_pair_sizes(std::string_view key, std::string_view value) const;
  void create_if_absent(OpenTable& table, bool is_multimap = false);
  void create(OpenTable& table, std::uint32_t table_id, bool is_multimap);
  bool names_new_feature() const;
  OpenTable& table_by_id(std::uint32_t table_id, Lsn position);
  void replay_erase_range(const format::Operation& operation, Lsn position);
  OpenTable& table_of(const format::Operation& operation, Lsn position);
  void replay_create(const format::Operation& operation, Lsn position);
  void replay_put(OpenTable& target, const format::Operation& operation);
  void replay_drop(const format::Operation& operation, Lsn position);
  void log(const format::Operation& operation);
  std::string_view out_of_map(std::string_view argument, std::string& copy) const;

  bool has_changes() const noexcept;
  void write_catalogue();
  bool fits_log() const;
  bool is_oversized() const;
  void commit_by_record(Durability durability);
  void publish(Durability durability);
  void count_as_full() noexcept;
  void undo() noexcept;

  Store& store_;
  WriterHold hold_;
  TxnId txn_;
  State base_;
  State state_;
  pages::Verification verification_;
  pages::PageSpace space_;
  SpaceContext context_;
  OpenTable default_table_;
  std::map<std::string, OpenTable, std::less<>> tables_;  // the named ones
  std::map<std::uint32_t, std::string> names_by_id_;      // of replay
  std::uint64_t table_count_ = 0;
  std::vector<std::byte> record_;  // room for a header, and the payload
  bool names_extents_ = false;
  bool has_made_multimap_ = false;  // which the record says, even if it is dropped again
  bool log_is_dropped_ = false;     // more than a record may hold: the commit is a checkpoint
  Packing packing_;                 // of that checkpoint
  bool is_replay_ = false;
  btree::Appender appender_;
  OpenTable* appended_ = nullptr;  // whose tree the appender holds, while it is open
  std::uint32_t puts_in_row_ = 0;  // with nothing else between them
  OpenTable* last_put_ = nullptr;  // their table
  btree::WaitingPuts waiting_;     // logged, but not in the tree
  OpenTable* deferred_ = nullptr;  // the table whose puts wait; null: none do
  std::optional<ValueInPlace> reserved_;
  std::vector<std::byte> memory_kept_;  // of the short value that was reserved before
  std::map<std::uint64_t, ValueInPlace> open_values_;  // by number
  std::uint64_t next_value_number_ = 1;
  bool background_checkpoints_;
  bool is_broken_ = false;                 // a tree operation has failed half-way
  bool is_out_of_space_ = false;           // and that was why
  std::vector<OpenSavepoint> savepoints_;  // the newest last
  std::uint64_t era_ = 0;  // of fingers: a new one when pages that they call writable may not be
  std::string key_copy_;
  std::string value_copy_;
};

// Runs one change of a table. Whatever throws in it may have left a tree half changed.
template <typename Change>
auto Transaction::change(OpenTable& table, Change&& change) {
  require_usable();
  ++table.changes;
  try {
    if (!savepoints_.empty()) [[unlikely]]
      save_before_change(table);
    return change();
  } catch (const Error& error) {
    is_broken_ = true;
    is_out_of_space_ = error.code() == Errc::no_space;
    throw;
  } catch (...) {
    is_broken_ = true;
    throw;
  }
}

}  // namespace quire::txn
