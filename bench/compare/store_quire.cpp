#include <quire/quire.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "compare/stores.h"

namespace compare {

namespace {

class QuireSession final : public Session {
 public:
  explicit QuireSession(quire::Database& db) : db_(db) {}

  Seen get(std::span<const Bytes> keys, Scope scope) override {
    Seen seen;
    if (scope == Scope::each) {
      for (const Bytes key : keys) {
        const quire::Snapshot snapshot = db_.snapshot();
        if (const auto value = snapshot.table().get(key)) seen.value(*value);
      }
      return seen;
    }
    const quire::Snapshot snapshot = db_.snapshot();
    const quire::TableView table = snapshot.table();
    for (const Bytes key : keys) {
      if (const auto value = table.get(key)) seen.value(*value);
    }
    return seen;
  }

  Seen get_many(std::span<const Bytes> keys, std::size_t batch) override {
    Seen seen;
    std::vector<std::optional<quire::Bytes>> values(batch);
    const quire::Snapshot snapshot = db_.snapshot();
    const quire::TableView table = snapshot.table();
    while (!keys.empty()) {
      const std::size_t count = std::min(batch, keys.size());
      table.get_many(keys.first(count), std::span(values).first(count));
      for (std::size_t i = 0; i < count; ++i) {
        if (values[i]) seen.value(*values[i]);
      }
      keys = keys.subspan(count);
    }
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char> copy) override {
    Seen seen;
    const quire::Snapshot snapshot = db_.snapshot();
    const quire::TableView table = snapshot.table();
    for (const Bytes key : keys) {
      const auto value = table.get(key);
      if (!value) continue;
      seen.copy(*value, copy);
    }
    return seen;
  }

  void snapshots(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) db_.snapshot();
  }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    Seen seen;
    const quire::Snapshot snapshot = db_.snapshot();
    const quire::TableView table = snapshot.table();
    const auto begin = table.begin();
    const auto end = table.end();
    if (direction == Direction::forward) {
      for (auto at = begin; at != end && seen.entry_count < count_max; ++at) {
        const auto [key, value] = *at;
        seen.entry(key, value);
      }
      return seen;
    }
    for (auto at = end; at != begin && seen.entry_count < count_max;) {
      --at;
      const auto [key, value] = *at;
      seen.entry(key, value);
    }
    return seen;
  }

  Seen ranges(std::span<const Bytes> starts, std::uint64_t length) override {
    Seen seen;
    const quire::Snapshot snapshot = db_.snapshot();
    const quire::TableView table = snapshot.table();
    const auto end = table.end();
    for (const Bytes start : starts) {
      std::uint64_t left = length;
      for (auto at = table.lower_bound(start); left > 0 && at != end; ++at, --left) {
        const auto [key, value] = *at;
        seen.entry(key, value);
      }
    }
    return seen;
  }

  void put(std::span<const Entry> entries) override {
    quire::Transaction transaction = db_.begin();
    quire::Table table = transaction.table();
    for (const Entry& entry : entries) table.put(entry.key, entry.value);
    transaction.commit();
  }

  void erase(std::span<const Bytes> keys) override {
    quire::Transaction transaction = db_.begin();
    quire::Table table = transaction.table();
    for (const Bytes key : keys) table.erase(key);
    transaction.commit();
  }

  void load(const Source& source) override {
    quire::Transaction transaction = db_.begin();
    quire::Table table = transaction.table();
    KeyBuffer buffer;
    for (std::uint64_t i = 0; i < source.entry_count(); ++i) {
      const Entry entry = source.entry(i, buffer);
      table.put(entry.key, entry.value);
    }
    transaction.commit(quire::Durability::full);
  }

 private:
  quire::Database& db_;
};

class QuireStore final : public Store {
 public:
  explicit QuireStore(const Opening& opening)
      : db_(opening.directory / "data.quire",
            {.durability = opening.durability == Durability::full ? quire::Durability::full
                                                                  : quire::Durability::relaxed}) {}
  std::unique_ptr<Session> session() override { return std::make_unique<QuireSession>(db_); }
  void settle() override { db_.checkpoint(); }

 private:
  quire::Database db_;
};

}  // namespace

Peer quire_peer() {
  return {.name = "quire",
          .settings = "defaults",
          .many_processes = true,
          .open = [](const Opening& opening) -> std::unique_ptr<Store> {
            return std::make_unique<QuireStore>(opening);
          }};
}

}  // namespace compare
