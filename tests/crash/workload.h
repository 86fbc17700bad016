// What is done to a database until it crashes: short steps, each a transaction or an event.
//
// Threads: one.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "crash/history.h"
#include "crash/machine.h"

namespace quire::crash {

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
  flush_error,
  full_disk
};
inline constexpr std::size_t kStepCount = 17;
const char* name_of(Step step) noexcept;
std::string names_of(std::span<const Step> steps);

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
  Actor(Machine& machine, History& history, std::uint64_t first_number);
  ~Actor();

  void take(Step step);

  // Closes; a clean close makes everything durable.
  void finish();

 private:
  using Change = std::function<void(Transaction&, Model&)>;

  void commit(Durability durability, const Change& change);
  void put(Durability durability, std::size_t value_bytes);
  void erase();
  void toggle_table(bool is_there);
  void wrap();
  void bulk();
  void grow();
  void rollback();
  void toggle_reader();
  void checkpoint();
  void reopen();
  void kill();
  void restart_after_error();
  void open_again();
  void expect_reader_unchanged() const;
  std::string next_key();
  std::string next_value(std::size_t size_bytes);

  Machine& machine_;
  History& history_;
  std::uint64_t number_;
  std::optional<Snapshot> reader_;
  std::uint64_t reader_hash_ = 0;
};

}  // namespace quire::crash
