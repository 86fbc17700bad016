// What every store can be asked to do. A store is one file `store_NAME.cpp`, and its name in
// peers.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "compare/data.h"

namespace compare {

// What a committed transaction survives.
enum class Durability : std::uint8_t {
  full,    // a power cut
  relaxed  // the end of the process
};

// What reads share a snapshot (or whatever the store has in its place).
enum class Scope : std::uint8_t { all, each };

enum class Direction : std::uint8_t { forward, backward };

// Entries that were found, and a sum over bytes of them, so that no compiler skips the reading.
struct Seen {
  std::uint64_t entry_count = 0;
  std::uint64_t sum = 0;

  void value(Bytes value) noexcept {
    ++entry_count;
    if (!value.empty()) sum += static_cast<unsigned char>(value.front());
  }
  void copy(Bytes value_bytes, std::span<char> to) noexcept {
    std::memcpy(to.data(), value_bytes.data(), std::min(value_bytes.size(), to.size()));
    value(value_bytes);
  }
  void entry(Bytes key, Bytes value_bytes) noexcept {
    if (!key.empty()) sum += static_cast<unsigned char>(key.back());
    value(value_bytes);
  }
};

// One thread's way into an open store. Every failure throws std::runtime_error.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  virtual Seen get(std::span<const Bytes> keys, Scope scope) = 0;

  // The same in calls of `batch` keys each, where the store has such a call.
  virtual Seen get_many(std::span<const Bytes> keys, std::size_t batch);

  // Copies each value to the beginning of `copy`, unless the store has itself put it into memory
  // of the caller.
  virtual Seen get_copies(std::span<const Bytes> keys, std::span<char> copy) = 0;

  // Begins and ends so many snapshots, or what the store has in their place.
  virtual void snapshots(std::uint64_t count) = 0;

  // Reads from one end, `count_max` entries at most.
  virtual Seen scan(Direction direction, std::uint64_t count_max) = 0;

  // From each key's lower bound on, `length` entries at most each; one snapshot.
  virtual Seen ranges(std::span<const Bytes> starts, std::uint64_t length) = 0;

  // One committed transaction, as durable as the store was opened for.
  virtual void put(std::span<const Entry> entries) = 0;
  virtual void erase(std::span<const Bytes> keys) = 0;

  // Puts everything into the empty store, in the way that its documentation recommends, with one
  // transaction where it can; durable in the end.
  virtual void load(const Source& source) = 0;
};

// An open store.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;  // closes it

  virtual std::unique_ptr<Session> session() = 0;  // ends before the store

  // Makes everything durable, and writes what is to be written at some time anyway.
  virtual void settle() {}
};

struct Opening {
  std::filesystem::path directory;  // exists
  Durability durability = Durability::full;
  KeyShape shape = KeyShape::random;
  std::uint64_t data_bytes = 0;  // that it will hold, about
};

struct Peer {
  std::string name;
  std::string settings;                  // version and options, for the output
  bool many_processes = false;           // may open one store at once
  bool only_writes_differ = false;       // from those of the peer before it
  std::vector<std::string> cannot = {};  // workloads that are nothing for it
  std::unique_ptr<Store> (*open)(const Opening& opening) = nullptr;
};

// quire first; what this program was built without is missing.
const std::vector<Peer>& all_peers();

inline void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

}  // namespace compare
