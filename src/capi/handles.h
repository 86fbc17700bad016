// What stands behind the handles of quire/c.h, and how exceptions become codes.
#pragma once

#include <quire/c.h>
#include <quire/quire.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

struct quire_table {
  std::variant<quire::TableView, quire::Table> table;

  const quire::TableView& view() const {
    const auto* changing = std::get_if<quire::Table>(&table);
    return changing != nullptr ? *changing : std::get<quire::TableView>(table);
  }
};

struct quire_db {
  quire::Database database;
};

namespace quire::capi {

// Tables by name, at places that last.
using Tables = std::map<std::string, quire_table, std::less<>>;

}  // namespace quire::capi

struct quire_snapshot {
  quire::Snapshot snapshot;
  std::mutex mutex = {};  // of what follows
  quire::capi::Tables tables = {};
  std::vector<std::string> names = {};
  std::vector<quire_bytes> listed = {};
};

struct quire_txn {
  quire::Transaction transaction;
  quire::capi::Tables tables = {};
  std::thread::id thread = std::this_thread::get_id();  // that began it
};

// A range, and a place in it, or before or behind it.
struct quire_cursor {
  enum class Place { before, inside, behind };

  quire::TableView table;
  quire::Cursor first;
  quire::Cursor limit;
  quire::Cursor at = {};
  Place place = Place::before;
};

namespace quire::capi {

// Keeps the text of the exception that is being handled, and gives its code.
int keep_exception() noexcept;

// Runs the body of a C function: what it returns, or the code of what it throws.
template <typename Body>
int guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    return keep_exception();
  }
}

// For handles and results that must not be null.
template <typename... Pointers>
void require(Pointers... pointers) {
  const bool is_any_null = (... || !pointers);
  if (is_any_null) throw Error(Errc::misuse, "a handle or result is null");
}

inline Bytes bytes(const quire_bytes& given) {
  if (given.data == nullptr && given.size != 0) throw Error(Errc::misuse, "bytes at null");
  return {static_cast<const char*>(given.data), given.size};
}

inline quire_bytes handed_out(Bytes bytes) noexcept {
  return {bytes.data() != nullptr ? bytes.data() : "", bytes.size()};
}

}  // namespace quire::capi
