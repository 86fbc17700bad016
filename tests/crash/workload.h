// What is done to a database until it crashes: short steps, each a transaction or an event.
//
// Threads: one.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "crash/history.h"
#include "crash/machine.h"
#include "support/random.h"

namespace quire::crash {

using test::Random;

enum class Step : std::uint8_t {
  put,
  put_relaxed,
  erase,
  large,
  large_relaxed,
  table,
  drop,
  grow,
  checkpoint,
  wrap,
  bulk,
  rollback,
  reader,
  reopen,
  kill,
  disk_error,
  full_disk,
  death,
  late_publication,
  pairs
};
inline constexpr std::size_t kStepCount = 20;
const char* name_of(Step step) noexcept;
std::string names_of(std::span<const Step> steps);

// One change of a table; without a value the key goes, or all from it on that are before `limit`;
// without a key the whole table.
struct Edit {
  enum class What : std::uint8_t { entry, new_pair, old_pair, keys_of_pairs };
  std::string table;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::optional<std::string> limit = std::nullopt;
  What what = What::entry;
};
using Edits = std::vector<Edit>;

// Something is not as promised.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Takes steps on an open database and keeps its history. An error that a step provokes is answered
// as an application would: the database is closed and opened anew. Throws Failure when what is then
// there is none of the states that may be.
class Actor {
 public:
  // `first_number` decides what is put, `random` who dies where.
  Actor(Machine& machine, History& history, std::uint64_t first_number, const Random& random);
  ~Actor();

  void take(Step step);

  // Closes; a clean close makes everything durable.
  void finish();

 private:
  void perform(Step step);
  void commit(Durability durability, const Edits& edits);
  void wrap();
  void bulk();
  void rollback();
  void toggle_reader();
  void checkpoint();
  void reopen();
  void kill();
  void death();
  void die_in_child(const Edits& edits, Durability durability);
  void settle_after_death();
  void late_publication();
  void commit_and_die_in_child(const Edits& edits);
  void take_room_in_child();
  void insist();
  void restart_after_error();
  void open_again();
  void expect_reader_unchanged() const;

  Edits put(std::size_t value_bytes);
  Edits erase();
  Edits put_into_named();
  Edits change_pairs();
  Edits many(const std::string& table, std::uint64_t count);
  std::string next_key() const;
  std::string next_value(std::size_t size_bytes);

  Machine& machine_;
  History& history_;
  std::uint64_t number_;
  Random random_;
  std::optional<Snapshot> reader_;
  std::uint64_t reader_hash_ = 0;
};

}  // namespace quire::crash
