#include <algorithm>
#include <cstring>

#include <db.h>

#include "compare/stores.h"

namespace compare {

namespace {

constexpr std::uint64_t kLoadBatch = 1000;

void check(int code, const char* what) {
  require(code == 0, std::string("berkeleydb: ") + what + ": " + db_strerror(code));
}

DBT thing_of(Bytes bytes) noexcept {
  DBT thing;
  std::memset(&thing, 0, sizeof thing);
  thing.data = const_cast<char*>(bytes.data());
  thing.size = static_cast<u_int32_t>(bytes.size());
  return thing;
}
Bytes bytes_of(const DBT& thing) noexcept {
  return {static_cast<const char*>(thing.data), thing.size};
}

// Memory that the library fills, and makes larger where it has to.
class Buffer {
 public:
  Buffer() noexcept {
    std::memset(&thing_, 0, sizeof thing_);
    thing_.flags = DB_DBT_REALLOC;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(thing_.data); }
  DBT* thing() noexcept { return &thing_; }
  Bytes bytes() const noexcept { return bytes_of(thing_); }
  void set(Bytes bytes) {
    thing_.data = std::realloc(thing_.data, bytes.size());
    thing_.size = static_cast<u_int32_t>(bytes.size());
    std::memcpy(thing_.data, bytes.data(), bytes.size());
  }

 private:
  DBT thing_;
};

class BerkeleyDbSession final : public Session {
 public:
  BerkeleyDbSession(DB_ENV* env, DB* db, u_int32_t commit_flags)
      : env_(env), db_(db), commit_flags_(commit_flags) {}

  Seen get(std::span<const Bytes> keys, Scope) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (look_up(key)) seen.value(value_.bytes());
    }
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char>) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (!look_up(key)) continue;
      seen.value(value_.bytes());
    }
    return seen;
  }

  void snapshots(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) {
      DB_TXN* txn = nullptr;
      check(env_->txn_begin(env_, nullptr, &txn, DB_TXN_SNAPSHOT), "begin");
      check(txn->commit(txn, 0), "commit");
    }
  }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    const bool forward = direction == Direction::forward;
    Seen seen;
    DBC* const cursor = open_cursor();
    int code = cursor->get(cursor, key_.thing(), value_.thing(), forward ? DB_FIRST : DB_LAST);
    while (code == 0 && seen.entry_count < count_max) {
      seen.entry(key_.bytes(), value_.bytes());
      code = cursor->get(cursor, key_.thing(), value_.thing(), forward ? DB_NEXT : DB_PREV);
    }
    cursor->close(cursor);
    return seen;
  }

  Seen ranges(std::span<const Bytes> starts, std::uint64_t length) override {
    Seen seen;
    DBC* const cursor = open_cursor();
    for (const Bytes start : starts) {
      key_.set(start);
      int code = cursor->get(cursor, key_.thing(), value_.thing(), DB_SET_RANGE);
      for (std::uint64_t left = length; left > 0 && code == 0; --left) {
        seen.entry(key_.bytes(), value_.bytes());
        if (left > 1) code = cursor->get(cursor, key_.thing(), value_.thing(), DB_NEXT);
      }
    }
    cursor->close(cursor);
    return seen;
  }

  void put(std::span<const Entry> entries) override {
    transact(commit_flags_, [&](DB_TXN* txn) {
      for (const Entry& entry : entries) {
        const int code = put(txn, entry);
        if (code != 0) return code;
      }
      return 0;
    });
  }

  void erase(std::span<const Bytes> keys) override {
    transact(commit_flags_, [&](DB_TXN* txn) {
      for (const Bytes bytes : keys) {
        DBT key = thing_of(bytes);
        const int code = db_->del(db_, txn, &key, 0);
        if (code != 0 && code != DB_NOTFOUND) return code;
      }
      return 0;
    });
  }

  void load(const Source& source) override {
    KeyBuffer buffer;
    for (std::uint64_t i = 0; i < source.entry_count(); i += kLoadBatch) {
      const std::uint64_t limit = std::min(i + kLoadBatch, source.entry_count());
      transact(DB_TXN_WRITE_NOSYNC, [&](DB_TXN* txn) {
        for (std::uint64_t number = i; number < limit; ++number) {
          const int code = put(txn, source.entry(number, buffer));
          if (code != 0) return code;
        }
        return 0;
      });
    }
    check(env_->txn_checkpoint(env_, 0, 0, DB_FORCE), "checkpoint");
  }

 private:
  // Again where it was chosen to end a deadlock.
  template <typename Body>
  void transact(u_int32_t flags, Body body) {
    for (;;) {
      DB_TXN* txn = nullptr;
      check(env_->txn_begin(env_, nullptr, &txn, 0), "begin");
      const int code = body(txn);
      if (code == 0) {
        check(txn->commit(txn, flags), "commit");
        return;
      }
      txn->abort(txn);
      if (code != DB_LOCK_DEADLOCK) check(code, "change");
    }
  }

  int put(DB_TXN* txn, const Entry& entry) {
    DBT key = thing_of(entry.key);
    DBT value = thing_of(entry.value);
    return db_->put(db_, txn, &key, &value, 0);
  }

  bool look_up(Bytes bytes) {
    DBT key = thing_of(bytes);
    const int code = db_->get(db_, nullptr, &key, value_.thing(), 0);
    if (code == DB_NOTFOUND) return false;
    check(code, "get");
    return true;
  }

  DBC* open_cursor() {
    DBC* cursor = nullptr;
    check(db_->cursor(db_, nullptr, &cursor, 0), "cursor");
    return cursor;
  }

  DB_ENV* env_;
  DB* db_;
  u_int32_t commit_flags_;
  Buffer key_;
  Buffer value_;
};

class BerkeleyDbStore final : public Store {
 public:
  explicit BerkeleyDbStore(const Opening& opening)
      : commit_flags_(opening.durability == Durability::full ? 0 : DB_TXN_WRITE_NOSYNC) {
    const std::uint64_t cache_bytes =
        std::clamp<std::uint64_t>(2 * opening.data_bytes, 64 << 20, std::uint64_t{3} << 30);
    check(db_env_create(&env_, 0), "create");
    check(env_->set_cachesize(env_, static_cast<u_int32_t>(cache_bytes >> 30),
                              static_cast<u_int32_t>(cache_bytes & ((1 << 30) - 1)), 1),
          "cache");
    check(env_->set_lg_bsize(env_, 16 << 20), "log buffer");
    check(env_->set_lg_max(env_, 128 << 20), "log size");
    check(env_->set_lk_detect(env_, DB_LOCK_DEFAULT), "deadlocks");
    check(env_->set_lk_max_locks(env_, 100'000), "locks");
    check(env_->set_lk_max_objects(env_, 100'000), "locks");
    check(env_->log_set_config(env_, DB_LOG_AUTO_REMOVE, 1), "logs");
    check(
        env_->open(env_, opening.directory.c_str(),
                   DB_CREATE | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN | DB_THREAD,
                   0644),
        "open");
    check(db_create(&db_, env_, 0), "create");
    check(db_->set_pagesize(db_, 4096), "page size");
    check(db_->open(db_, nullptr, "entries.db", nullptr, DB_BTREE,
                    DB_CREATE | DB_THREAD | DB_AUTO_COMMIT, 0644),
          "open");
  }
  ~BerkeleyDbStore() override {
    db_->close(db_, 0);
    env_->close(env_, 0);
  }
  std::unique_ptr<Session> session() override {
    return std::make_unique<BerkeleyDbSession>(env_, db_, commit_flags_);
  }
  void settle() override { check(env_->txn_checkpoint(env_, 0, 0, DB_FORCE), "checkpoint"); }

 private:
  u_int32_t commit_flags_;
  DB_ENV* env_ = nullptr;
  DB* db_ = nullptr;
};

}  // namespace

Peer berkeleydb_peer() {
  return {.name = "berkeleydb",
          .settings = std::string(db_version(nullptr, nullptr, nullptr)) +
                      "; B-tree, transactions, cache of twice the data, log buffer 16 MiB; "
                      "relaxed: DB_TXN_WRITE_NOSYNC; load: transactions of 1000 and a checkpoint",
          .many_processes = true,
          .open = [](const Opening& opening) -> std::unique_ptr<Store> {
            return std::make_unique<BerkeleyDbStore>(opening);
          }};
}

}  // namespace compare
