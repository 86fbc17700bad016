// Changes of multimaps: pairs come and go one by one, or all of a key at once.
#include <quire/error.h>

#include <limits>
#include <string>

#include "btree/multimap.h"
#include "txn/transaction.h"

namespace quire::txn {

void require_kind(const File& file, std::string_view name, bool is_multimap, bool wants_multimap) {
  if (is_multimap == wants_multimap) [[likely]]
    return;
  const std::string table = file.name() + ": table " + std::string(name);
  throw Error(Errc::misuse, is_multimap ? table + " is a multimap, not a table; use multimap()"
                                        : table + " is a table, not a multimap; use table()");
}

// A table that does not exist yet becomes what it is first used as.
void Transaction::require_kind(const OpenTable& table, bool wants_multimap) const {
  if (!table.exists || table.is_multimap == wants_multimap) [[likely]]
    return;
  txn::require_kind(store_, table.name, table.is_multimap, wants_multimap);
}

void Transaction::require_pair_sizes(std::string_view key, std::string_view value) const {
  require_sizes(key, 0);
  const std::size_t value_bytes_max = format::key_bytes_max(store_.facts().page_bytes);
  if (value.size() > value_bytes_max) {
    throw Error(Errc::too_large, store_.name() + ": a value of " + std::to_string(value.size()) +
                                     " bytes in a multimap; at most " +
                                     std::to_string(value_bytes_max));
  }
}

btree::PairFinger& Transaction::pair_finger_of(OpenTable& table) {
  if (table.finger_era != era_) {
    table.pair_finger.forget();
    table.finger_era = era_;
  }
  return table.pair_finger;
}

// How many they were says the leaf of their keys, which may contradict the catalogue. Each key that
// is left has a pair: a record with fewer pairs than keys would be written once and never be read.
void Transaction::lose_pairs(OpenTable& table, std::uint64_t count) const {
  if (count > table.pair_count || table.pair_count - count < table.tree.entry_count) {
    throw Error(Errc::corrupt, store_.name() + ": multimap " + table.name + " counts " +
                                   std::to_string(table.pair_count) +
                                   " pairs, its pages say more; restore from a copy");
  }
  table.pair_count -= count;
}

bool Transaction::insert_pair(OpenTable& table, std::string_view key, std::string_view value) {
  require_usable();
  settle();
  require_pair_sizes(key, value);
  require_table_room(table, true);
  key = out_of_map(key, key_copy_);
  value = out_of_map(value, value_copy_);
  btree::KeyValues values(space_, table.tree, pair_finger_of(table), key);
  if (values.locate(value)) return false;
  if (table.pair_count == std::numeric_limits<std::uint64_t>::max()) {
    throw Error(Errc::corrupt, store_.name() + ": multimap " + table.name +
                                   " counts more pairs than there can be; restore from a copy");
  }
  change(table, [&] {
    create_if_absent(table, true);
    room_for(values.pages_needed() + (is_replay_ ? 0 : kPagesKept));
    values.insert(value);
    ++table.pair_count;
    log({.kind = format::OperationKind::insert_pair,
         .table_id = table.table_id,
         .key = key,
         .value = value});
    table.is_changed = true;
  });
  return true;
}

bool Transaction::erase_pair(OpenTable& table, std::string_view key, std::string_view value) {
  require_usable();
  settle();
  require_kind(table, true);
  key = out_of_map(key, key_copy_);
  value = out_of_map(value, value_copy_);
  btree::KeyValues values(space_, table.tree, pair_finger_of(table), key);
  if (!values.locate(value)) return false;
  change(table, [&] {
    room_for(values.pages_needed());
    values.erase();
    lose_pairs(table, 1);
    log({.kind = format::OperationKind::erase_pair,
         .table_id = table.table_id,
         .key = key,
         .value = value});
    table.is_changed = true;
  });
  return true;
}

std::uint64_t Transaction::erase_values(OpenTable& table, std::string_view key) {
  require_usable();
  settle();
  require_kind(table, true);
  key = out_of_map(key, key_copy_);
  btree::KeyValues values(space_, table.tree, pair_finger_of(table), key);
  const std::uint64_t count = values.count();
  if (count == 0) return 0;
  change(table, [&] {
    deferred_room_for(values.value_pages() + values.pages_needed());
    room_for(values.pages_needed());
    values.erase_all();
    lose_pairs(table, count);
    log({.kind = format::OperationKind::erase, .table_id = table.table_id, .key = key});
    table.is_changed = true;
  });
  return count;
}

}  // namespace quire::txn
