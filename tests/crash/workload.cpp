#include "crash/workload.h"

#include <array>
#include <utility>

#include "support/random.h"

namespace quire::crash {
namespace {

constexpr std::uint64_t kKeys = 8;
constexpr std::size_t kSmallValueBytes[] = {5, 40, 700};
constexpr std::size_t kLargeValueBytes = 9000;  // an extent of three pages
constexpr std::size_t kHugeValueBytes = 300'000;
constexpr std::uint64_t kWrapCommits = 4;
constexpr std::uint64_t kWrapPuts = 12;  // of 900 bytes: four such records fill 2/3 of the log
constexpr std::uint64_t kBulkPuts = 90;  // more than the log holds
constexpr std::size_t kBulkValueBytes = 900;

constexpr std::array<const char*, kStepCount> kNames = {
    "put",    "put_relaxed", "erase",      "large",       "large_relaxed", "table",
    "drop",   "grow",        "checkpoint", "wrap",        "bulk",          "rollback",
    "reader", "reopen",      "kill",       "flush_error", "full_disk"};

bool is_error_of_the_disk(const Error& error) {
  return error.code() == Errc::poisoned || error.code() == Errc::io;
}

}  // namespace

const char* name_of(Step step) noexcept { return kNames[static_cast<std::size_t>(step)]; }

std::string names_of(std::span<const Step> steps) {
  std::string names;
  for (const Step step : steps) names += (names.empty() ? "" : " ") + std::string{name_of(step)};
  return names;
}

Actor::Actor(Machine& machine, History& history, std::uint64_t first_number)
    : machine_(machine), history_(history), number_(first_number) {}

Actor::~Actor() = default;

void Actor::take(Step step) {
  try {
    switch (step) {
      case Step::put:
        put(Durability::full, kSmallValueBytes[number_ % 3]);
        break;
      case Step::put_relaxed:
        put(Durability::relaxed, kSmallValueBytes[number_ % 3]);
        break;
      case Step::erase:
        erase();
        break;
      case Step::large:
        put(Durability::full, kLargeValueBytes);
        break;
      case Step::large_relaxed:
        put(Durability::relaxed, kLargeValueBytes);
        break;
      case Step::table:
        toggle_table(true);
        break;
      case Step::drop:
        toggle_table(false);
        break;
      case Step::grow:
        grow();
        break;
      case Step::checkpoint:
        checkpoint();
        break;
      case Step::wrap:
        wrap();
        break;
      case Step::bulk:
        bulk();
        break;
      case Step::rollback:
        rollback();
        break;
      case Step::reader:
        toggle_reader();
        break;
      case Step::reopen:
        reopen();
        break;
      case Step::kill:
        kill();
        break;
      case Step::flush_error:
        machine_.seam().fail_flush_after(number_++ % 3);
        break;
      case Step::full_disk:
        machine_.seam().limit_bytes(machine_.drive().state().length() * kPageBytes);
        break;
    }
  } catch (const Error& error) {
    if (!is_error_of_the_disk(error)) throw;
    restart_after_error();
  }
  expect_reader_unchanged();
}

void Actor::finish() {
  machine_.seam().forget_error();
  machine_.seam().limit_bytes(0);
  reader_.reset();
  machine_.close();
}

void Actor::commit(Durability durability, const Change& change) {
  Model next = history_.newest();
  Transaction transaction = machine_.database().begin();
  try {
    change(transaction, next);
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) return;
    throw;
  }
  if (hash_of(next) == hash_of(history_.newest())) {
    transaction.commit(durability);  // of nothing: no id is used, nothing becomes durable
    return;
  }
  history_.attempt(std::move(next));
  const std::uint64_t txn = transaction.txn();
  const std::uint64_t visible_before = machine_.seam().visible_count();
  try {
    transaction.commit(durability);
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) {
      history_.refused();
      return;
    }
    history_.failed();
    if (machine_.seam().visible_count() > visible_before) history_.remember_id(txn);
    throw;
  }
  history_.returned(txn, durability == Durability::full);
}

std::string Actor::next_key() { return "key " + std::to_string(number_ % kKeys); }

std::string Actor::next_value(std::size_t size_bytes) {
  return test::pattern(size_bytes, ++number_);
}

void Actor::put(Durability durability, std::size_t value_bytes) {
  commit(durability, [&](Transaction& transaction, Model& model) {
    const std::string key = next_key();
    const std::string value = next_value(value_bytes);
    transaction.table().put(key, value);
    model.change("")[key] = value;
  });
}

void Actor::erase() {
  commit(Durability::full, [&](Transaction& transaction, Model& model) {
    Model::Table& table = model.change("");
    if (table.empty()) return;
    auto victim = table.begin();
    std::advance(victim, static_cast<std::ptrdiff_t>(number_++ % table.size()));
    transaction.table().erase(victim->first);
    table.erase(victim);
  });
}

void Actor::toggle_table(bool is_there) {
  commit(Durability::full, [&](Transaction& transaction, Model& model) {
    if (!is_there) {
      transaction.drop("named");
      model.drop("named");
      return;
    }
    const std::string key = next_key();
    const std::string value = next_value(60);
    transaction.table("named").put(key, value);
    model.change("named")[key] = value;
  });
}

// Commits that fill the log, so that it wraps and checkpoints become due.
void Actor::wrap() {
  for (std::uint64_t index = 0; index < kWrapCommits; ++index) {
    commit(Durability::relaxed, [&](Transaction& transaction, Model& model) {
      for (std::uint64_t entry = 0; entry < kWrapPuts; ++entry) {
        const std::string key = "wrap " + std::to_string(entry);
        const std::string value = next_value(kBulkValueBytes);
        transaction.table().put(key, value);
        model.change("")[key] = value;
      }
    });
  }
}

// Too much for the log: committed by a checkpoint.
void Actor::bulk() {
  commit(Durability::full, [&](Transaction& transaction, Model& model) {
    const std::string value = next_value(kBulkValueBytes);
    for (std::uint64_t entry = 0; entry < kBulkPuts; ++entry) {
      const std::string key = "bulk " + std::to_string(entry);
      transaction.table("bulk").put(key, value);
      model.change("bulk")[key] = value;
    }
  });
  commit(Durability::full, [&](Transaction& transaction, Model& model) {
    transaction.drop("bulk");
    model.drop("bulk");
  });
}

void Actor::grow() { put(Durability::full, kHugeValueBytes); }

void Actor::rollback() {
  Transaction transaction = machine_.database().begin();
  try {
    transaction.table().put("never", next_value(kLargeValueBytes));
    transaction.table("named").put("never", "");
    transaction.table().erase(next_key());
  } catch (const Error& error) {
    if (error.code() != Errc::no_space) throw;
  }
  transaction.rollback();
}

void Actor::toggle_reader() {
  if (reader_) {
    reader_.reset();
    return;
  }
  reader_.emplace(machine_.database().snapshot());
  reader_hash_ = hash_of(*reader_);
}

void Actor::expect_reader_unchanged() const {
  if (reader_ && hash_of(*reader_) != reader_hash_) {
    throw Failure("an open snapshot has changed");
  }
}

void Actor::checkpoint() {
  machine_.database().checkpoint();
  history_.all_durable();
}

void Actor::reopen() {
  reader_.reset();
  machine_.close();
  open_again();
}

void Actor::kill() {
  reader_.reset();
  machine_.kill();
  open_again();
}

void Actor::restart_after_error() {
  machine_.seam().limit_bytes(0);
  reopen();
}

// A flush that fails while the database is being opened is an error of that opening; the next one
// starts over.
void Actor::open_again() {
  machine_.seam().limit_bytes(0);
  try {
    machine_.open();
  } catch (const Error& error) {
    if (!is_error_of_the_disk(error)) throw;
    machine_.open();
  }
  const Snapshot snapshot = machine_.database().snapshot();
  const Window window = history_.window();
  // A kill costs nothing that was committed, unless the disk has failed before.
  const std::size_t oldest = machine_.seam().has_failed() ? window.acknowledged : window.returned;
  const auto found = history_.find(hash_of(snapshot), oldest, window.attempted);
  if (!found) throw Failure("opened again, the database holds none of the states that it may");
  history_.recovered(*found);
}

}  // namespace quire::crash
