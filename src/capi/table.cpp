#include <algorithm>
#include <array>
#include <span>

#include "capi/handles.h"

using namespace quire::capi;

namespace {

// The table of that name that `open` gives, the first time.
template <typename Open>
quire_table* table_of(Tables& tables, quire::Bytes name, Open open) {
  auto known = tables.find(name);
  if (known == tables.end()) known = tables.emplace(name, quire_table{open()}).first;
  return &known->second;
}

quire::Table& changing(quire_table* table) {
  require(table);
  auto* found = std::get_if<quire::Table>(&table->table);
  if (found == nullptr) {
    throw quire::Error(quire::Errc::read_only, "the table is that of a snapshot");
  }
  return *found;
}

}  // namespace

int quire_snapshot_table(quire_snapshot* snapshot, quire_bytes name, quire_table** table) {
  return guarded([&]() -> int {
    require(snapshot, table);
    const quire::Bytes wanted = bytes(name);
    const std::lock_guard lock(snapshot->mutex);
    *table = table_of(snapshot->tables, wanted, [&] { return snapshot->snapshot.table(wanted); });
    return QUIRE_OK;
  });
}

int quire_txn_table(quire_txn* txn, quire_bytes name, quire_table** table) {
  return guarded([&]() -> int {
    require(txn, table);
    const quire::Bytes wanted = bytes(name);
    *table = table_of(txn->tables, wanted, [&] { return txn->transaction.table(wanted); });
    return QUIRE_OK;
  });
}

int quire_drop(quire_txn* txn, quire_bytes name) {
  return guarded([&]() -> int {
    require(txn);
    return txn->transaction.drop(bytes(name)) ? QUIRE_OK : QUIRE_NOT_FOUND;
  });
}

int quire_tables(quire_snapshot* snapshot, const quire_bytes** names, size_t* count) {
  return guarded([&]() -> int {
    require(snapshot, names, count);
    const std::lock_guard lock(snapshot->mutex);
    if (snapshot->listed.empty()) {
      snapshot->names = snapshot->snapshot.tables();
      std::vector<quire_bytes> listed;
      for (const std::string& name : snapshot->names) listed.push_back(handed_out(name));
      snapshot->listed = std::move(listed);
    }
    *names = snapshot->listed.data();
    *count = snapshot->listed.size();
    return QUIRE_OK;
  });
}

int quire_get(const quire_table* table, quire_bytes key, quire_bytes* value) {
  return guarded([&]() -> int {
    require(table, value);
    const auto found = table->view().get(bytes(key));
    if (!found) return QUIRE_NOT_FOUND;
    *value = handed_out(*found);
    return QUIRE_OK;
  });
}

int quire_get_many(const quire_table* table, const quire_bytes* keys, size_t count,
                   quire_bytes* values) {
  return guarded([&]() -> int {
    require(table);
    if (count > 0) require(keys, values);
    constexpr std::size_t kBatch = 64;
    for (std::size_t first = 0; first < count; first += kBatch) {
      const std::size_t many = std::min(kBatch, count - first);
      std::array<quire::Bytes, kBatch> wanted;
      std::array<std::optional<quire::Bytes>, kBatch> found;
      for (std::size_t i = 0; i < many; ++i) wanted[i] = bytes(keys[first + i]);
      table->view().get_many(std::span(wanted).first(many), found);
      for (std::size_t i = 0; i < many; ++i) {
        values[first + i] = found[i] ? handed_out(*found[i]) : quire_bytes{nullptr, 0};
      }
    }
    return QUIRE_OK;
  });
}

int quire_count(const quire_table* table, uint64_t* count) {
  return guarded([&]() -> int {
    require(table, count);
    *count = table->view().size();
    return QUIRE_OK;
  });
}

int quire_put(quire_table* table, quire_bytes key, quire_bytes value) {
  return guarded([&]() -> int {
    changing(table).put(bytes(key), bytes(value));
    return QUIRE_OK;
  });
}

int quire_insert(quire_table* table, quire_bytes key, quire_bytes value) {
  return guarded(
      [&] { return changing(table).insert(bytes(key), bytes(value)) ? QUIRE_OK : QUIRE_EXISTS; });
}

int quire_erase(quire_table* table, quire_bytes key) {
  return guarded(
      [&]() -> int { return changing(table).erase(bytes(key)) ? QUIRE_OK : QUIRE_NOT_FOUND; });
}

int quire_clear(quire_table* table) {
  return guarded([&]() -> int {
    changing(table).clear();
    return QUIRE_OK;
  });
}
