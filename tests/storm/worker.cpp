#include "storm/worker.h"

#include <quire/quire.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include <signal.h>
#include <unistd.h>

#include "base/test_points.h"
#include "crash/small_file.h"
#include "support/random.h"

namespace quire::storm {
namespace {

using test::Random;

constexpr std::uint64_t kKeys = 40;
constexpr std::uint64_t kRowsMax = 30;
constexpr std::size_t kValueBytes[] = {16, 60, 300, 900, 9000, 40'000};

// Says everything about a ledger's state, and is stored with it.
struct Head {
  std::uint64_t count = 0;    // transactions so far
  std::uint64_t attempt = 0;  // number of the attempt that this transaction was
  std::uint64_t sum = 0;      // of `weight` over all entries of the default table
};

std::uint64_t weight(std::uint64_t key, std::uint64_t version) {
  return Random(key * 1'000'003 + version).next();
}

std::string key_of(std::uint64_t key) { return "key " + std::to_string(100 + key); }

std::string value_of(std::uint64_t version) {
  std::string value = test::pattern(kValueBytes[version % std::size(kValueBytes)], version);
  std::memcpy(value.data(), &version, sizeof version);
  return value;
}

std::uint64_t version_in(Bytes value) {
  std::uint64_t version = 0;
  if (value.size() < sizeof version) throw std::runtime_error("a value is too short");
  std::memcpy(&version, value.data(), sizeof version);
  return version;
}

Head head_in(const TableView& table) {
  Head head;
  if (const auto bytes = table.get("head")) std::memcpy(&head, bytes->data(), sizeof head);
  return head;
}

void put_head(Table& table, const Head& head) {
  table.put("head", {reinterpret_cast<const char*>(&head), sizeof head});
}

void raise(std::atomic<std::uint64_t>& word, std::uint64_t value) {
  std::uint64_t current = word.load();
  while (current < value && !word.compare_exchange_weak(current, value)) {
  }
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

// A state was seen as committed: nobody may ever see another one under its count.
void require_only_one(World& world, const Head& head) {
  Attempts& attempts = world.attempts[head.count % kIdsMax];
  std::uint64_t seen = 0;
  const std::string count = std::to_string(head.count);
  require(attempts.seen.compare_exchange_strong(seen, head.attempt) || seen == head.attempt,
          "state " + count + " was committed twice");
  require(head.attempt == 0 || attempts.undone.load() != head.attempt,
          "state " + count + " is back after a writer had found it undone");
}

// Everything that a snapshot shows, against its own head.
void require_whole(const Snapshot& snapshot, const Head& head) {
  std::uint64_t sum = 0;
  std::uint64_t entries = 0;
  const TableView table = snapshot.table();
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    const auto value = table.get(key_of(key));
    if (!value) continue;
    const std::uint64_t version = version_in(*value);
    require(*value == value_of(version), "a value is damaged at " + std::to_string(head.count));
    sum += weight(key, version);
    ++entries;
  }
  require(sum == head.sum, "entries of different transactions at " + std::to_string(head.count));
  require(table.size() == entries + 1, "a wrong number of entries");
  const std::string count = std::to_string(head.count / 8 * 8);
  for (const auto [key, value] : snapshot.table("rows")) {
    require(value == count, "rows of different transactions at " + std::to_string(head.count));
  }
}

class Worker {
 public:
  Worker(World& world, const std::filesystem::path& file, const Orders& orders)
      : world_(world), random_(orders.seed), database_(file), orders_(orders) {}

  void run() {
    for (std::uint64_t done = 0; done < orders_.work_count; ++done) {
      if (orders_.role == Role::writer) write();
      if (orders_.role == Role::reader) read();
      if (orders_.role == Role::checker) check_all();
    }
  }

 private:
  void write() {
    const std::uint64_t promised = world_.promised.load();
    Transaction transaction = database_.begin();
    Table table = transaction.table();
    Head head = head_in(table);
    require(head.count >= promised, "a writer finds state " + std::to_string(head.count) +
                                        " though " + std::to_string(promised) + " was promised");
    require_only_one(world_, head);
    Attempts& next = world_.attempts[(head.count + 1) % kIdsMax];
    // Whoever tried to get there before is dead or has rolled back, and its attempt with it.
    if (const std::uint64_t lost = next.running.exchange(0); lost != 0) next.undone.store(lost);
    if (random_.one_in(8)) return;  // rolled back unchanged
    ++head.count;
    head.attempt = world_.next_attempt.fetch_add(1) + 1;
    change(transaction, table, head);
    if (random_.one_in(8)) return;
    next.running.store(head.attempt);
    const Durability durability = random_.one_in(3) ? Durability::relaxed : Durability::full;
    transaction.commit(durability);
    next.running.store(0);
    world_.commits.fetch_add(1, std::memory_order_relaxed);
    if (durability == Durability::full) raise(world_.promised, head.count);
    if (random_.one_in(32)) database_.checkpoint();
  }

  void change(Transaction& transaction, Table& table, Head& head) {
    const std::uint64_t changes = random_.between(1, 6);
    for (std::uint64_t change = 0; change < changes; ++change) {
      const std::uint64_t key = random_.below(kKeys);
      if (const auto old = table.get(key_of(key))) head.sum -= weight(key, version_in(*old));
      if (random_.one_in(4)) {
        table.erase(key_of(key));
        continue;
      }
      const std::uint64_t version = random_.next();
      table.put(key_of(key), value_of(version));
      head.sum += weight(key, version);
    }
    put_head(table, head);
    if (head.count % 8 != 0) return;
    transaction.drop("rows");
    Table rows = transaction.table("rows");
    const std::uint64_t row_count = random_.below(kRowsMax);
    for (std::uint64_t row = 0; row < row_count; ++row) {
      rows.put(test::big_endian(row), std::to_string(head.count));
    }
  }

  void read() {
    const std::uint64_t promised = world_.promised.load();
    const std::uint64_t seen_count = world_.seen_count.load();
    const std::uint64_t seen_txn = world_.seen_txn.load();
    const Snapshot snapshot = database_.snapshot();
    const Head head = head_in(snapshot.table());
    const std::string count = std::to_string(head.count);
    require(head.count >= promised, "a snapshot shows state " + count + " though " +
                                        std::to_string(promised) + " was promised");
    require(
        head.count >= seen_count && snapshot.txn() >= seen_txn,
        "a snapshot shows state " + count + " after " + std::to_string(seen_count) + " was seen");
    raise(world_.seen_count, head.count);
    raise(world_.seen_txn, snapshot.txn());
    require_only_one(world_, head);
    require_whole(snapshot, head);
    if (random_.one_in(4)) {
      ::usleep(static_cast<useconds_t>(random_.below(3000)));
      require_whole(snapshot, head);
    }
    world_.snapshots.fetch_add(1, std::memory_order_relaxed);
  }

  void check_all() {
    const CheckReport report = check(database_);
    if (!report.ok()) {
      const Fault& fault = report.faults.front();
      throw std::runtime_error("check: page " + std::to_string(fault.page) + ": " + fault.reason);
    }
    world_.checks.fetch_add(1, std::memory_order_relaxed);
  }

  World& world_;
  Random random_;
  Database database_;
  Orders orders_;
};

World* the_world = nullptr;
Orders the_orders;
Random the_pauses{0};

// A killed process stops at a crash point for ever; another one now and then for a moment, so that
// others overtake it there, and rarely for longer than anybody waits for it.
void reached(const char* name, std::uint64_t, std::uint64_t) {
  Point* point = the_world->point(name);
  if (point != nullptr) point->reached.fetch_add(1, std::memory_order_relaxed);
  if (the_orders.kill_at != nullptr && std::string_view{name} == the_orders.kill_at &&
      --the_orders.kill_on_visit == 0) {
    if (point != nullptr) point->kills.fetch_add(1);
    ::kill(::getpid(), SIGKILL);
  }
  if (the_orders.slow_at != nullptr && std::string_view{name} == the_orders.slow_at) {
    ::usleep(static_cast<useconds_t>(the_pauses.below(4000)));
  }
  if (the_pauses.one_in(64)) ::usleep(static_cast<useconds_t>(the_pauses.below(1500)));
  if (the_pauses.one_in(20'000)) ::usleep(150'000);
}

}  // namespace

void work(World& world, const std::filesystem::path& file, const Orders& orders) {
  the_world = &world;
  the_orders = orders;
  the_pauses = Random(orders.seed + 1);
  test_points::reached = reached;
  int code = 0;
  try {
    Worker(world, file, orders).run();
  } catch (const std::exception& error) {
    code = 1;
    std::uint32_t nobody = 0;
    if (world.has_failed.compare_exchange_strong(nobody, 1)) {
      std::snprintf(world.failure.data(), world.failure.size(), "%s", error.what());
    }
  }
  test_points::reached = nullptr;
  ::_exit(code);
}

void prepare(const std::filesystem::path& file) {
  std::FILE* out = std::fopen(file.c_str(), "wb");
  if (out == nullptr) throw std::runtime_error("cannot create " + file.string());
  for (const crash::Page& page : crash::small_file(1)) {
    std::fwrite(page.data(), page.size(), 1, out);
  }
  std::fclose(out);
  Database database{file};
  database.write([](Transaction& transaction) {
    Table table = transaction.table();
    put_head(table, {});
  });
}

void judge(World& world, const std::filesystem::path& file) {
  Orders orders;
  orders.role = Role::checker;
  orders.work_count = 1;
  Worker(world, file, orders).run();
  orders.role = Role::reader;
  Worker(world, file, orders).run();
}

}  // namespace quire::storm
