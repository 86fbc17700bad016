// A store of one peer that is filled with a dataset, and what turns on it share.
//
// Threads: one at a time.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "compare/data.h"
#include "compare/store.h"

namespace compare {

// A directory of its own, emptied at first and removed in the end, unless it is to be kept.
class Scratch {
 public:
  explicit Scratch(std::filesystem::path directory, bool is_kept = false);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  std::filesystem::path directory_;
  bool is_kept_;
};

// Bytes that the disk holds for the files in it.
std::uint64_t disk_bytes(const std::filesystem::path& directory);

// Writes out what the file system of `directory` holds in memory, and waits until threads of this
// process that work on after a call (compactions) have come to rest; ten seconds at most.
void come_to_rest(const std::filesystem::path& directory);

class Fixture {
 public:
  // A kept one is filled if it was, and not changed since.
  Fixture(const Peer& peer, const Dataset& dataset, std::filesystem::path directory, bool is_kept);

  const Peer& peer() const noexcept { return peer_; }
  const Dataset& dataset() const noexcept { return dataset_; }
  const std::filesystem::path& directory() const noexcept { return scratch_.directory(); }
  Opening opening(Durability durability) const;

  // Open and filled, and read through once since, so that caches and page tables are warm.
  Store& store(Durability durability);
  Session& session(Durability durability);
  void close() noexcept;

  // Before the entries are changed: what is kept is not what was loaded any more.
  void will_change() noexcept;

  // Empties it, fills it anew and closes it; returns the seconds that the load took, to the durable
  // end.
  double load(Order order);

  // Closes, and forgets what is in it: the next use fills it anew.
  void spoil() noexcept;
  void empty();  // the same, and removes it

 private:
  void open(Durability durability);
  std::filesystem::path mark() const;

  const Peer& peer_;
  const Dataset& dataset_;
  Scratch scratch_;
  bool is_filled_ = false;
  bool is_warm_ = false;
  std::optional<Durability> durability_;  // that it is open for
  std::unique_ptr<Store> store_;
  std::unique_ptr<Session> session_;  // ends before the store
};

}  // namespace compare
