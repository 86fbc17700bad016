#include <sqlite3.h>

#include "compare/stores.h"

namespace compare {

namespace {

constexpr int kBusyMilliseconds = 60'000;

class Statement {
 public:
  Statement(sqlite3* db, const char* text) : db_(db) {
    check(sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  void bind(int place, Bytes bytes) {
    check(sqlite3_bind_blob64(statement_, place, bytes.data(), bytes.size(), SQLITE_STATIC));
  }
  bool step() {  // true: there is a row
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) check(code);
    return code == SQLITE_ROW;
  }
  Bytes column(int number) {
    const void* const bytes = sqlite3_column_blob(statement_, number);
    return {static_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, number))};
  }
  void reset() noexcept { sqlite3_reset(statement_); }
  void run() {
    step();
    reset();
  }

 private:
  void check(int code) {
    require(code == SQLITE_OK, std::string("sqlite: ") + sqlite3_errmsg(db_));
  }

  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
};

class Connection {
 public:
  explicit Connection(const Opening& opening) {
    const auto file = opening.directory / "data.sqlite";
    require(sqlite3_open_v2(file.c_str(), &db_,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                            nullptr) == SQLITE_OK,
            "sqlite: cannot open " + file.string());
    sqlite3_busy_timeout(db_, kBusyMilliseconds);
    execute("PRAGMA page_size=4096");
    execute("PRAGMA journal_mode=WAL");
    execute(opening.durability == Durability::full ? "PRAGMA synchronous=FULL"
                                                   : "PRAGMA synchronous=NORMAL");
    execute("PRAGMA mmap_size=8589934592");
    execute("PRAGMA cache_size=-262144");
    execute("CREATE TABLE IF NOT EXISTS entries(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { sqlite3_close(db_); }

  void execute(const char* text) {
    require(sqlite3_exec(db_, text, nullptr, nullptr, nullptr) == SQLITE_OK,
            std::string("sqlite: ") + sqlite3_errmsg(db_));
  }
  sqlite3* get() const noexcept { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

class SqliteSession final : public Session {
 public:
  explicit SqliteSession(const Opening& opening)
      : connection_(opening),
        begin_(connection_.get(), "BEGIN"),
        begin_write_(connection_.get(), "BEGIN IMMEDIATE"),
        commit_(connection_.get(), "COMMIT"),
        get_(connection_.get(), "SELECT value FROM entries WHERE key=?"),
        put_(connection_.get(), "REPLACE INTO entries VALUES(?,?)"),
        erase_(connection_.get(), "DELETE FROM entries WHERE key=?"),
        forward_(connection_.get(), "SELECT key,value FROM entries ORDER BY key"),
        backward_(connection_.get(), "SELECT key,value FROM entries ORDER BY key DESC"),
        range_(connection_.get(), "SELECT key,value FROM entries WHERE key>=? ORDER BY key") {}

  Seen get(std::span<const Bytes> keys, Scope scope) override {
    Seen seen;
    if (scope == Scope::all) begin_.run();
    for (const Bytes key : keys) {
      get_.bind(1, key);
      if (get_.step()) seen.value(get_.column(0));
      get_.reset();
    }
    if (scope == Scope::all) commit_.run();
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char> copy) override {
    Seen seen;
    for (const Bytes key : keys) {
      get_.bind(1, key);
      if (get_.step()) {
        seen.copy(get_.column(0), copy);
      }
      get_.reset();
    }
    return seen;
  }

  void snapshots(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) {
      begin_.run();
      commit_.run();
    }
  }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    Seen seen;
    Statement& rows = direction == Direction::forward ? forward_ : backward_;
    while (seen.entry_count < count_max && rows.step()) seen.entry(rows.column(0), rows.column(1));
    rows.reset();
    return seen;
  }

  Seen ranges(std::span<const Bytes> starts, std::uint64_t length) override {
    Seen seen;
    begin_.run();
    for (const Bytes start : starts) {
      range_.bind(1, start);
      for (std::uint64_t left = length; left > 0 && range_.step(); --left) {
        seen.entry(range_.column(0), range_.column(1));
      }
      range_.reset();
    }
    commit_.run();
    return seen;
  }

  void put(std::span<const Entry> entries) override {
    begin_write_.run();
    for (const Entry& entry : entries) put(entry);
    commit_.run();
  }

  void erase(std::span<const Bytes> keys) override {
    begin_write_.run();
    for (const Bytes key : keys) {
      erase_.bind(1, key);
      erase_.run();
    }
    commit_.run();
  }

  void load(const Source& source) override {
    begin_write_.run();
    KeyBuffer buffer;
    for (std::uint64_t i = 0; i < source.entry_count(); ++i) put(source.entry(i, buffer));
    commit_.run();
    connection_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }

 private:
  void put(const Entry& entry) {
    put_.bind(1, entry.key);
    put_.bind(2, entry.value);
    put_.run();
  }

  Connection connection_;
  Statement begin_;
  Statement begin_write_;
  Statement commit_;
  Statement get_;
  Statement put_;
  Statement erase_;
  Statement forward_;
  Statement backward_;
  Statement range_;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(const Opening& opening) : opening_(opening), connection_(opening) {}
  std::unique_ptr<Session> session() override { return std::make_unique<SqliteSession>(opening_); }
  void settle() override { connection_.execute("PRAGMA wal_checkpoint(TRUNCATE)"); }

 private:
  Opening opening_;
  Connection connection_;  // keeps the log when sessions come and go
};

}  // namespace

Peer sqlite_peer() {
  return {.name = "sqlite",
          .settings = std::string(SQLITE_VERSION) +
                      "; WITHOUT ROWID, WAL, mmap_size 8 GiB, cache 256 MiB, prepared statements; "
                      "synchronous=FULL, relaxed: NORMAL; load: one transaction and a checkpoint",
          .many_processes = true,
          .open = [](const Opening& opening) -> std::unique_ptr<Store> {
            return std::make_unique<SqliteStore>(opening);
          }};
}

}  // namespace compare
