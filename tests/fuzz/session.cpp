#include "fuzz/session.h"

#include <iterator>

#include "fuzz/verdict.h"
#include "fuzz/walk.h"

namespace quire::fuzz {
namespace {

constexpr int kOperationsMax = 150;

}  // namespace

Options fuzz_options() {
  Options options;
  options.create_if_missing = false;
  options.reserve = std::uint64_t{16} << 20;
  return options;
}

Session::Session(const std::filesystem::path& path, Program& program, Interference interfere)
    : path_(path), program_(program), interfere_(std::move(interfere)) {}

void Session::run() {
  if (!open()) return;
  for (int left = kOperationsMax; left > 0 && !program_.is_at_end() && database_; --left) operate();
  reopen();
  if (database_) step([&] { walk(*database_, is_sound_); });
  transaction_.reset();
  snapshot_.reset();
  database_.reset();
}

bool Session::open() {
  if (!step([&] { database_.emplace(path_, fuzz_options()); })) return false;
  const bool was_sound = is_sound_;
  judge_now();
  if (was_sound && !is_sound_ && !interfere_) finding("a sound database is damaged when reopened");
  return true;
}

void Session::reopen() {
  transaction_.reset();
  snapshot_.reset();
  database_.reset();
  open();
}

void Session::judge_now() {
  if (!database_ || transaction_) return;
  CheckReport report;
  const bool has_ended = step([&] {
    report = check(*database_);
    judge(report);
  });
  const bool was_sound = is_sound_;
  is_sound_ = has_ended && report.ok() && !interfere_;
  if (was_sound && has_ended && !report.ok()) {
    finding("a sound database is damaged by use: page " + std::to_string(report.faults[0].page) +
            ": " + report.faults[0].reason);
  }
}

// After an error a transaction is only good for being rolled back.
bool Session::step(const std::function<void()>& action) {
  const bool was_sound = is_sound_;
  std::string corrupt;
  const bool done = allowed([&] {
    try {
      action();
    } catch (const Error& error) {
      if (error.code() == Errc::corrupt) corrupt = error.what();
      throw;
    }
  });
  if (!done) transaction_.reset();
  if (was_sound && !corrupt.empty()) finding("check called it sound: " + corrupt);
  return done;
}

std::string Session::key() {
  const std::uint32_t kind = program_.below(8);
  if (kind < 3) return std::string(1, static_cast<char>(program_.byte()));
  if (kind == 3) return std::string(program_.word() % 2000, static_cast<char>(program_.byte()));
  if (kind == 4) return {};
  // One that exists.
  const std::string wanted(1 + program_.below(2), static_cast<char>(program_.byte()));
  const Table here = table();
  const Cursor found = here.lower_bound(wanted);
  if (found == here.end()) return wanted;
  std::string key(found.key());
  return kind == 5 ? key + "+" : key;
}

std::string Session::table_name() {
  const std::uint32_t kind = program_.below(8);
  if (kind < 4) return {};
  if (kind == 7) return std::string(1 + program_.byte(), 'n');
  const std::vector<std::string> names = transaction_->tables();
  return names.empty() ? "new" : names[program_.byte() % names.size()];
}

// Of a multimap's name the default table: what is done to multimaps, `change_pairs` does.
Table Session::table() {
  const std::string name = table_name();
  if (!transaction_->is_multimap(name)) return transaction_->table(name);
  change_pairs(name);
  return transaction_->table();
}

void Session::change_pairs(Bytes name) {
  Multimap map = transaction_->multimap(name);
  const std::string wanted(program_.below(3), static_cast<char>(program_.byte()));
  const std::string value(program_.below(4) * program_.byte(), 'v');
  const std::uint32_t kind = program_.below(8);
  if (kind < 3) {
    map.insert(wanted, value);
  } else if (kind == 3) {
    for (std::uint32_t left = program_.byte(); left > 0; --left) {
      map.insert(wanted, value + std::to_string(left));
    }
  } else if (kind < 6) {
    const PairCursor at = map.lower_bound(wanted, value);
    if (at != map.end()) map.erase(at.key(), at.value());
  } else if (kind == 6 && value.empty()) {
    map.erase(wanted);
  } else if (kind == 6) {
    map.erase_keys(wanted, value);
  } else {
    for (const Bytes each : map.values(wanted)) static_cast<void>(each.size());
  }
}

void Session::operate() {
  const std::uint32_t operation = program_.below(16);
  if (operation < 9) {
    step([&] { change_table(operation); });
  } else if (operation < 11) {
    step([&] { end_transaction(operation); });
  } else if (operation == 11) {
    step([&] { use_cursor(); });
  } else if (operation == 12) {
    step([&] { look(); });
  } else if (operation == 13) {
    if (!transaction_) judge_now();
  } else if (operation == 14) {
    if (program_.one_in(4)) reopen();
  } else if (interfere_) {
    interfere_(program_);
  }
}

void Session::change_table(std::uint32_t operation) {
  if (!transaction_) {
    savepoints_.clear();
    transaction_.emplace(database_->begin());
  }
  switch (operation) {
    case 0:
    case 1:
      return table().put(key(), std::string(program_.byte(), 'v'));
    case 2:
      return table().put(key(), std::string(program_.word() % 40'000, 'V'));
    case 3:
      table().insert(key(), std::string(program_.word() % 2000, 'i'));
      return;
    case 4:
    case 5:
    case 6:
      table().erase(key());
      return;
    case 7:
      if (program_.one_in(4)) return table().clear();
      if (program_.one_in(2)) return move_savepoints();
      table().erase(key(), key());
      return;
    default:
      if (const std::string name = table_name(); !name.empty() && name.size() <= 255) {
        transaction_->drop(name);
      }
      return;
  }
}

void Session::move_savepoints() {
  if (savepoints_.empty() || program_.one_in(2)) {
    savepoints_.push_back(transaction_->savepoint());
    return;
  }
  if (program_.one_in(2)) {
    savepoints_.back().release();
  } else {
    savepoints_.back().rollback();
  }
  savepoints_.pop_back();
}

void Session::end_transaction(std::uint32_t operation) {
  if (operation == 10) {
    if (!transaction_) database_->checkpoint();
    return;
  }
  if (!transaction_) return database_->sync();
  const std::uint32_t kind = program_.below(4);
  if (kind == 0) {
    transaction_->rollback();
  } else {
    transaction_->commit(kind == 1 ? Durability::full : Durability::relaxed);
  }
  transaction_.reset();
}

// Moves about in a snapshot or in the running transaction.
void Session::use_cursor() {
  const Snapshot now = database_->snapshot();
  const std::string wanted(program_.below(3), static_cast<char>(program_.byte()));
  const TableView view = transaction_ ? TableView(table()) : now.table("");
  Cursor cursor = program_.one_in(2) ? view.lower_bound(wanted) : view.upper_bound(wanted);
  for (std::uint32_t left = program_.below(16); left > 0; --left) {
    if (program_.one_in(2)) {
      if (cursor != view.end()) ++cursor;
    } else if (cursor != view.begin()) {
      --cursor;
    }
    if (cursor != view.end()) static_cast<void>(*cursor);
  }
}

void Session::look() {
  switch (program_.below(4)) {
    case 0:
      snapshot_.emplace(database_->snapshot());
      return;
    case 1:
      snapshot_.reset();
      return;
    case 2:
      static_cast<void>(stat(*database_));
      return;
    default:
      return walk(*database_, is_sound_);
  }
}

}  // namespace quire::fuzz
