#include <cstring>

#include <lmdb.h>

#include "compare/stores.h"

namespace compare {

namespace {

void check(int code, const char* what) {
  require(code == MDB_SUCCESS, std::string("lmdb: ") + what + ": " + mdb_strerror(code));
}

Bytes bytes_of(const MDB_val& value) noexcept {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

MDB_val value_of(Bytes bytes) noexcept { return {bytes.size(), const_cast<char*>(bytes.data())}; }

// A key as this database has it: integers are compared faster as such (MDB_INTEGERKEY).
class Key {
 public:
  Key(Bytes key, bool is_integer) noexcept : value_(value_of(key)) {
    if (!is_integer) return;
    std::memcpy(&number_, key.data(), sizeof number_);
    number_ = __builtin_bswap64(number_);
    value_ = {sizeof number_, &number_};
  }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  MDB_val* value() noexcept { return &value_; }

 private:
  std::uint64_t number_ = 0;
  MDB_val value_;
};

class LmdbSession final : public Session {
 public:
  LmdbSession(MDB_env* env, MDB_dbi dbi, bool is_integer)
      : env_(env), dbi_(dbi), is_integer_(is_integer) {
    check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_), "begin");
    check(mdb_cursor_open(reader_, dbi_, &cursor_), "cursor");
    mdb_txn_reset(reader_);
  }
  ~LmdbSession() override {
    mdb_cursor_close(cursor_);
    mdb_txn_abort(reader_);
  }

  Seen get(std::span<const Bytes> keys, Scope scope) override {
    Seen seen;
    if (scope == Scope::all) begin_read();
    for (const Bytes key : keys) {
      if (scope == Scope::each) begin_read();
      if (const auto value = look_up(key)) seen.value(bytes_of(*value));
      if (scope == Scope::each) end_read();
    }
    if (scope == Scope::all) end_read();
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char> copy) override {
    Seen seen;
    begin_read();
    for (const Bytes key : keys) {
      const auto value = look_up(key);
      if (!value) continue;
      seen.copy(bytes_of(*value), copy);
    }
    end_read();
    return seen;
  }

  void snapshots(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) {
      begin_read();
      end_read();
    }
  }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    const bool forward = direction == Direction::forward;
    Seen seen;
    begin_read();
    check(mdb_cursor_renew(reader_, cursor_), "cursor");
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_get(cursor_, &key, &value, forward ? MDB_FIRST : MDB_LAST);
    while (code == MDB_SUCCESS && seen.entry_count < count_max) {
      seen.entry(bytes_of(key), bytes_of(value));
      code = mdb_cursor_get(cursor_, &key, &value, forward ? MDB_NEXT : MDB_PREV);
    }
    end_read();
    return seen;
  }

  Seen ranges(std::span<const Bytes> starts, std::uint64_t length) override {
    Seen seen;
    begin_read();
    check(mdb_cursor_renew(reader_, cursor_), "cursor");
    for (const Bytes start : starts) {
      Key wanted(start, is_integer_);
      MDB_val key = *wanted.value();
      MDB_val value;
      int code = mdb_cursor_get(cursor_, &key, &value, MDB_SET_RANGE);
      for (std::uint64_t left = length; left > 0 && code == MDB_SUCCESS; --left) {
        seen.entry(bytes_of(key), bytes_of(value));
        if (left > 1) code = mdb_cursor_get(cursor_, &key, &value, MDB_NEXT);
      }
    }
    end_read();
    return seen;
  }

  void put(std::span<const Entry> entries) override {
    MDB_txn* const txn = begin_write();
    for (const Entry& entry : entries) put(txn, entry, 0);
    check(mdb_txn_commit(txn), "commit");
  }

  void erase(std::span<const Bytes> keys) override {
    MDB_txn* const txn = begin_write();
    for (const Bytes bytes : keys) {
      Key key(bytes, is_integer_);
      const int code = mdb_del(txn, dbi_, key.value(), nullptr);
      if (code != MDB_NOTFOUND) check(code, "del");
    }
    check(mdb_txn_commit(txn), "commit");
  }

  void load(const Source& source) override {
    MDB_txn* const txn = begin_write();
    KeyBuffer buffer;
    const unsigned flags = source.order() == Order::sorted ? MDB_APPEND : 0;
    for (std::uint64_t i = 0; i < source.entry_count(); ++i) {
      put(txn, source.entry(i, buffer), flags);
    }
    check(mdb_txn_commit(txn), "commit");
    check(mdb_env_sync(env_, 1), "sync");
  }

 private:
  struct Found {
    MDB_val value;
    explicit operator bool() const noexcept { return value.mv_data != nullptr; }
    const MDB_val& operator*() const noexcept { return value; }
  };

  void begin_read() { check(mdb_txn_renew(reader_), "renew"); }
  void end_read() noexcept { mdb_txn_reset(reader_); }

  Found look_up(Bytes bytes) {
    Key key(bytes, is_integer_);
    MDB_val value;
    const int code = mdb_get(reader_, dbi_, key.value(), &value);
    if (code == MDB_NOTFOUND) return {};
    check(code, "get");
    return {value};
  }

  MDB_txn* begin_write() {
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
    return txn;
  }

  void put(MDB_txn* txn, const Entry& entry, unsigned flags) {
    Key key(entry.key, is_integer_);
    MDB_val value = value_of(entry.value);
    check(mdb_put(txn, dbi_, key.value(), &value, flags), "put");
  }

  MDB_env* env_;
  MDB_dbi dbi_;
  bool is_integer_;
  MDB_txn* reader_ = nullptr;  // renewed for each use
  MDB_cursor* cursor_ = nullptr;
};

class LmdbStore final : public Store {
 public:
  LmdbStore(const Opening& opening, unsigned flags)
      : is_integer_(opening.shape == KeyShape::integer) {
    if (opening.durability == Durability::relaxed) flags |= MDB_NOSYNC;
    check(mdb_env_create(&env_), "create");
    check(mdb_env_set_mapsize(env_, std::size_t{64} << 30), "mapsize");
    check(mdb_env_set_maxreaders(env_, 256), "readers");
    check(mdb_env_open(env_, opening.directory.c_str(), flags | MDB_NOTLS, 0644), "open");
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
    check(mdb_dbi_open(txn, nullptr, is_integer_ ? MDB_CREATE | MDB_INTEGERKEY : MDB_CREATE, &dbi_),
          "table");
    check(mdb_txn_commit(txn), "commit");
  }
  ~LmdbStore() override { mdb_env_close(env_); }

  std::unique_ptr<Session> session() override {
    return std::make_unique<LmdbSession>(env_, dbi_, is_integer_);
  }
  void settle() override { check(mdb_env_sync(env_, 1), "sync"); }

 private:
  bool is_integer_;
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

template <unsigned kFlags>
std::unique_ptr<Store> open_lmdb(const Opening& opening) {
  return std::make_unique<LmdbStore>(opening, kFlags);
}

std::string version() { return mdb_version(nullptr, nullptr, nullptr); }

}  // namespace

Peer lmdb_peer() {
  return {.name = "lmdb",
          .settings = version() +
                      "; integers: MDB_INTEGERKEY; reading transactions renewed; relaxed: "
                      "MDB_NOSYNC; load: one transaction, sorted with MDB_APPEND",
          .many_processes = true,
          .open = open_lmdb<0>};
}

Peer lmdb_writemap_peer() {
  return {.name = "lmdb-writemap",
          .settings = "the same with MDB_WRITEMAP",
          .many_processes = true,
          .only_writes_differ = true,
          .open = open_lmdb<MDB_WRITEMAP>};
}

}  // namespace compare
