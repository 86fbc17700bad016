// Putting entries. Most go into the tree at once. Rising keys at the tree's end are handed to an
// appender; from the 64th put in a row on others wait in memory until they are many, to be applied
// in the order of their keys. In the log they stand as they came, at once.
#include <quire/error.h>

#include "txn/transaction.h"

namespace quire::txn {
namespace {

// Fewer gain nothing from being put in order, and whoever reads after each put never waits.
constexpr std::uint32_t kPutsBeforeDeferring = 64;

// How many puts ahead the leaf is fetched: a fetch takes as long as a few puts into leaves that are
// there.
constexpr std::size_t kPutsAhead = 6;

}  // namespace

// Pages that this transaction has written may move under an argument that points into them.
std::string_view Transaction::out_of_map(std::string_view argument, std::string& copy) const {
  const auto* bytes = reinterpret_cast<const std::byte*>(argument.data());
  const std::byte* base = store_.data().read_base();
  if (std::less<>{}(bytes, base) || !std::less<>{}(bytes, base + store_.data().reserved_bytes()))
    return argument;
  copy.assign(argument);
  return copy;
}

void Transaction::log_put(const OpenTable& table, std::string_view key, std::string_view value) {
  try {
    log({.kind = format::OperationKind::put,
         .table_id = table.table_id,
         .key = key,
         .value = value});
  } catch (...) {
    is_broken_ = true;  // the entry is stored, and a record without it must not be committed
    throw;
  }
}

bool Transaction::put(OpenTable& table, std::string_view key, std::string_view value,
                      btree::PutMode mode) {
  require_usable();
  if (reserved_) [[unlikely]]
    put_reserved();
  const bool is_upsert = mode == btree::PutMode::upsert;
  if (deferred_ != nullptr) {
    if (is_upsert && defer(table, key, value)) return true;
    settle();
  }
  if (appender_.is_open() && append(table, key, value)) {
    log_put(table, key, value);
    return true;
  }
  require_sizes(key, value.size());
  require_table_room(table);
  const bool is_inline = format::is_inline(key.size(), value.size(), store_.facts().page_bytes);
  const bool found = locate(table, key);
  if (found && !is_upsert) return false;
  if (is_inline && !found && appender_.open_in_run(space_, table.tree, table.finger)) {
    appended_ = &table;
    if (append(table, key, value)) {
      log_put(table, key, value);
      return true;
    }
  }
  change(table, [&] {
    key = out_of_map(key, key_copy_);
    create_if_absent(table);
    room_for_one(table.tree, kPagesKept);
    is_inline ? put_inline(table, key, value, found) : put_extent(table, key, value, found);
    table.is_changed = true;
  });
  if (is_upsert) count_put(table);
  return !found;
}

void Transaction::put_inline(OpenTable& table, std::string_view key, std::string_view value,
                             bool found) {
  value = out_of_map(value, value_copy_);
  btree::put_at(space_, table.tree, table.finger, key, {value, nullptr}, found);
  log_put(table, key, value);
}

void Transaction::put_extent(OpenTable& table, std::string_view key, std::string_view value,
                             bool found) {
  const format::ExtentRef extent = store_extent(value);
  names_extents_ = true;
  room_for_one(table.tree, kPagesKept);
  btree::put_at(space_, table.tree, table.finger, key, {{}, &extent}, found);
  log({.kind = format::OperationKind::put_extent,
       .table_id = table.table_id,
       .key = key,
       .extent = extent});
}

// True when the entry belonged behind the last one of a run. Otherwise the run has ended.
bool Transaction::append(OpenTable& table, std::string_view key, std::string_view value) {
  using Outcome = btree::Appender::Outcome;
  const std::uint32_t page_bytes = store_.facts().page_bytes;
  if (&table != appended_ || key.size() > format::key_bytes_max(page_bytes) ||
      !format::is_inline(key.size(), value.size(), page_bytes)) {
    close_appender();
    return false;
  }
  return change(table, [&] {
    const Outcome outcome = appender_.append(key, value);
    if (outcome == Outcome::not_behind) {
      close_appender();
      return false;
    }
    if (outcome == Outcome::leaf_full) {
      room_for_one(table.tree, kPagesKept);
      appender_.append_in_fresh_leaf(key, value);
    }
    return true;
  });
}

void Transaction::close_appender() {
  try {
    appender_.close();
  } catch (const Error& error) {
    appender_.drop();
    is_broken_ = true;
    is_out_of_space_ = error.code() == Errc::no_space;
    throw;
  } catch (...) {
    appender_.drop();
    is_broken_ = true;
    throw;
  }
}

void Transaction::count_put(OpenTable& table) {
  if (last_put_ != &table) puts_in_row_ = 0;
  last_put_ = &table;
  if (++puts_in_row_ >= kPutsBeforeDeferring) deferred_ = &table;
}

// False when the put is none that may wait.
bool Transaction::defer(OpenTable& table, std::string_view key, std::string_view value) {
  const std::uint32_t page_bytes = store_.facts().page_bytes;
  if (&table != deferred_ || key.size() > format::key_bytes_max(page_bytes) ||
      !format::is_inline(key.size(), value.size(), page_bytes)) {
    return false;
  }
  if (!waiting_.has_room_for(key, value)) apply_deferred();
  return change(table, [&] {
    waiting_.add(key, value);
    log_put(table, key, value);
    return true;
  });
}

// They go into the tree as puts of their own would, in an order in which each finds its leaf near
// that of the one before.
void Transaction::apply_deferred() {
  OpenTable& table = *deferred_;
  waiting_.sort();
  change(table, [&] {
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      const std::string_view key = waiting_.key(i);
      const std::string_view value = waiting_.value(i);
      if (appender_.is_open() && append(table, key, value)) continue;
      if (i + kPutsAhead < waiting_.size())
        btree::prefetch_leaf(space_, table.finger, waiting_.key(i + kPutsAhead));
      const bool found = locate(table, key);
      if (!found && appender_.open_in_run(space_, table.tree, table.finger)) {
        appended_ = &table;
        if (append(table, key, value)) continue;
      }
      room_for_one(table.tree, kPagesKept);
      btree::put_at(space_, table.tree, table.finger, key, {value, nullptr}, found);
    }
  });
  waiting_.clear();
}

// As their savepoint, or the transaction, is rolled back.
void Transaction::drop_unsettled() noexcept {
  waiting_.clear();
  deferred_ = nullptr;
  puts_in_row_ = 0;
  appender_.drop();
  reserved_.reset();
}

void Transaction::settle_all() {
  if (deferred_ != nullptr) apply_deferred();
  deferred_ = nullptr;
  if (appender_.is_open()) close_appender();
}

}  // namespace quire::txn
