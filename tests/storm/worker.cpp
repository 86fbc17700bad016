#include "storm/worker.h"

#include <quire/quire.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_points.h"
#include "storm/contents.h"
#include "support/random.h"

namespace quire::storm {
namespace {

using test::Random;

constexpr std::uint64_t kManySnapshots = 80;

// A state was seen as committed: nobody may ever see another one under its count.
void require_only_one(Ledger& ledger, const Head& head) {
  Attempts& attempts = ledger.attempts[head.count % kIdsMax];
  std::uint64_t seen = 0;
  const std::string count = std::to_string(head.count);
  require(attempts.seen.compare_exchange_strong(seen, head.attempt) || seen == head.attempt,
          "state " + count + " was committed twice");
  require(head.attempt == 0 || attempts.undone.load() != head.attempt,
          "state " + count + " is back after a writer had found it undone");
}

// A transaction was seen, or its commit has returned: it is this one for ever. Whoever dies before
// his is visible leaves its number to the next one, a close that packs the file too.
void require_still(Ledger& ledger, std::uint64_t txn, std::uint64_t hash, const Head& head) {
  std::uint64_t known = 0;
  require(ledger.hash_of_txn[txn % kIdsMax].compare_exchange_strong(known, hash) || known == hash,
          "state " + std::to_string(head.count) +
              " stands under a transaction that was another one: " + std::to_string(txn));
}

// Everything that a snapshot shows is what the writer of its state has published, and what others
// saw under its transaction.
void require_as_published(Ledger& ledger, const Snapshot& snapshot, const Head& head) {
  const std::uint64_t hash = require_whole(snapshot);
  require(hash == ledger.hash_of_attempt[head.attempt % kIdsMax].load(),
          "state " + std::to_string(head.count) + " is not as its writer has published it");
  require_still(ledger, snapshot.txn(), hash, head);
}

template <typename Call>
void require_forked(Call&& call, const char* what) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    require(error.code() == Errc::forked, std::string(what) + " after fork: " + error.what());
    return;
  }
  throw std::runtime_error(std::string(what) + " does not notice that it was forked");
}

[[noreturn]] void execute_look(const std::filesystem::path& file) {
  ::execl("/proc/self/exe", "storm", "--look", file.c_str(), nullptr);
  throw std::runtime_error("cannot execute itself");
}

class Worker {
 public:
  Worker(World& world, Ledger& ledger, const std::filesystem::path& file, const Orders& orders)
      : world_(world),
        ledger_(ledger),
        file_(file),
        orders_(orders),
        random_(orders.fate.seed),
        database_(std::in_place, file, Options{.read_only = orders.is_read_only}) {}

  void run() {
    for (std::uint64_t done = 0; done < orders_.work_count; ++done) {
      if (orders_.fate.role == Role::writer) write();
      if (orders_.fate.role == Role::reader) read();
      if (orders_.fate.role == Role::checker) check_all();
    }
  }

  void read() {
    if (random_.one_in(100)) read_many();
    const std::uint64_t promised = ledger_.promised.load();
    const std::uint64_t seen_count = ledger_.seen_count.load();
    const std::uint64_t seen_txn = ledger_.seen_txn.load();
    const Snapshot snapshot = database_->snapshot();
    const Head head = head_in(snapshot.table());
    const std::string count = std::to_string(head.count);
    require(head.count >= promised, "a snapshot shows state " + count + " though " +
                                        std::to_string(promised) + " was promised");
    require(
        head.count >= seen_count && snapshot.txn() >= seen_txn,
        "a snapshot shows state " + count + " after " + std::to_string(seen_count) + " was seen");
    raise_to(ledger_.seen_count, head.count);
    raise_to(ledger_.seen_txn, snapshot.txn());
    require_only_one(ledger_, head);
    require_as_published(ledger_, snapshot, head);
    if (random_.one_in(4)) {
      ::usleep(static_cast<useconds_t>(random_.below(3000)));
      require_as_published(ledger_, snapshot, head);
    }
    world_.snapshots.fetch_add(1, std::memory_order_relaxed);
  }

  void check_all() {
    const CheckReport report = check(*database_);
    if (!report.ok()) {
      const Fault& fault = report.faults.front();
      throw std::runtime_error("check: page " + std::to_string(fault.page) + ": " + fault.reason);
    }
    world_.checks.fetch_add(1, std::memory_order_relaxed);
  }

  Database& database() noexcept { return *database_; }

 private:
  // More snapshots at once than the region has slots at first.
  void read_many() {
    std::vector<Snapshot> held;
    for (std::uint64_t count = 0; count < kManySnapshots; ++count) {
      held.push_back(database_->snapshot());
    }
    const std::uint64_t hash = require_whole(held.front());
    require(held.front().txn() < held.back().txn() || require_whole(held.back()) == hash,
            "two snapshots of one transaction differ");
  }

  void write() {
    if (random_.one_in(40)) end_a_thread();
    commit_one();
    if (random_.one_in(32)) database_->checkpoint();
  }

  void commit_one() {
    const std::uint64_t promised = std::max(ledger_.promised.load(), ledger_.seen_count.load());
    Transaction transaction = database_->begin();
    Head head = head_in(transaction.table());
    require(head.count >= promised, "a writer finds state " + std::to_string(head.count) +
                                        " though " + std::to_string(promised) +
                                        " was promised or seen");
    require_only_one(ledger_, head);
    Attempts& next = ledger_.attempts[(head.count + 1) % kIdsMax];
    // Whoever tried to get there before is dead or has rolled back, and its attempt with it.
    if (const std::uint64_t lost = next.running.exchange(0); lost != 0) next.undone.store(lost);
    if (random_.one_in(8)) {  // rolled back unchanged; what it begins from is visible, so it stays
      require_still(ledger_, transaction.txn() - 1, require_whole(transaction), head);
      return;
    }
    ++head.count;
    head.attempt = ledger_.next_attempt.fetch_add(1) + 1;
    change(transaction, head, random_);
    if (random_.one_in(8)) return;
    const std::uint64_t hash = require_whole(transaction);
    if (random_.one_in(40)) {
      fork_inside(transaction);
      require(require_whole(transaction) == hash, "a transaction is another one after fork");
    }
    if (random_.one_in(200)) {
      world_.execs.fetch_add(1);
      execute_look(file_);
    }
    ledger_.hash_of_attempt[head.attempt % kIdsMax].store(hash);
    next.running.store(head.attempt);
    const Durability durability = random_.one_in(3) ? Durability::relaxed : Durability::full;
    const std::uint64_t txn = transaction.txn();
    transaction.commit(durability);
    next.running.store(0);
    require_still(ledger_, txn, hash, head);
    world_.commits.fetch_add(1, std::memory_order_relaxed);
    if (durability == Durability::full) world_.full_commits.fetch_add(1, std::memory_order_relaxed);
    raise_to(ledger_.promised, head.count);  // a relaxed one survives kills as well
  }

  // The transaction outlives the thread that began it, and ends with it.
  void end_a_thread() {
    std::optional<Transaction> left;
    std::exception_ptr failed;
    std::thread([&] {
      try {
        left.emplace(database_->begin());
        Head head = head_in(left->table());
        ++head.count;
        change(*left, head, random_);
      } catch (...) {
        failed = std::current_exception();
      }
    }).join();
    if (failed) std::rethrow_exception(failed);
    world_.thread_ends.fetch_add(1);
  }

  // Whatever the child does, and wherever it dies, the transaction is none of its business.
  void fork_inside(Transaction& transaction) {
    world_.forks.fetch_add(1);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("cannot fork");
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(0);
      never_stand_still();
      ::_exit(succeeds([&] { live_as_child(transaction); }) ? 0 : 1);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      world_.forked_kills.fetch_add(1);
    } else {
      require(status == 0, "a child that was forked inside a transaction has failed");
    }
  }

  void live_as_child(Transaction& transaction) {
    require_forked([&] { database_->snapshot(); }, "a database");
    require_forked([&] { transaction.table(); }, "a transaction");
    if (random_.one_in(3)) {
      transaction.rollback();
      database_.reset();
      return;
    }
    if (random_.one_in(4)) execute_look(file_);
    Orders orders = orders_;
    orders.fate.role = Role::reader;
    Worker anew(world_, ledger_, file_, orders);
    anew.read();
    if (random_.one_in(2)) database_.reset();
    anew.read();
  }

  template <typename Body>
  bool succeeds(Body&& body) noexcept {
    try {
      body();
      return true;
    } catch (const std::exception& error) {
      world_.fail(error.what());
      return false;
    }
  }

  World& world_;
  Ledger& ledger_;
  std::filesystem::path file_;
  Orders orders_;
  Random random_;
  std::optional<Database> database_;
};

}  // namespace

void work(World& world, Ledger& ledger, const std::filesystem::path& file, const Orders& orders) {
  meet(world, orders.fate);
  int code = 0;
  try {
    Worker(world, ledger, file, orders).run();
  } catch (const std::exception& error) {
    code = 1;
    world.fail(error.what());
  }
  meet_nothing_more();
  ::_exit(code);
}

void prepare(Ledger& ledger, const std::filesystem::path& file) {
  make_first_state(file);
  const Database database{file};
  ledger.hash_of_attempt[0].store(require_whole(database.snapshot()));
}

void fill(Database& database, std::uint64_t pages) {
  database.write([&](Transaction& transaction) {
    constexpr std::size_t kThirdOfAPage = 1200;
    Table table = transaction.table();
    for (std::uint64_t entry = 0; entry < pages * 3; ++entry) {
      table.put(test::big_endian(entry), test::pattern(kThirdOfAPage, entry));
    }
  });
}

// What the dead have left is given back: a quarter of all pages can be filled without a larger
// file. It may have been cut to what was in it, so it is made larger first. Under strain the log
// moves and may find no free pages side by side: then the file grows by a chunk, at most itself.
void require_pages_come_back(Database& database) {
  constexpr std::uint64_t kPages = 500;
  fill(database, kPages);
  database.write([](Transaction& transaction) {
    for (const std::string& name : transaction.tables()) transaction.drop(name);
    transaction.table().clear();
  });
  database.checkpoint();
  const Statistics before = stat(database);
  const std::uint64_t pages = before.free_pages + before.pending_pages;
  fill(database, pages / 4);
  const std::uint64_t grown_bytes = is_strained() ? before.file_bytes : 0;
  require(stat(database).file_bytes <= before.file_bytes + grown_bytes,
          "pages that nobody gets back");
}

void judge(World& world, Ledger& ledger, const std::filesystem::path& file) {
  Worker worker(world, ledger, file, {});
  worker.check_all();
  worker.read();
  Database& database = worker.database();
  database.checkpoint();
  worker.check_all();
  require(stat(database).process_count == 1, "processes are still counted that are gone");
  require(readers(database).empty(), "a reader is left that is gone");
  require_pages_come_back(database);
  worker.check_all();
}

int look(const std::filesystem::path& file) {
  try {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      require(!target.starts_with(file.string()), "a descriptor has outlived exec: " + target);
    }
    const Database database{file};
    static_cast<void>(require_whole(database.snapshot()));
    return 0;
  } catch (const std::exception& error) {
    std::cout << "FAILED: a program that was executed inside a transaction: " << error.what()
              << std::endl;
    return 1;
  }
}

}  // namespace quire::storm
