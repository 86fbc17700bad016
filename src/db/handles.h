// What stands behind the public classes.
#pragma once

#include <quire/cursor.h>
#include <quire/database.h>
#include <quire/multimap.h>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "btree/cursor.h"
#include "btree/pair_cursor.h"
#include "btree/tree.h"
#include "db/registry.h"
#include "storage/fault_guard.h"
#include "txn/snapshot.h"
#include "txn/transaction.h"

namespace quire::detail {

// Behind a Database.
class Handle {
 public:
  db::Opened opened;
  Options options;
};

// Behind a Snapshot. When it ends its thread keeps the object, slot and all, for the next one of
// the same store.
class SnapshotState {
 public:
  SnapshotState(const db::Opened& opened, Verify verify)
      : kept(opened),
        of(opened.store),
        snapshot(opened.store ? txn::Snapshot(*opened.store, verify)
                              : txn::Snapshot(opened.viewer->pin(), verify)) {}

  db::Opened kept;  // of none while it rests
  const std::weak_ptr<txn::Store> of;
  txn::Snapshot snapshot;
};

using SnapshotPtr = std::unique_ptr<SnapshotState, EndSnapshot>;
SnapshotPtr begin_snapshot(const db::Opened& opened, Verify verify);

// Behind a Transaction. Known to its thread, which rolls it back when it ends.
class TransactionState {
 public:
  TransactionState(std::shared_ptr<txn::Store> kept, txn::WriterHold hold, const Options& options);
  ~TransactionState();

  void commit(Durability wanted);
  void rollback() noexcept;

  std::shared_ptr<txn::Store> store;
  Durability durability;
  decltype(Options::on_slow_reader) on_slow_reader;  // the Database may be gone before
  txn::Transaction transaction;

 private:
  void forget_if_ended() noexcept;
};

// The inside of a TableView and Table: either a fixed tree of a snapshot or a table of a running
// transaction.
struct ViewState {
  const txn::File* file = nullptr;
  pages::PageView view;
  format::TreeRoot tree;
  txn::Transaction* transaction = nullptr;
  txn::OpenTable* open = nullptr;
};

// The inside of a Cursor.
struct CursorState {
  btree::Cursor cursor;
  const txn::File* file = nullptr;
  txn::Transaction* transaction = nullptr;
  txn::OpenTable* open = nullptr;
  std::uint64_t changes = 0;  // of `open` when the cursor was placed
};

// The inside of a MultimapView and Multimap.
struct MultimapState : ViewState {
  std::uint64_t pair_count = 0;  // of a snapshot's
};

// The inside of a PairPosition.
struct PairState {
  btree::PairCursor cursor;
  const txn::File* file = nullptr;
  txn::Transaction* transaction = nullptr;
  txn::OpenTable* open = nullptr;
  std::uint64_t changes = 0;  // of `open` when the cursor was placed
};

// The first key behind all that begin with `prefix`; false when there is none.
bool next_prefix(Bytes prefix, std::string& next);

// With Options::guard_sigbus: reads through what a call hands out, so that missing pages are noted.
template <typename Result>
void touch(const Result&) noexcept {}
inline void touch(Bytes bytes) noexcept { storage::touch(bytes.data(), bytes.size()); }
inline void touch(const Entry& entry) noexcept {
  touch(entry.key);
  touch(entry.value);
}
template <typename Result>
void touch(const std::optional<Result>& result) noexcept {
  if (result) touch(*result);
}

// Runs the body of a public call of a file (null: of none). What it has read or failed with counts
// only when every page was there (see txn::File::require_readable).
template <typename Body>
auto readable(const txn::File* file, Body&& body) {
  const auto require_readable = [file] {
    if (file != nullptr) file->require_readable();
  };
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
      body();
      require_readable();
    } else {
      auto result = body();
      if (file != nullptr && file->is_guarded()) [[unlikely]] {
        touch(result);
        require_readable();
      }
      return result;
    }
  } catch (const std::exception&) {
    require_readable();
    throw;
  }
}

// Finds what is to be read piece by piece, in the tree that `state` shows now.
using FindStored = std::function<std::optional<btree::StoredValue>()>;
std::optional<ValueReader> open_reader(const ViewState& state, const FindStored& find);

struct TableAccess {
  static ViewState& state(TableView& view) noexcept {
    return *reinterpret_cast<ViewState*>(view.state_);
  }
  static const ViewState& state(const TableView& view) noexcept {
    return *reinterpret_cast<const ViewState*>(view.state_);
  }
  static TableView make_view(const ViewState& state);
  static Table make_table(const ViewState& state);
};

struct ValueAccess {
  static ValueWriter make(std::unique_ptr<ValueWriterState> state);
  static ValueReader make(std::unique_ptr<ValueReaderState> state);
};

struct MultimapAccess {
  static MultimapState& state(MultimapView& view) noexcept {
    return *reinterpret_cast<MultimapState*>(view.state_);
  }
  static const MultimapState& state(const MultimapView& view) noexcept {
    return *reinterpret_cast<const MultimapState*>(view.state_);
  }
  static PairState& state(PairPosition& position) noexcept {
    return *reinterpret_cast<PairState*>(position.state_);
  }
  static const PairState& state(const PairPosition& position) noexcept {
    return *reinterpret_cast<const PairState*>(position.state_);
  }
  static MultimapView make_view(const MultimapState& state);
  static Multimap make(const MultimapState& state);
};

struct CursorAccess {
  static CursorState& state(Cursor& cursor) noexcept {
    return *reinterpret_cast<CursorState*>(cursor.state_);
  }
  static const CursorState& state(const Cursor& cursor) noexcept {
    return *reinterpret_cast<const CursorState*>(cursor.state_);
  }
};

struct Access {
  static Snapshot make(SnapshotPtr state) { return Snapshot(std::move(state)); }
  static Transaction make(std::shared_ptr<TransactionState> state) {
    return Transaction(std::move(state));
  }
  static Savepoint make(std::weak_ptr<TransactionState> state, std::uint64_t number) {
    return Savepoint(std::move(state), number);
  }
  static SnapshotState& state(const Snapshot& snapshot);
  static const Handle& handle(const Database& database);

  // Throws Errc::read_only in a process that may only read.
  static txn::Store& store(const Database& database);
};

}  // namespace quire::detail
