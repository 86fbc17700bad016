// A history of transactions in which everything that a database holds follows from one number: how
// many of them were committed. Whoever opens the file afterwards can tell whether a commit is
// whole, lost, or half there.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "support/database_test.h"

namespace quire::test {

inline constexpr std::uint64_t kLedgerKeys = 50;
inline constexpr std::uint64_t kLedgerFill = 150;
inline constexpr std::uint64_t kLedgerBulk = 1300;  // too much for a record in a log of 1 MiB

inline std::string ledger_value(std::uint64_t number) {
  return pattern(number % 17 == 0 ? 30'000 + number % 5 * 7000 : number % 97 * 9, number);
}

inline bool ledger_erases(std::uint64_t number) { return number % 13 == 0; }

// The number of transactions of the history that are in the table.
inline std::uint64_t ledger_count(const TableView& table) {
  return std::stoull(std::string{table.get("count").value_or("0")});
}

// Adds the next transaction's changes; returns its number. Any process may, in turns.
inline std::uint64_t advance(Transaction& tx) {
  Table table = tx.table();
  const std::uint64_t number = ledger_count(table) + 1;
  table.put("count", std::to_string(number));
  if (ledger_erases(number)) {
    table.erase(big_endian(number % kLedgerKeys));
  } else {
    table.put(big_endian(number % kLedgerKeys), ledger_value(number));
  }
  if (number % 10 == 0) {
    Table fill = tx.table("fill");
    for (std::uint64_t i = 0; i < kLedgerFill; ++i) fill.put(big_endian(i), std::to_string(number));
  }
  if (number % 100 == 50) {
    Table bulk = tx.table("bulk");
    for (std::uint64_t i = 0; i < kLedgerBulk; ++i)
      bulk.put(big_endian(i), pattern(900, number + i));
  }
  if (number % 100 == 51) tx.table("bulk").clear();
  if (number % 40 == 20) tx.table("sometimes").put("made by", std::to_string(number));
  if (number % 40 == 0) tx.drop("sometimes");
  return number;
}

inline std::uint64_t advance(Database& db, Durability durability = Durability::full) {
  Transaction tx = db.begin();
  const std::uint64_t number = advance(tx);
  tx.commit(durability);
  return number;
}

// Fails the test unless the snapshot shows exactly the first `n` transactions, for some n. Returns
// n.
inline std::uint64_t expect_ledger(const Snapshot& snapshot) {
  const TableView table = snapshot.table();
  const std::uint64_t count = ledger_count(table);
  std::uint64_t entry_count = count > 0 ? 1 : 0;
  for (std::uint64_t key = 0; key < kLedgerKeys; ++key) {
    const std::uint64_t writer = count - (count + kLedgerKeys - key) % kLedgerKeys;
    const bool there = writer >= 1 && writer <= count && !ledger_erases(writer);
    entry_count += there ? 1 : 0;
    const std::optional<Bytes> got = table.get(big_endian(key));
    EXPECT_EQ(got.has_value(), there) << "key " << key << " at " << count;
    if (got && there) {
      EXPECT_TRUE(*got == ledger_value(writer)) << "key " << key << " at " << count;
    }
  }
  EXPECT_EQ(table.size(), entry_count) << "at " << count;
  const std::uint64_t filled = count - count % 10;
  EXPECT_EQ(snapshot.table("fill").size(), filled > 0 ? kLedgerFill : 0) << "at " << count;
  for (auto [key, value] : snapshot.table("fill")) {
    EXPECT_EQ(value, std::to_string(filled)) << "at " << count;
  }
  EXPECT_EQ(snapshot.table("bulk").size(), count % 100 == 50 ? kLedgerBulk : 0) << "at " << count;
  std::uint64_t bulk = count;
  for (auto [key, value] : snapshot.table("bulk")) EXPECT_TRUE(value == pattern(900, bulk++));
  EXPECT_EQ(snapshot.table("sometimes").size(), count % 40 >= 20 ? 1u : 0u) << "at " << count;
  return count;
}

inline std::uint64_t expect_ledger(const Database& db) { return expect_ledger(db.snapshot()); }

}  // namespace quire::test
