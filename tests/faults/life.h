// A short life of a database with everything in it, lived while something fails; and what must be
// true afterwards, whatever it was.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "power/history.h"
#include "support/database_test.h"

namespace quire::test {

// What this process holds of files below a directory.
struct Holdings {
  std::uint64_t descriptors = 0;
  std::uint64_t mappings = 0;
  friend bool operator==(const Holdings&, const Holdings&) = default;
};

inline Holdings holdings(const std::filesystem::path& directory) {
  Holdings held;
  held.descriptors = static_cast<std::uint64_t>(std::distance(
      std::filesystem::directory_iterator{"/proc/self/fd"}, std::filesystem::directory_iterator{}));
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    held.mappings += line.find(directory.string()) != std::string::npos ? 1 : 0;
  }
  return held;
}

class Life {
 public:
  explicit Life(std::filesystem::path file) : file_(std::move(file)) {}

  std::uint64_t attempted() const noexcept { return attempted_; }
  std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  bool is_poisoned() const noexcept { return poisoned_; }

  // The first error that the life met, none if all went well.
  std::optional<Errc> error() const noexcept { return error_; }
  const std::string& text() const noexcept { return text_; }

  // Every step is tried whatever became of the one before. `afterwards(db)` runs before it closes.
  template <typename Afterwards>
  void live(std::uint64_t transactions, Afterwards&& afterwards) {
    std::optional<Database> db;
    step([&] { db.emplace(file_); });
    if (!db) return;
    for (std::uint64_t i = 0; i < transactions; ++i) {
      step([&] { commit(*db, i % 4 == 1 ? Durability::relaxed : Durability::full); });
      if (i == 7 || i == 31) step([&] { db->checkpoint(); });
      if (i == 9) step([&] { roll_back(*db); });
      if (i % 16 == 3) step([&] { read(*db); });
    }
    step([&] {
      const std::uint64_t newest = attempted_;
      db->sync();
      if (!poisoned_ && failed_commits_ == 0) acknowledged_ = newest;
    });
    afterwards(*db);
  }

 private:
  template <typename Step>
  void step(Step&& make) {
    try {
      make();
    } catch (const Error& error) {
      note(static_cast<Errc>(error.code().value()), error.what());
    } catch (const std::bad_alloc&) {
      note(Errc::no_space, "no memory");
    }
  }

  void note(Errc code, const char* text) {
    EXPECT_TRUE(!poisoned_ || code == Errc::poisoned) << "poisoned is for good: " << text;
    poisoned_ = poisoned_ || code == Errc::poisoned;
    if (error_) return;
    error_ = code;
    text_ = text;
  }

  void commit(Database& db, Durability durability) {
    Transaction tx = db.begin();
    const std::uint64_t number = history::advance(tx);
    attempted_ = std::max(attempted_, number);
    ++failed_commits_;
    tx.commit(durability);
    --failed_commits_;
    if (durability == Durability::full) acknowledged_ = number;
  }

  static void roll_back(Database& db) {
    Transaction tx = db.begin();
    for (std::uint64_t i = 0; i < 40; ++i)
      tx.table("left open").put(big_endian(i), pattern(9000, i));
  }

  // Readers go on whatever writers met.
  static void read(const Database& db) {
    const Snapshot now = db.snapshot();
    HistoryModel model;
    model.go_on_to(history::count_in(now.table()));
    model.expect_equals(now);
  }

  std::filesystem::path file_;
  std::uint64_t attempted_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t failed_commits_ = 0;
  bool poisoned_ = false;
  std::optional<Errc> error_;
  std::string text_;
};

// Opens what a life has left: nothing acknowledged is missing, it is sound, and can be written.
inline void expect_survives(const std::filesystem::path& file, const Life& life) {
  Database db{file};
  const Snapshot now = db.snapshot();
  const std::uint64_t count = history::count_in(now.table());
  EXPECT_GE(count, life.acknowledged());
  EXPECT_LE(count, life.attempted());
  HistoryModel model;
  model.go_on_to(count);
  model.expect_equals(now);
  expect_sound(db);
  Transaction tx = db.begin();
  EXPECT_EQ(history::advance(tx), count + 1);
  tx.commit(Durability::full);
}

// Nothing but the database and its lock file.
inline void expect_no_leftovers(const std::filesystem::path& file) {
  for (const auto& entry : std::filesystem::directory_iterator{file.parent_path()}) {
    EXPECT_TRUE(entry.path() == file || entry.path() == lock_file_of(file)) << entry.path();
  }
}

inline void remove_database(const std::filesystem::path& file) {
  std::filesystem::remove(file);
  std::filesystem::remove(lock_file_of(file));
}

}  // namespace quire::test
