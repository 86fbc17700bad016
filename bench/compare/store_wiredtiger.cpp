#include <algorithm>

#include <wiredtiger.h>

#include "compare/stores.h"

namespace compare {

namespace {

constexpr std::uint64_t kLoadBatch = 10'000;
constexpr const char* kTable = "table:entries";
constexpr const char* kSnapshot = "isolation=snapshot";

void check(int code, const char* what) {
  require(code == 0, std::string("wiredtiger: ") + what + ": " + wiredtiger_strerror(code));
}

WT_ITEM item_of(Bytes bytes) noexcept {
  WT_ITEM item{};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}
Bytes bytes_of(const WT_ITEM& item) noexcept {
  return {static_cast<const char*>(item.data), item.size};
}

class WiredTigerSession final : public Session {
 public:
  explicit WiredTigerSession(WT_CONNECTION* connection) {
    check(connection->open_session(connection, nullptr, nullptr, &session_), "session");
    check(session_->create(session_, kTable,
                           "key_format=u,value_format=u,leaf_page_max=32KB,"
                           "internal_page_max=16KB,memory_page_max=10MB"),
          "create");
    check(session_->open_cursor(session_, kTable, nullptr, nullptr, &cursor_), "cursor");
  }
  ~WiredTigerSession() override { session_->close(session_, nullptr); }

  Seen get(std::span<const Bytes> keys, Scope scope) override {
    Seen seen;
    if (scope == Scope::all) begin(kSnapshot);
    for (const Bytes key : keys) {
      if (look_up(key)) seen.value(value());
      if (scope == Scope::each) cursor_->reset(cursor_);
    }
    cursor_->reset(cursor_);
    if (scope == Scope::all) end();
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char> copy) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (!look_up(key)) continue;
      seen.copy(value(), copy);
    }
    cursor_->reset(cursor_);
    return seen;
  }

  void snapshots(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) {
      begin(kSnapshot);
      end();
    }
  }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    Seen seen;
    cursor_->reset(cursor_);
    const auto step = direction == Direction::forward ? cursor_->next : cursor_->prev;
    while (seen.entry_count < count_max && step(cursor_) == 0) seen.entry(key(), value());
    cursor_->reset(cursor_);
    return seen;
  }

  Seen ranges(std::span<const Bytes> starts, std::uint64_t length) override {
    Seen seen;
    for (const Bytes start : starts) {
      WT_ITEM wanted = item_of(start);
      cursor_->set_key(cursor_, &wanted);
      int exact = 0;
      int code = cursor_->search_near(cursor_, &exact);
      if (code == 0 && exact < 0) code = cursor_->next(cursor_);
      for (std::uint64_t left = length; left > 0 && code == 0; --left) {
        seen.entry(key(), value());
        if (left > 1) code = cursor_->next(cursor_);
      }
    }
    cursor_->reset(cursor_);
    return seen;
  }

  void put(std::span<const Entry> entries) override {
    if (entries.size() == 1) {  // commits by itself
      insert(entries[0]);
      return;
    }
    begin(kSnapshot);
    for (const Entry& entry : entries) insert(entry);
    end();
  }

  void erase(std::span<const Bytes> keys) override {
    begin(kSnapshot);
    for (const Bytes bytes : keys) {
      WT_ITEM key = item_of(bytes);
      cursor_->set_key(cursor_, &key);
      const int code = cursor_->remove(cursor_);
      if (code != WT_NOTFOUND) check(code, "remove");
    }
    end();
  }

  void load(const Source& source) override {
    cursor_->close(cursor_);
    const char* const how = source.order() == Order::sorted ? "bulk" : nullptr;
    check(session_->open_cursor(session_, kTable, nullptr, how, &cursor_), "cursor");
    KeyBuffer buffer;
    for (std::uint64_t i = 0; i < source.entry_count();) {
      const std::uint64_t limit = std::min(i + kLoadBatch, source.entry_count());
      if (how == nullptr) begin(kSnapshot);
      for (; i < limit; ++i) insert(source.entry(i, buffer));
      if (how == nullptr) end("sync=off");
    }
    cursor_->close(cursor_);
    check(session_->checkpoint(session_, nullptr), "checkpoint");
    check(session_->open_cursor(session_, kTable, nullptr, nullptr, &cursor_), "cursor");
  }

 private:
  void begin(const char* how) { check(session_->begin_transaction(session_, how), "begin"); }
  void end(const char* how = nullptr) {
    check(session_->commit_transaction(session_, how), "commit");
  }

  bool look_up(Bytes bytes) {
    WT_ITEM key = item_of(bytes);
    cursor_->set_key(cursor_, &key);
    const int code = cursor_->search(cursor_);
    if (code == WT_NOTFOUND) return false;
    check(code, "search");
    return true;
  }

  Bytes key() {
    WT_ITEM item{};
    check(cursor_->get_key(cursor_, &item), "key");
    return bytes_of(item);
  }
  Bytes value() {
    WT_ITEM item{};
    check(cursor_->get_value(cursor_, &item), "value");
    return bytes_of(item);
  }

  void insert(const Entry& entry) {
    WT_ITEM key = item_of(entry.key);
    WT_ITEM value = item_of(entry.value);
    cursor_->set_key(cursor_, &key);
    cursor_->set_value(cursor_, &value);
    check(cursor_->insert(cursor_), "insert");
  }

  WT_SESSION* session_ = nullptr;
  WT_CURSOR* cursor_ = nullptr;
};

class WiredTigerStore final : public Store {
 public:
  explicit WiredTigerStore(const Opening& opening) {
    const std::uint64_t cache_mb =
        std::clamp<std::uint64_t>(3 * opening.data_bytes >> 20, 256, 4096);
    const bool full = opening.durability == Durability::full;
    const std::string config = "create,cache_size=" + std::to_string(cache_mb) +
                               "MB,session_max=100,log=(enabled,file_max=100MB),"
                               "checkpoint=(log_size=256MB),eviction=(threads_max=2),"
                               "transaction_sync=(enabled=" +
                               (full ? "true" : "false") + ",method=fsync)";
    check(wiredtiger_open(opening.directory.c_str(), nullptr, config.c_str(), &connection_),
          "open");
  }
  ~WiredTigerStore() override { connection_->close(connection_, nullptr); }
  std::unique_ptr<Session> session() override {
    return std::make_unique<WiredTigerSession>(connection_);
  }

 private:
  WT_CONNECTION* connection_ = nullptr;
};

}  // namespace

Peer wiredtiger_peer() {
  return {.name = "wiredtiger",
          .settings = std::to_string(WIREDTIGER_VERSION_MAJOR) + "." +
                      std::to_string(WIREDTIGER_VERSION_MINOR) + "." +
                      std::to_string(WIREDTIGER_VERSION_PATCH) +
                      "; cache of three times the data (256 MiB to 4 GiB), log, checkpoints each "
                      "256 MiB of it; relaxed: transaction_sync off; load: transactions of "
                      "10,000, sorted with a bulk cursor, then a checkpoint",
          .open = [](const Opening& opening) -> std::unique_ptr<Store> {
            return std::make_unique<WiredTigerStore>(opening);
          }};
}

}  // namespace compare
