// Savepoint: going back to a place in the middle of a transaction.
#pragma once

#include <quire/export.h>

#include <cstdint>
#include <memory>

namespace quire {

namespace detail {
class TransactionState;
struct Access;
}  // namespace detail

// A place in a running transaction. What was done since can be undone or kept, whatever it was:
// entries, tables created, dropped and cleared. Savepoints stand within each other, as deep as one
// likes; only the transaction's commit makes anything last.
//
//   quire::Savepoint before = tx.savepoint();
//   import(tx);
//   if (is_plausible(tx)) before.release();   // otherwise its end undoes the import
//
// Threads: the transaction's thread (Errc::misuse elsewhere).
// Errors of every function: Errc::misuse when it has ended: released or moved from, the savepoint
// around it released or rolled back, the transaction ended; Errc::forked; Errc::corrupt;
// std::bad_alloc, after which the transaction can only be rolled back.
// Cost: opening none. While one is open, a page that the transaction had changed before is copied
// once more at its first change, as if it were of another transaction.
class QUIRE_API Savepoint {
 public:
  Savepoint(Savepoint&& other) noexcept;
  Savepoint& operator=(Savepoint&& other) noexcept;  // what it stood for ends as by its destructor
  Savepoint(const Savepoint&) = delete;
  Savepoint& operator=(const Savepoint&) = delete;

  // Rolls back what was not released, if the transaction is still running on this thread.
  ~Savepoint();

  // Undoes everything since the savepoint, which stays open; those opened since have ended. Tables
  // keep what names them; keys, values and cursors of the tables that were changed since are
  // invalid; values that are being written in pieces are given up, whenever they were begun.
  // Allowed after a call on the transaction threw Errc::no_space: then the transaction is usable
  // again. After io, corrupt and other exceptions of such calls it is not. Cost: the tables and
  // pages taken since, none of which is read.
  void rollback();

  // Keeps everything since, as part of what is around the savepoint, and ends it and those opened
  // since. Cost: the pages that were changed since and before it.
  void release();

  // False once it has ended, and when the transaction has.
  bool is_open() const noexcept;

 private:
  friend struct detail::Access;
  Savepoint(std::weak_ptr<detail::TransactionState> transaction, std::uint64_t number) noexcept;
  void end() noexcept;

  std::weak_ptr<detail::TransactionState> transaction_;
  std::uint64_t number_ = 0;
};

}  // namespace quire
