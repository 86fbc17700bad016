#include <algorithm>
#include <array>
#include <span>

#include "capi/handles.h"

using namespace quire::capi;

namespace {

Listed listed(std::vector<std::string> names) {
  Listed made{std::move(names), {}};
  for (const std::string& name : made.names) made.bytes.push_back(handed_out(name));
  return made;
}

}  // namespace

int quire_snapshot_table(quire_snapshot* snapshot, quire_bytes name, quire_table** table) {
  return guarded([&]() -> int {
    require(snapshot, table);
    const quire::Bytes wanted = bytes(name);
    const quire::TableView opened = snapshot->snapshot.table(wanted);
    const std::lock_guard lock(snapshot->mutex);
    *table = handle_of(snapshot->tables, wanted, opened);
    return QUIRE_OK;
  });
}

int quire_txn_table(quire_txn* txn, quire_bytes name, quire_table** table) {
  return guarded([&]() -> int {
    require(table);
    quire_txn& within = own(txn);
    const quire::Bytes wanted = bytes(name);
    *table = handle_of(within.tables, wanted, within.transaction.table(wanted));
    return QUIRE_OK;
  });
}

int quire_drop(quire_txn* txn, quire_bytes name) {
  return guarded(
      [&]() -> int { return own(txn).transaction.drop(bytes(name)) ? QUIRE_OK : QUIRE_NOT_FOUND; });
}

int quire_tables(quire_snapshot* snapshot, const quire_bytes** names, size_t* count) {
  return guarded([&]() -> int {
    require(snapshot, names, count);
    (void)snapshot->snapshot.table();  // which a forked child may not
    const std::lock_guard lock(snapshot->mutex);
    if (!snapshot->listed) snapshot->listed = listed(snapshot->snapshot.tables());
    *names = snapshot->listed->bytes.data();
    *count = snapshot->listed->bytes.size();
    return QUIRE_OK;
  });
}

int quire_txn_tables(quire_txn* txn, const quire_bytes** names, size_t* count) {
  return guarded([&]() -> int {
    require(names, count);
    quire_txn& within = own(txn);
    within.listed = listed(within.transaction.tables());
    *names = within.listed.bytes.data();
    *count = within.listed.bytes.size();
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

int quire_estimate(const quire_table* table, const quire_bytes* first, const quire_bytes* limit,
                   uint64_t* count) {
  return guarded([&]() -> int {
    require(table, count);
    *count = table->view().estimate(bytes(first).value_or(quire::Bytes()), bytes(limit));
    return QUIRE_OK;
  });
}

int quire_nth(const quire_table* table, uint64_t index, quire_bytes* key, quire_bytes* value) {
  return guarded([&]() -> int {
    require(table);
    const quire::Cursor found = table->view().nth(index);
    if (found.at_end()) return QUIRE_NOT_FOUND;
    const quire::Bytes its_key = found.key();
    if (value != nullptr) *value = handed_out(found.value());
    if (key != nullptr) *key = handed_out(its_key);
    return QUIRE_OK;
  });
}

int quire_sample(const quire_table* table, size_t count, quire_bytes* keys, quire_bytes* values,
                 size_t* found) {
  return guarded([&]() -> int {
    require(table, found);
    const std::vector<quire::Cursor> sampled = table->view().sample(count);
    for (std::size_t i = 0; i < sampled.size(); ++i) {
      if (keys != nullptr) keys[i] = handed_out(sampled[i].key());
      if (values != nullptr) values[i] = handed_out(sampled[i].value());
    }
    *found = sampled.size();
    return QUIRE_OK;
  });
}

int quire_erase_range(quire_table* table, const quire_bytes* first, const quire_bytes* limit,
                      uint64_t* erased) {
  return guarded([&]() -> int {
    quire::Table& changed = changing(table);
    const quire::Bytes from = bytes(first).value_or(quire::Bytes());
    const std::optional<quire::Bytes> to = bytes(limit);
    store(erased, to ? changed.erase(from, *to)
                     : changed.erase(quire::Range(changed.lower_bound(from), changed.end())));
    return QUIRE_OK;
  });
}

int quire_erase_prefix(quire_table* table, quire_bytes prefix, uint64_t* erased) {
  return guarded([&]() -> int {
    store(erased, changing(table).erase_prefix(bytes(prefix)));
    return QUIRE_OK;
  });
}

int quire_replace(quire_table* table, quire_bytes key, quire_bytes value) {
  return guarded([&]() -> int {
    return changing(table).replace(bytes(key), bytes(value)) ? QUIRE_OK : QUIRE_NOT_FOUND;
  });
}

int quire_insert_or_get(quire_table* table, quire_bytes key, quire_bytes value,
                        quire_bytes* there) {
  return guarded([&]() -> int {
    require(there);
    const quire::Table::Got got = changing(table).insert_or_get(bytes(key), bytes(value));
    *there = handed_out(got.value);
    return got.is_new ? QUIRE_OK : QUIRE_EXISTS;
  });
}

int quire_take(quire_table* table, quire_bytes key, quire_bytes* value) {
  return guarded([&]() -> int {
    require(value);
    auto taken = changing(table).take(bytes(key));
    if (!taken) return QUIRE_NOT_FOUND;
    table->taken = *std::move(taken);
    *value = handed_out(table->taken);
    return QUIRE_OK;
  });
}

int quire_compare_and_swap(quire_table* table, quire_bytes key, const quire_bytes* expected,
                           const quire_bytes* desired) {
  return guarded([&]() -> int {
    const bool is_swapped =
        changing(table).compare_and_swap(bytes(key), bytes(expected), bytes(desired));
    return is_swapped ? QUIRE_OK : QUIRE_DIFFERENT;
  });
}

int quire_add(quire_table* table, quire_bytes key, int64_t delta, int64_t* sum) {
  return guarded([&]() -> int {
    const std::int64_t now = changing(table).add(bytes(key), delta);
    if (sum != nullptr) *sum = now;
    return QUIRE_OK;
  });
}
