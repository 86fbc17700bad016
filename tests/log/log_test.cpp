// The ring of records: what is appended is found again, and nothing else is.
#include "log/log.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using format::RecordHeader;
using log::Ring;
using log::Scanner;
using log::Tail;

constexpr std::uint64_t kRingBytes = 65536;
constexpr std::uint32_t kEpoch = 7;

class Log : public ::testing::Test {
 protected:
  Log()
      : bytes_(kRingBytes / 8),
        ring_{.read = reinterpret_cast<std::byte*>(bytes_.data()),
              .memory = reinterpret_cast<std::byte*>(bytes_.data()),
              .size_bytes = kRingBytes,
              .seed = 99} {}

  // Appends the next transaction with so many payload bytes.
  void append(std::size_t payload_bytes, std::uint64_t durable = 0) {
    RecordHeader header;
    header.epoch = kEpoch;
    header.txn = ++txn_;
    header.previous_txn = txn_ - 1;
    header.durable = durable;
    std::vector<std::byte> record(sizeof header + payload_bytes, std::byte(txn_));
    starts_.push_back(tail_.end);
    tail_ = log::append(ring_, tail_, header, record);
  }

  Scanner scan(const Tail& from, std::uint64_t txn) const {
    return {ring_, from, kEpoch, TxnId{txn}};
  }

  // Transactions found from the beginning.
  std::uint64_t count() const {
    Scanner scanner = scan({}, 0);
    std::uint64_t found = 0;
    while (scanner.next() != nullptr) ++found;
    return found;
  }

  std::byte* at(Lsn position) { return ring_.memory + position.value % kRingBytes; }

  std::vector<std::uint64_t> bytes_;
  Ring ring_;
  Tail tail_;
  std::uint64_t txn_ = 0;
  std::vector<Lsn> starts_;
};

TEST_F(Log, FindsWhatWasAppendedInOrder) {
  for (std::size_t size = 0; size < 50; ++size) append(size * 3);
  Scanner scanner = scan({}, 0);
  for (std::uint64_t txn = 1; txn <= 50; ++txn) {
    const RecordHeader* record = scanner.next();
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->txn, txn);
    const auto payload = log::payload_of(record);
    ASSERT_EQ(payload.size(), (txn - 1) * 3);
    for (const std::byte byte : payload) ASSERT_EQ(byte, std::byte(txn));
  }
  EXPECT_EQ(scanner.next(), nullptr);
  EXPECT_EQ(scanner.tail().end, tail_.end);
  EXPECT_EQ(scanner.txn(), TxnId{50});
}

// Every length of the last record before the ring's end: with a rest too short for a header, with a
// pad, with none.
TEST_F(Log, GoesRoundTheRingWithRecordsOfAnyLength) {
  for (std::size_t size = 0; size < 3000; size += 7) {
    const Tail before = tail_;
    const std::uint64_t txn = txn_;
    const std::uint64_t needed = log::bytes_to_append(ring_, tail_.end, size);
    append(size);
    EXPECT_EQ(tail_.end.value - before.end.value, needed);
    Scanner scanner = scan(before, txn);
    const RecordHeader* record = scanner.next();
    ASSERT_NE(record, nullptr) << size;
    EXPECT_EQ(record->txn, txn + 1);
    EXPECT_EQ(record->payload_bytes, size);
    EXPECT_LE(record->lsn % kRingBytes + record->total_bytes, kRingBytes) << "straddles the end";
    EXPECT_EQ(scanner.next(), nullptr);
  }
  EXPECT_GT(tail_.end.value, 5 * kRingBytes);
}

TEST_F(Log, RefusesARecordThatNoRingHolds) {
  EXPECT_EQ(log::bytes_to_append(ring_, Lsn{0}, kRingBytes), UINT64_MAX);
  EXPECT_LE(log::bytes_to_append(ring_, Lsn{0}, kRingBytes - sizeof(RecordHeader)), kRingBytes);
}

TEST_F(Log, EndsAtTheFirstRecordThatDoesNotProveItself) {
  for (int i = 0; i < 20; ++i) append(100);
  for (std::size_t offset = 0; offset < sizeof(RecordHeader) + 100; ++offset) {
    *(at(starts_[12]) + offset) ^= std::byte{1};
    EXPECT_EQ(count(), 12u) << "byte " << offset;
    *(at(starts_[12]) + offset) ^= std::byte{1};
  }
  EXPECT_EQ(count(), 20u);
}

TEST_F(Log, DoesNotTakeRecordsOfAnEarlierLapOrEpoch) {
  while (tail_.end.value < kRingBytes - 1000) append(200);
  const Tail wrapped = tail_;
  const std::uint64_t txn = txn_;
  append(5000);  // goes to the ring's beginning; behind it stand records of the first lap
  Scanner lap = scan(wrapped, txn);
  EXPECT_NE(lap.next(), nullptr);
  EXPECT_EQ(lap.next(), nullptr);
  Scanner epoch(ring_, wrapped, kEpoch + 1, TxnId{txn});
  EXPECT_EQ(epoch.next(), nullptr);
}

TEST_F(Log, DoesNotTakeARecordOfAnotherChainOrPredecessor) {
  append(10);
  append(10);
  EXPECT_EQ(Scanner(ring_, {Lsn{0}, 1}, kEpoch, TxnId{0}).next(), nullptr);
  EXPECT_EQ(Scanner(ring_, {Lsn{0}, 0}, kEpoch, TxnId{5}).next(), nullptr);
}

TEST_F(Log, GivesTheLastRecordBackWhenAsked) {
  append(10);
  append(10);
  Scanner scanner = scan({}, 0);
  scanner.next();
  const Tail after_first = scanner.tail();
  scanner.next();
  scanner.reject_last();
  EXPECT_EQ(scanner.tail().end, after_first.end);
  EXPECT_EQ(scanner.txn(), TxnId{1});
}

// A pad stays without its record when its writer died; the pad of the next writer may be the very
// same bytes, and must not bring the dead record back.
TEST_F(Log, ErasesARecordTogetherWithThePadInFrontOfIt) {
  while (tail_.end.value < kRingBytes - 1000) append(200);
  const Tail committed = tail_;
  const std::uint64_t txn = txn_;
  append(2000);
  ASSERT_TRUE(log::is_header_at(ring_, committed.end));
  const Lsn changed = log::erase_record(ring_, committed.end);
  EXPECT_GT(changed.value, kRingBytes)
      << "the record stands behind the pad, at the ring's beginning";
  EXPECT_FALSE(log::is_header_at(ring_, committed.end));
  tail_ = committed;
  txn_ = txn;
  RecordHeader pad;
  pad.epoch = kEpoch;
  pad.txn = txn + 1;
  pad.previous_txn = txn;
  std::vector<std::byte> other(sizeof(RecordHeader) + 3000, std::byte{1});
  log::append(ring_, committed, pad, other);
  std::memset(ring_.memory, 0, sizeof(RecordHeader));  // its record never got there
  EXPECT_EQ(scan(committed, txn).next(), nullptr);
  EXPECT_EQ(log::erase_record(ring_, Lsn{kRingBytes * 3}), Lsn{kRingBytes * 3})
      << "nothing stands there";
}

// Rule 15: what was appended when more was durable proves that the gap before it was durable once.
TEST_F(Log, TellsDamageFromTheEnd) {
  for (int i = 0; i < 10; ++i) append(100, tail_.end.value);
  std::memset(at(starts_[4]), 0xff, 8);
  EXPECT_EQ(count(), 4u);
  EXPECT_TRUE(log::has_durable_record_behind(ring_, starts_[4], kEpoch));
  EXPECT_FALSE(log::has_durable_record_behind(ring_, starts_[4], kEpoch + 1));
  EXPECT_FALSE(log::has_durable_record_behind(ring_, tail_.end, kEpoch));
}

TEST_F(Log, TakesATornTailForTheEndWhenNothingBehindItWasDurable) {
  for (int i = 0; i < 10; ++i) append(100, 64);  // only the beginning was ever flushed
  std::memset(at(starts_[4]), 0xff, 8);
  EXPECT_EQ(count(), 4u);
  EXPECT_FALSE(log::has_durable_record_behind(ring_, starts_[4], kEpoch));
}

// A record that leaves less than a header at the ring's end was believed; the pad behind it was
// stored across that end.
TEST_F(Log, EndsBeforeARecordThatLeavesNoRoomForAPad) {
  append(kRingBytes - 1024);
  ASSERT_EQ(count(), 1u);
  auto* record = reinterpret_cast<RecordHeader*>(at(Lsn{0}));
  record->total_bytes = kRingBytes - 8;
  record->checksum = format::record_checksum(at(Lsn{0}), record->payload_bytes, ring_.seed);
  EXPECT_EQ(count(), 0u);
  record->total_bytes = kRingBytes - 64;
  record->checksum = format::record_checksum(at(Lsn{0}), record->payload_bytes, ring_.seed);
  EXPECT_EQ(count(), 1u);
}

// Headers that all claimed the rest of a large ring were hashed one after the other, each to the
// ring's end: hours for a ring of some gigabytes.
TEST_F(Log, FullOfHeadersThatClaimTheRestOfTheRingProvesNothing) {
  for (std::uint64_t position = 64; position + 64 < kRingBytes; position += 64) {
    RecordHeader header;
    header.epoch = kEpoch;
    header.lsn = position;
    header.durable = position;
    header.total_bytes = static_cast<std::uint32_t>(kRingBytes - position);
    header.payload_bytes = header.total_bytes - static_cast<std::uint32_t>(sizeof header);
    std::memcpy(at(Lsn{position}), &header, sizeof header);
  }
  EXPECT_FALSE(log::has_durable_record_behind(ring_, Lsn{0}, kEpoch));
}

}  // namespace
}  // namespace quire::test
