// What stands behind the handles of quire/c.h, and how exceptions become codes.
#pragma once

#include <quire/c.h>
#include <quire/quire.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace quire::capi {

// A table or multimap as it can be read, whether it can also be changed or not.
template <typename View, typename Changing>
const View& view_of(const std::variant<View, Changing>& either) {
  const auto* changing = std::get_if<Changing>(&either);
  return changing != nullptr ? *changing : std::get<View>(either);
}

}  // namespace quire::capi

struct quire_table {
  std::variant<quire::TableView, quire::Table> table;
  std::string taken = {};                                             // by quire_take
  std::shared_ptr<const bool> life = std::make_shared<const bool>();  // see quire::capi::Owner

  bool is_of_transaction() const { return std::holds_alternative<quire::Table>(table); }
  const quire::TableView& view() const { return quire::capi::view_of(table); }
};

struct quire_multimap {
  std::variant<quire::MultimapView, quire::Multimap> multimap;

  const quire::MultimapView& view() const { return quire::capi::view_of(multimap); }
};

struct quire_db {
  quire::Database database;
};

namespace quire::capi {

// Tables and multimaps by name, at places that last.
template <typename Handle>
using ByName = std::map<std::string, Handle, std::less<>>;

// Names that were handed out.
struct Listed {
  std::vector<std::string> names;
  std::vector<quire_bytes> bytes;
};

}  // namespace quire::capi

struct quire_snapshot {
  quire::Snapshot snapshot;
  std::mutex mutex = {};  // of what follows; in a forked child maybe nobody's to release
  quire::capi::ByName<quire_table> tables = {};
  quire::capi::ByName<quire_multimap> multimaps = {};
  std::optional<quire::capi::Listed> listed = {};
};

struct quire_savepoint {
  quire_txn* txn;
  quire::Savepoint savepoint;
};

struct quire_txn {
  quire::Transaction transaction;
  quire::capi::ByName<quire_table> tables = {};
  quire::capi::ByName<quire_multimap> multimaps = {};
  quire::capi::Listed listed = {};
  std::vector<std::unique_ptr<quire_savepoint>> savepoints = {};  // that were not released
  std::thread::id thread = std::this_thread::get_id();            // that began it
};

// A place in a range, or before or behind it. The functions move, store the entry there and return
// a code, or change the entry where the cursor stands; all require a cursor that is valid.
struct quire_cursor {
  virtual ~quire_cursor() = default;
  virtual void require_valid() const = 0;
  virtual int first(quire_bytes* key, quire_bytes* value) = 0;
  virtual int last(quire_bytes* key, quire_bytes* value) = 0;
  virtual int next(quire_bytes* key, quire_bytes* value) = 0;
  virtual int previous(quire_bytes* key, quire_bytes* value) = 0;
  virtual int next_key(quire_bytes* key, quire_bytes* value) = 0;
  virtual int seek(quire::Bytes wanted, quire_bytes* key, quire_bytes* value) = 0;
  virtual void put(quire::Bytes value) = 0;
  virtual void erase() = 0;
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
  if (is_any_null) throw Error(Errc::misuse, "a handle or result is null; pass one");
}

inline bool is_anothers(const quire_txn& txn) noexcept {
  return txn.thread != std::this_thread::get_id();
}

[[noreturn]] inline void refuse_thread() {
  throw Error(Errc::misuse, "a transaction stays on the thread that began it");
}

// The transaction, which must be one of this thread.
inline quire_txn& own(quire_txn* txn) {
  require(txn);
  if (is_anothers(*txn)) refuse_thread();
  return *txn;
}

// Of a handle with an end of its own, made from a table: whether that table, and so its snapshot or
// transaction, is still there. Knows nothing of them that could be gone.
class Owner {
 public:
  explicit Owner(const quire_table& table) : life_(table.life) {
    if (table.is_of_transaction()) thread_ = std::this_thread::get_id();
  }

  void require_there() const {
    if (thread_ && *thread_ != std::this_thread::get_id()) refuse_thread();
    if (life_.expired()) {
      throw Error(Errc::misuse, "used after its snapshot or transaction has ended");
    }
  }

 private:
  std::weak_ptr<const bool> life_;
  std::optional<std::thread::id> thread_;
};

[[noreturn]] inline void refuse_change(const std::string& kind) {
  throw Error(Errc::read_only, "the " + kind + " is that of a snapshot; ask quire_txn_" + kind +
                                   " for one that can change");
}

// The table or multimap, which must be one that can change.
inline Table& changing(quire_table* table) {
  require(table);
  auto* const found = std::get_if<Table>(&table->table);
  if (found == nullptr) refuse_change("table");
  return *found;
}
inline Multimap& changing(quire_multimap* multimap) {
  require(multimap);
  auto* const found = std::get_if<Multimap>(&multimap->multimap);
  if (found == nullptr) refuse_change("multimap");
  return *found;
}

inline Bytes bytes(const quire_bytes& given) {
  if (given.data == nullptr && given.size != 0) {
    throw Error(Errc::misuse, "bytes at null; null needs size 0");
  }
  return {static_cast<const char*>(given.data), given.size};
}

// Null is nothing.
inline std::optional<Bytes> bytes(const quire_bytes* given) {
  if (given == nullptr) return std::nullopt;
  return bytes(*given);
}

inline quire_bytes handed_out(Bytes bytes) noexcept {
  return {bytes.data() != nullptr ? bytes.data() : "", bytes.size()};
}

// Of a struct that the caller fills: what is left for later versions.
template <std::size_t kCount>
void require_zeros(const std::uint8_t (&zeros)[kCount], const char* name) {
  if (std::any_of(std::begin(zeros), std::end(zeros),
                  [](std::uint8_t byte) { return byte != 0; })) {
    throw Error(Errc::misuse, std::string(name) +
                                  ": a field has a value that this version does not know; "
                                  "set all that is not used to 0");
  }
}

inline void store(std::uint64_t* result, std::uint64_t number) noexcept {
  if (result != nullptr) *result = number;
}

// The handle of that name, which was opened again also where it is known: what refuses a new one,
// like a table of the other kind or a broken transaction, refuses it as well.
template <typename Handle, typename Opened>
Handle* handle_of(ByName<Handle>& handles, Bytes name, Opened opened) {
  auto known = handles.find(name);
  if (known == handles.end()) known = handles.emplace(name, Handle{std::move(opened)}).first;
  return &known->second;
}

}  // namespace quire::capi
