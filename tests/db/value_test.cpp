// Large values in place: reserved, written and read in pieces, located in the file.
#include <quire/quire.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include "support/database_test.h"

namespace quire::test {
namespace {

using Reserved = DatabaseTest;
using ValueWriters = DatabaseTest;
using ValueReaders = DatabaseTest;
using Located = DatabaseTest;

constexpr std::size_t kLarge = 300'000;

std::string pattern(std::size_t size_bytes, unsigned seed = 1) {
  std::string text(size_bytes, '\0');
  for (std::size_t i = 0; i < size_bytes; ++i) {
    text[i] = static_cast<char>((i * 31 + (i >> 8) * 7 + seed) & 0xff);
  }
  return text;
}

void fill(std::span<std::byte> room, const std::string& text) {
  ASSERT_EQ(room.size(), text.size());
  if (!room.empty()) std::memcpy(room.data(), text.data(), text.size());
}

std::string read_all(ValueReader& reader, std::size_t step) {
  std::string text;
  for (Bytes piece = reader.next(step); !piece.empty(); piece = reader.next(step)) text += piece;
  return text;
}

// What recovery makes of the file as it is now: the last checkpoint and the log.
Entries recovered(const std::filesystem::path& file, Bytes table = {}) {
  const std::filesystem::path other = file.string() + ".recovered";
  std::filesystem::copy_file(file, other, std::filesystem::copy_options::overwrite_existing);
  const Database db{other};
  expect_sound(db);
  return entries(db, table);
}

TEST_F(Reserved, RoomThatIsFilledIsTheValue) {
  Database db{file_};
  for (const std::size_t size_bytes : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, kLarge}) {
    const std::string key = std::to_string(size_bytes);
    db.write([&](Transaction& tx) {
      Table table = tx.table("values");
      fill(table.reserve(key, size_bytes), pattern(size_bytes));
    });
    EXPECT_EQ(entries(db, "values").at(key), pattern(size_bytes));
  }
  EXPECT_EQ(recovered(file_, "values"), entries(db, "values"));
}

TEST_F(Reserved, WhatIsNotFilledReadsAsZerosNotAsOldBytes) {
  Database db{file_};
  constexpr int kValueCount = 20;  // more than are free without those that were erased
  db.write([](Transaction& tx) {
    Table table = tx.table();
    for (int i = 0; i < kValueCount; ++i) table.put(std::to_string(i), std::string(kLarge, 's'));
  });
  db.write([](Transaction& tx) { tx.table().clear(); });
  db.checkpoint();
  db.write([](Transaction& tx) {
    Table table = tx.table();
    for (int i = 0; i < kValueCount; ++i) table.reserve(std::to_string(i), kLarge);
    table.reserve("short", 100);
  });
  for (const auto& [key, value] : entries(db)) {
    EXPECT_EQ(value, std::string(value.size(), '\0')) << key;
  }
}

TEST_F(Reserved, TheNextCallTakesItAsItIsThen) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    fill(table.reserve("a", kLarge), pattern(kLarge));
    EXPECT_EQ(table.get("a"), pattern(kLarge));
    EXPECT_EQ(table.size(), 1u);
    fill(table.reserve("b", kLarge), pattern(kLarge, 2));
    fill(table.reserve("c", kLarge), pattern(kLarge, 3));
    EXPECT_TRUE(table.erase("c"));
  });
  EXPECT_EQ(entries(db), (Entries{{"a", pattern(kLarge)}, {"b", pattern(kLarge, 2)}}));
  EXPECT_EQ(recovered(file_), entries(db));
}

TEST_F(Reserved, LaterChangesOfTheSameKeyCome) {
  Database db{file_};
  db.put("key", "before");
  db.write([](Transaction& tx) {
    Table table = tx.table();
    fill(table.reserve("key", kLarge), pattern(kLarge));
    table.put("key", "after");
    fill(table.reserve("other", kLarge), pattern(kLarge));
    Table dropped = tx.table("dropped");
    fill(dropped.reserve("key", kLarge), pattern(kLarge));
    EXPECT_TRUE(tx.drop("dropped"));
  });
  EXPECT_EQ(entries(db), (Entries{{"key", "after"}, {"other", pattern(kLarge)}}));
  EXPECT_EQ(recovered(file_), entries(db));
  EXPECT_TRUE(db.snapshot().tables().empty());
}

TEST_F(Reserved, AfterSortedInputTheOrderIsThatOfTheCalls) {
  Database db{file_};
  Entries expected;
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    for (int i = 0; i < 3000; ++i) {
      const std::string key = "key" + std::to_string(10000 + i);
      if (i % 100 == 50) {
        fill(table.reserve(key, 5000), pattern(5000));
        expected[key] = pattern(5000);
      } else {
        table.put(key, "short");
        expected[key] = "short";
      }
    }
  });
  EXPECT_EQ(entries(db), expected);
  EXPECT_EQ(recovered(file_), expected);
}

TEST_F(Reserved, RollbackLeavesNothing) {
  Database db{file_};
  db.put("key", "before");
  {
    Transaction tx = db.begin();
    Table table = tx.table();
    fill(table.reserve("key", kLarge), pattern(kLarge));
  }
  EXPECT_EQ(db.get("key"), "before");
}

TEST_F(Reserved, WithoutAnyOtherChangeIsCommitted) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table("only");
  table.reserve("key", kLarge);
  tx.commit();
  EXPECT_EQ(entries(db, "only").size(), 1u);
}

TEST_F(Reserved, CursorsPlacedBeforeRefuseAfterwards) {
  Database db{file_};
  db.put("a", "1");
  Transaction tx = db.begin();
  Table table = tx.table();
  const Cursor cursor = table.begin();
  table.reserve("b", kLarge);
  EXPECT_EQ(errc_of([&] { static_cast<void>(cursor.key()); }), Errc::misuse);
}

TEST_F(Reserved, MoreThanTheFileCanHoldIsRefused) {
  Database db{file_, {.reserve = std::uint64_t{64} << 20}};
  Transaction tx = db.begin();
  Table table = tx.table();
  EXPECT_EQ(errc_of([&] { table.reserve("key", std::uint64_t{1} << 40); }), Errc::too_large);
  EXPECT_EQ(errc_of([&] { table.reserve(std::string(5000, 'k'), 10); }), Errc::too_large);
  EXPECT_EQ(errc_of([&] { table.reserve("key", std::uint64_t{63} << 20); }), Errc::no_space);
}

TEST_F(ValueWriters, PiecesOfAnyLengthMakeTheValue) {
  Database db{file_};
  const std::string text = pattern(kLarge);
  for (const std::size_t step : {std::size_t{1}, std::size_t{4096}, std::size_t{70'001}, kLarge}) {
    const std::size_t size_bytes = step == 1 ? 5000 : kLarge;
    db.write([&](Transaction& tx) {
      Table table = tx.table();
      ValueWriter writer = table.writer(std::to_string(step), size_bytes);
      for (std::size_t at = 0; at < size_bytes; at += step) {
        writer.write(Bytes(text).substr(at, std::min(step, size_bytes - at)));
      }
      EXPECT_EQ(writer.written_bytes(), writer.size_bytes());
      writer.finish();
    });
    EXPECT_EQ(db.get(std::to_string(step)), text.substr(0, size_bytes));
  }
  EXPECT_EQ(recovered(file_), entries(db));
}

TEST_F(ValueWriters, SeveralAreWrittenBesideOtherChanges) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    Table other = tx.table("other");
    ValueWriter first = table.writer("first", kLarge);
    ValueWriter second = other.writer("second", kLarge);
    ValueWriter small = table.writer("small", 10);
    for (std::size_t at = 0; at < kLarge; at += 1000) {
      first.write(Bytes(pattern(kLarge)).substr(at, 1000));
      second.write(Bytes(pattern(kLarge, 2)).substr(at, 1000));
      table.put("between" + std::to_string(at), "x");
    }
    EXPECT_FALSE(table.contains("first"));
    second.finish();
    small.write("0123456789");
    small.finish();
    first.finish();
    EXPECT_TRUE(table.contains("first"));
  });
  EXPECT_EQ(entries(db).at("first"), pattern(kLarge));
  EXPECT_EQ(entries(db).at("small"), "0123456789");
  EXPECT_EQ(entries(db, "other").at("second"), pattern(kLarge, 2));
  EXPECT_EQ(recovered(file_), entries(db));
}

TEST_F(ValueWriters, OneThatIsNotFinishedIsGivenUp) {
  Database db{file_};
  db.put("key", "before");
  for (int round = 0; round < 3; ++round) {
    Transaction tx = db.begin();
    Table table = tx.table();
    ValueWriter writer = table.writer("key", kLarge);
    writer.write(pattern(1000));
    if (round != 2) table.put("other", std::to_string(round));
    tx.commit();
    EXPECT_EQ(errc_of([&] { writer.write("more"); }), Errc::misuse);
    EXPECT_EQ(db.get("key"), "before");
    expect_sound(db);
  }
}

TEST_F(ValueWriters, TooFewAndTooManyBytesAreRefusedAndMended) {
  Database db{file_};
  db.write([](Transaction& tx) {
    Table table = tx.table();
    ValueWriter writer = table.writer("key", kLarge);
    writer.write(pattern(kLarge).substr(0, kLarge - 1));
    EXPECT_EQ(errc_of([&] { writer.finish(); }), Errc::misuse);
    EXPECT_EQ(errc_of([&] { writer.write("12"); }), Errc::misuse);
    writer.write(Bytes(pattern(kLarge)).substr(kLarge - 1));
    writer.finish();
    EXPECT_EQ(errc_of([&] { writer.finish(); }), Errc::misuse);
  });
  EXPECT_EQ(db.get("key"), pattern(kLarge));
}

TEST_F(ValueReaders, GiveTheValueInPieces) {
  Database db{file_};
  db.put("large", pattern(kLarge));
  db.put("short", "abc");
  db.put("empty", "");
  const Snapshot now = db.snapshot();
  const TableView table = now.table();
  EXPECT_FALSE(table.reader("absent").has_value());
  for (const std::size_t step : {std::size_t{1000}, std::size_t{4096}, std::size_t{1} << 20}) {
    auto reader = table.reader("large");
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ(reader->size_bytes(), kLarge);
    EXPECT_EQ(read_all(*reader, step), pattern(kLarge));
    EXPECT_EQ(reader->read_bytes(), kLarge);
  }
  EXPECT_EQ(table.reader("short")->next(2), "ab");
  EXPECT_TRUE(table.reader("empty")->next().empty());
}

TEST_F(ValueReaders, ReadWhatTheirOwnTransactionHasWritten) {
  Database db{file_};
  Transaction tx = db.begin();
  Table table = tx.table();
  table.put("key", pattern(kLarge));
  auto reader = table.reader("key");
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(read_all(*reader, 5000), pattern(kLarge));
}

TEST_F(ValueReaders, FindAChangedByteAtTheEndWhenTheyVerify) {
  skip_final_check();
  std::uint64_t offset = 0;
  {
    Database db{file_};
    db.put("key", pattern(kLarge));
    const Snapshot now = db.snapshot();
    offset = now.locate(*now.table().get("key")).offset_bytes;
  }
  std::string bytes = read_file(file_);
  bytes[offset + 1000] ^= 1;
  write_file(file_, bytes);
  for (const Verify verify : {Verify::never, Verify::first_touch}) {
    const Database db{file_, {.verify = verify}};
    const Snapshot now = db.snapshot();
    auto reader = now.table().reader("key");
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ(errc_of([&] { read_all(*reader, 100'000); }),
              verify == Verify::never ? std::nullopt : std::optional(Errc::corrupt));
    EXPECT_EQ(errc_of([&] { reader->next(); }),  // that is not the end of a whole value
              verify == Verify::never ? std::nullopt : std::optional(Errc::corrupt));
  }
}

std::uint64_t resident_bytes() {
  std::uint64_t size_pages = 0;
  std::uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> size_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(ValueReaders, AndWritersLeaveTheProcessSmall) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  constexpr std::uint64_t kValueBytes = 96 * kMiB;
  Database db{file_};
  const std::string piece = pattern(kMiB);
  const std::uint64_t before = resident_bytes();
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    ValueWriter writer = table.writer("key", kValueBytes);
    for (std::uint64_t at = 0; at < kValueBytes; at += kMiB) writer.write(piece);
    writer.finish();
  });
  const std::uint64_t written = resident_bytes();
  const Snapshot now = db.snapshot();
  auto reader = now.table().reader("key");
  ASSERT_TRUE(reader.has_value());
  std::uint64_t equal_count = 0;
  std::uint64_t largest = 0;
  for (Bytes part = reader->next(); !part.empty(); part = reader->next()) {
    equal_count += part == piece ? 1u : 0u;
    largest = std::max(largest, resident_bytes());
  }
  EXPECT_EQ(equal_count, kValueBytes / kMiB);
  if (kSanitized) return;
  EXPECT_LT(written, before + kValueBytes / 4);
  EXPECT_LT(largest, written + kValueBytes / 4);
}

TEST_F(Located, BytesAreWhereTheDescriptorSaysThemToBe) {
  Database db{file_};
  db.put("large", pattern(kLarge));
  db.put("short", "a short value");
  const Snapshot now = db.snapshot();
  for (const auto& [key, value] : now.table()) {
    const ValueLocation place = now.locate(value);
    ASSERT_EQ(place.length_bytes, value.size());
    std::string read(value.size(), '\0');
    EXPECT_EQ(
        ::pread(place.descriptor, read.data(), read.size(), static_cast<off_t>(place.offset_bytes)),
        static_cast<ssize_t>(read.size()));
    EXPECT_EQ(read, value);
    EXPECT_EQ(now.locate(value.substr(3, 5)).offset_bytes, place.offset_bytes + 3);
    EXPECT_EQ(::pwrite(place.descriptor, "x", 1, static_cast<off_t>(place.offset_bytes)), -1);
  }
  const std::string elsewhere = "not of the file";
  EXPECT_EQ(errc_of([&] { static_cast<void>(now.locate(elsewhere)); }), Errc::misuse);
}

TEST_F(Located, BytesStayWhileTheSnapshotLives) {
  Database db{file_};
  db.put("key", pattern(kLarge));
  const Snapshot now = db.snapshot();
  const ValueLocation place = now.locate(*now.table().get("key"));
  for (unsigned round = 0; round < 20; ++round) {
    db.put("key", pattern(kLarge, round + 2));
    if (round % 5 == 0) db.checkpoint();
  }
  std::string read(kLarge, '\0');
  EXPECT_EQ(
      ::pread(place.descriptor, read.data(), read.size(), static_cast<off_t>(place.offset_bytes)),
      static_cast<ssize_t>(kLarge));
  EXPECT_EQ(read, pattern(kLarge));
}

// The call that takes the value had its bytes for an argument, in memory that was gone.
TEST_F(Reserved, ThatWereReservedMayBeArgumentsOfTheNextCall) {
  Database db{file_};
  db.write([&](Transaction& tx) {
    Table table = tx.table();
    for (const std::size_t length : {std::size_t{16}, std::size_t{100'000}}) {
      const std::span<std::byte> room = table.reserve("one", length);
      std::fill(room.begin(), room.end(), std::byte{'v'});
      table.put("two", {reinterpret_cast<const char*>(room.data()), room.size()});
      EXPECT_EQ(table.get("two"), std::string(length, 'v'));
      EXPECT_EQ(table.get("one"), std::string(length, 'v'));
    }
  });
}

}  // namespace
}  // namespace quire::test
