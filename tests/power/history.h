// A history of transactions that power cuts interrupt: what the database holds after the first n of
// them follows from n alone. Between them they do everything that reaches the disk in its own way:
// small records, extents, records of a third of the log, commits by checkpoint, tables that come
// and go, and enough data to make the file and its log grow.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <string>

#include "reference/model.h"
#include "support/database_test.h"
#include "support/random.h"

namespace quire::test {

namespace history {

inline constexpr std::uint64_t kKeys = 50;
inline constexpr std::uint64_t kWideEntries = 400;
inline constexpr std::uint64_t kWideLaps = 16;
inline constexpr std::uint64_t kBulkEntries = 1300;  // too much for a record in a log of 1 MiB

inline std::string value_of(std::uint64_t number) {
  const std::uint64_t size_bytes = number % 47 == 0  ? 300'000
                                   : number % 9 == 0 ? 30'000 + number % 5 * 7000
                                                     : number % 97 * 9;
  return pattern(size_bytes, number);
}

// Makes the changes of transaction `number` to whatever has put, erase, clear and drop.
template <typename Target>
void apply(Target& target, std::uint64_t number) {
  target.put("", "count", std::to_string(number));
  if (number % 13 == 0) {
    target.erase("", big_endian(number % kKeys));
  } else {
    target.put("", big_endian(number % kKeys), value_of(number));
  }
  if (number % 12 == 5) {
    const std::uint64_t lap = number / 12 % kWideLaps;
    for (std::uint64_t i = 0; i < kWideEntries; ++i) {
      target.put("wide", big_endian(lap * kWideEntries + i), pattern(850, number + i));
    }
  }
  if (number % 60 == 30) {
    for (std::uint64_t i = 0; i < kBulkEntries; ++i) {
      target.put("bulk", big_endian(i), pattern(900, number + i));
    }
  }
  if (number % 60 == 33) target.clear("bulk");
  if (number % 20 == 10) target.put("sometimes", "made by", std::to_string(number));
  if (number % 20 == 0) target.drop("sometimes");
}

// Targets of `apply`.
struct OnModel {
  Model& model;
  void put(Bytes table, const std::string& key, std::string value) {
    model.change(table)[key] = std::move(value);
  }
  void erase(Bytes table, const std::string& key) { model.change(table).erase(key); }
  void clear(Bytes table) { model.change(table).clear(); }
  void drop(Bytes table) { model.drop(table); }
};

struct OnTransaction {
  Transaction& tx;
  void put(Bytes table, Bytes key, Bytes value) { tx.table(table).put(key, value); }
  void erase(Bytes table, Bytes key) { tx.table(table).erase(key); }
  void clear(Bytes table) { tx.table(table).clear(); }
  void drop(Bytes table) { tx.drop(table); }
};

// Number of the history's transactions that the table holds.
inline std::uint64_t count_in(const TableView& table) {
  return std::stoull(std::string{table.get("count").value_or("0")});
}

// Makes the next transaction's changes; returns its number. Any process may, in turns.
inline std::uint64_t advance(Transaction& tx) {
  const std::uint64_t number = count_in(tx.table()) + 1;
  OnTransaction target{tx};
  apply(target, number);
  return number;
}

}  // namespace history

// What a database should hold: follows a history that only goes on.
class HistoryModel {
 public:
  std::uint64_t count() const noexcept { return count_; }

  void go_on_to(std::uint64_t count) {
    history::OnModel target{model_};
    while (count_ < count) history::apply(target, ++count_);
  }

  // Fails the test unless the snapshot shows exactly these tables and entries.
  void expect_equals(const Snapshot& snapshot) const {
    EXPECT_EQ(snapshot.tables(), model_.names()) << "after " << count_;
    expect_table(snapshot, "");
    for (const std::string& name : model_.names()) expect_table(snapshot, name);
  }

 private:
  void expect_table(const Snapshot& snapshot, const std::string& name) const {
    const TableView table = snapshot.table(name);
    const Model::Table& expected = model_.table(name);
    ASSERT_EQ(table.size(), expected.size()) << "table '" << name << "' after " << count_;
    auto wanted = expected.begin();
    for (auto [key, value] : table) {
      ASSERT_TRUE(wanted != expected.end()) << "table '" << name << "' after " << count_;
      ASSERT_EQ(key, wanted->first) << "table '" << name << "' after " << count_;
      ASSERT_TRUE(value == wanted->second)
          << "table '" << name << "' after " << count_ << ": the value of another transaction";
      ++wanted;
    }
    EXPECT_TRUE(wanted == expected.end()) << "table '" << name << "' after " << count_;
  }

  Model model_;
  std::uint64_t count_ = 0;
};

}  // namespace quire::test
