// A database file that is small and yet has everything: a deep tree, named tables, extents, free
// pages, and if wanted a log with records in it. For tests that damage it byte by byte.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "format/meta.h"
#include "format/record.h"
#include "format/space_map.h"
#include "storage/data_file.h"
#include "support/database_test.h"

namespace quire::test {

inline constexpr std::uint32_t kSmallPageBytes = 4096;
inline constexpr std::uint32_t kSmallFilePages = 320;
inline constexpr std::uint64_t kSmallSeed = 0x5eed;

// Every table by name; "" is the default table.
using Tables = std::map<std::string, Entries>;

inline Tables tables_of(const Database& database) {
  const Snapshot now = database.snapshot();
  Tables all;
  all[""] = entries(now.table());
  for (const std::string& name : now.tables()) all[name] = entries(now.table(name));
  return all;
}

// An empty database with the smallest log, which creation would make larger.
inline void create_small_file(const std::filesystem::path& path) {
  constexpr std::uint32_t kReserved = format::kReservedBytes / kSmallPageBytes;
  constexpr std::uint32_t kLogPages = format::kLogBytesMin / kSmallPageBytes;
  format::Meta metas[2];
  metas[0].page_bytes = kSmallPageBytes;
  metas[0].checksum_seed = kSmallSeed;
  metas[0].sequence = metas[0].checkpoint = metas[0].txn = metas[0].id_base = 1;
  metas[0].page_count = kSmallFilePages;
  metas[0].map[0] = {kReserved, 1};
  metas[0].map[1] = {kReserved + 1, 1};
  metas[0].log = {kReserved + 2, kLogPages};
  metas[0].epoch = metas[0].clean = 1;
  metas[1] = metas[0];
  metas[1].sequence = 2;
  for (format::Meta& meta : metas) meta.checksum = format::meta_checksum(meta);

  std::vector<std::byte> map(kSmallPageBytes);
  for (std::uint32_t page = 0; page < kReserved + 2 + kLogPages; ++page) {
    format::map_words(map.data())[page / 64] |= std::uint64_t{1} << page % 64;
  }
  format::seal_map_page(map.data(), PageId{kReserved}, 0, 1, kSmallPageBytes, kSmallSeed);
  using Piece = storage::DataFile::Image::Piece;
  const Piece pieces[] = {
      {0, reinterpret_cast<const std::byte*>(&metas[0]), sizeof metas[0]},
      {format::kMetaOffset[1], reinterpret_cast<const std::byte*>(&metas[1]), sizeof metas[1]},
      {format::kReservedBytes, map.data(), map.size()}};
  ASSERT_TRUE(
      storage::DataFile::create(path,
                                {.size_bytes = std::uint64_t{kSmallFilePages} * kSmallPageBytes,
                                 .pieces = pieces,
                                 .piece_count = 3,
                                 .zeroed_offset = (kReserved + 2) * std::uint64_t{kSmallPageBytes},
                                 .zeroed_bytes = format::kLogBytesMin},
                                false));
}

// Keys in groups, each with a long stem of its own: long separators, few children in a branch, so
// that a hundred entries make three levels.
inline std::string stemmed(std::uint64_t number) {
  return pattern(700, number % 5) + big_endian(number / 5);
}

inline void fill_small_tables(Transaction& tx) {
  for (std::uint64_t i = 0; i < 70; ++i) tx.table().put(stemmed(i), pattern(200, i));
  for (std::uint64_t i = 0; i < 300; ++i) tx.table("named").put(big_endian(i), pattern(30, i));
  for (std::uint64_t i = 0; i < 4; ++i) {
    tx.table("large").put("value " + std::to_string(i), pattern(3000 + 2100 * i, i));
  }
}

// What the log holds behind the last checkpoint in `make_unclean`; commit by commit.
inline void change_small_tables(Transaction& tx, std::uint64_t commit) {
  if (commit == 0) tx.table().put(stemmed(3), "changed");
  if (commit == 1) tx.table("large").put("late value", pattern(5000, 99));
  if (commit == 2) tx.table("named").erase(big_endian(7));
  if (commit == 3) tx.table("new").put("a", "1");
  if (commit == 4) tx.table("named").put("last", pattern(100, 5));
}
inline constexpr std::uint64_t kSmallCommits = 5;

// A closed, clean database; returns what it holds.
inline Tables make_clean(const std::filesystem::path& path) {
  create_small_file(path);
  Database db{path};
  db.write(fill_small_tables);
  db.checkpoint();
  db.write([](Transaction& tx) {  // so that pages are freed and used anew
    for (std::uint64_t i = 0; i < 70; i += 3) tx.table().erase(stemmed(i));
    for (std::uint64_t i = 0; i < 300; i += 10) tx.table("named").put(big_endian(i), "anew");
  });
  return tables_of(db);
}

// A database as a power cut leaves it, its log with kSmallCommits records behind the checkpoint.
// Returns what it holds after each of them, the first being the state of the checkpoint.
inline std::vector<Tables> make_unclean(const std::filesystem::path& path) {
  const std::filesystem::path live = path.string() + ".live";
  std::vector<Tables> states{make_clean(live)};
  {
    Database db{live};
    for (std::uint64_t i = 0; i < kSmallCommits; ++i) {
      db.write([&](Transaction& tx) { change_small_tables(tx, i); });
      states.push_back(tables_of(db));
    }
    write_file(path, read_file(live));
  }
  std::filesystem::remove(live);
  std::filesystem::remove(lock_file_of(live));
  return states;
}

}  // namespace quire::test
