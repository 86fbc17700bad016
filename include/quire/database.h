// Opening a database.
#pragma once

#include <quire/export.h>
#include <quire/options.h>
#include <quire/transaction.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace quire {

// One database file, open in this process. Opening the same file again (also through another path)
// shares one instance. Beside `file` stands `file.lock`, through which the processes meet; it holds
// no durable truth and is rebuilt by whoever is alone, but must not be deleted while the database
// is in use.
//
// Threads: every function from any thread. Snapshots and transactions keep the instance alive
// beyond this object. Errors of every function: Errc::forked in a child process that has inherited
// the object; Errc::io.
class QUIRE_API Database {
 public:
  // Opens or creates; recovers what a crash left behind when nobody else has the file open. Throws
  // Errc::not_a_database, wrong_version, corrupt, busy (somebody replaced or removed one of the
  // files while others use it), unsupported_filesystem, no_space, io (with the system's reason),
  // misuse (page size contradicts the file's).
  explicit Database(const std::filesystem::path& file, const Options& options = {});

  // A new database in memory, without a name: gone with the last process that has it open or holds
  // its descriptors. Everything else is as on a disk, but commits wait for no flush, and memory
  // that runs out is the system's to deal with. `copy` and `backup` write it to a file. Needs
  // /proc. Throws Errc::misuse (page size), no_space, io.
  static Database in_memory(const Options& options = {});

  // What other processes open a database in memory by: a child after fork, or who receives them
  // over a Unix socket (SCM_RIGHTS). Both are needed. Close-on-exec.
  struct Descriptors {
    int data = -1;
    int region = -1;
  };

  // Of a database in memory; nothing for one in a named file. They stay this instance's, and open
  // until the last handle, snapshot and transaction of it in this process has gone; in a forked
  // child until it has destroyed what it inherited.
  std::optional<Descriptors> descriptors() const;

  // Opens the database in memory that these belong to; the caller keeps them. Throws Errc::misuse
  // when they are of no such database, and what the constructor throws.
  static Database from_descriptors(const Descriptors& descriptors, const Options& options = {});

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The last handle, snapshot or transaction in the last process writes a checkpoint and marks the
  // file clean.
  ~Database();

  // What the newest published commit left. No lock, no system call in the steady state.
  Snapshot snapshot() const;

  // Starts the write transaction; waits for the running one of another thread or process. Calling
  // it on a thread that has one already throws Errc::misuse. Throws Errc::read_only, poisoned,
  // no_space, busy: the data file or the lock file was deleted or replaced. That is looked for at
  // most once in a tick of the system's coarse clock (1 to 10 ms), so a transaction that begins in
  // the same tick may still go into the old file; renaming the file stops nobody.
  Transaction begin();

  // The same, waiting no longer than `timeout`. Throws Errc::busy then, naming the process and
  // thread that writes, for how long it has done so, and whether it is stopped. Asks every 2 ms at
  // most: who waits without a timeout comes first. What the transaction then needs of others, a
  // flush or the end of a checkpoint, is waited for as `begin` does.
  Transaction begin(std::chrono::nanoseconds timeout);

  // Nothing when another writer is at work.
  std::optional<Transaction> try_begin();

  // begin, body, commit; an exception from the body rolls back and passes on. Returns what the body
  // returns.
  template <std::invocable<Transaction&> Body>
  std::invoke_result_t<Body, Transaction&> write(Body&& body) {
    Transaction transaction = begin();
    if constexpr (std::is_void_v<std::invoke_result_t<Body, Transaction&>>) {
      std::forward<Body>(body)(transaction);
      transaction.commit();
    } else {
      auto result = std::forward<Body>(body)(transaction);
      transaction.commit();
      return result;
    }
  }

  // One-call conveniences on the default table: a snapshot and a copy of the value; a transaction
  // with one write.
  std::optional<std::string> get(Bytes key) const;
  void put(Bytes key, Bytes value);
  bool erase(Bytes key);

  // Waits until there is a commit newer than `after` (a Snapshot::txn(), or what this function has
  // returned) for readers to see, of whatever process, and returns the newest one's number: several
  // may have come at once. Nothing when none came within `timeout`. Throws when none can come any
  // more: Errc::poisoned, or in a process that may write Errc::busy, when the data file or the lock
  // file was deleted or replaced. Costs committers nothing while nobody waits.
  std::optional<std::uint64_t> wait_for_commit(
      std::uint64_t after,
      std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max()) const;

  // Makes every commit that has returned durable, relaxed ones too: a flush of the log, if any of
  // it is needed. Throws Errc::poisoned.
  void sync();

  // Writes the tree pages so that the next open replays nothing. Rarely needed: it happens by
  // itself. Waits for the running transaction. Throws Errc::poisoned, read_only, busy as `begin`.
  void checkpoint();

  // Of a database in memory no path, but a name for messages.
  const std::filesystem::path& path() const noexcept;
  std::uint32_t page_size_bytes() const noexcept;

 private:
  friend struct detail::Access;
  explicit Database(std::shared_ptr<detail::Handle> handle) noexcept;
  std::shared_ptr<detail::Handle> handle_;
};

}  // namespace quire
