// Log records: one committed transaction each, as a header and a list of logical operations. A
// record proves itself by epoch, position, the checksum of the record before it, and its own (rule
// 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "format/page.h"

namespace quire::format {

inline constexpr std::uint64_t kRecordAlignment = 8;
inline constexpr std::uint64_t kLogBytesMin = 65536;
inline constexpr std::uint64_t kLogBytesAtFirst = std::uint64_t{1} << 20;  // of a new file

// Bits of RecordHeader::flags.
inline constexpr std::uint32_t kRecordPad =
    1;  // fills the ring up to its end; names no transaction
inline constexpr std::uint32_t kRecordNamesExtents = 2;  // some operation holds an extent reference

struct RecordHeader {
  std::uint64_t checksum = 0;  // XXH3 of header and payload, from `epoch` on
  std::uint32_t epoch = 0;     // rises with every recovery: earlier lives' records never match
  std::uint32_t flags = 0;
  std::uint64_t lsn = 0;  // its own position
  std::uint64_t txn = 0;
  std::uint64_t previous_txn = 0;  // the commit before it
  std::uint64_t durable = 0;       // LSN that was durable when it was appended (rule 15)
  std::uint64_t chain = 0;         // checksum of the record before it
  std::uint32_t total_bytes = 0;   // distance to the next record, a multiple of 8
  std::uint32_t payload_bytes =
      0;  // operations after the header; the rest up to total_bytes is unused
};
static_assert(sizeof(RecordHeader) == 64);
static_assert(offsetof(RecordHeader, epoch) == 8);
static_assert(offsetof(RecordHeader, flags) == 12);
static_assert(offsetof(RecordHeader, lsn) == 16);
static_assert(offsetof(RecordHeader, txn) == 24);
static_assert(offsetof(RecordHeader, previous_txn) == 32);
static_assert(offsetof(RecordHeader, durable) == 40);
static_assert(offsetof(RecordHeader, chain) == 48);
static_assert(offsetof(RecordHeader, total_bytes) == 56);
static_assert(offsetof(RecordHeader, payload_bytes) == 60);

// Checksum of the record that begins at `record`, with so many bytes of payload behind its header.
std::uint64_t record_checksum(const std::byte* record, std::size_t payload_bytes,
                              std::uint64_t seed) noexcept;

// Values are on disk.
enum class OperationKind : std::uint8_t {
  put = 1,              // key, value
  put_extent = 2,       // key, ExtentRef
  erase = 3,            // key
  clear = 4,            // all entries of the table
  create = 5,           // key = name, table id = the new table's
  drop = 6,             // key = name
  erase_range = 7,      // entries with key <= theirs < value; an empty value means no limit; of a
                        // multimap: the keys, with all their values
  create_multimap = 8,  // as create
  insert_pair = 9,      // key, value: of a multimap, as are those below
  erase_pair = 10,      // key, value
};

struct OperationHeader {
  OperationKind kind = OperationKind::put;
  std::uint8_t reserved = 0;
  std::uint16_t key_bytes = 0;
  std::uint32_t table_id = 0;  // 0 = the default table
  std::uint32_t value_bytes = 0;
};
static_assert(sizeof(OperationHeader) == 12);
static_assert(offsetof(OperationHeader, key_bytes) == 2);
static_assert(offsetof(OperationHeader, table_id) == 4);
static_assert(offsetof(OperationHeader, value_bytes) == 8);

struct Operation {
  OperationKind kind = OperationKind::put;
  std::uint32_t table_id = 0;
  std::string_view key = {};
  std::string_view value = {};  // of put, erase_range, insert_pair, erase_pair
  ExtentRef extent = {};        // of put_extent
};

// Bytes that an operation takes in a record.
std::size_t operation_bytes(const Operation& operation) noexcept;

// Appends an operation to a payload under construction.
void append_operation(std::vector<std::byte>& payload, const Operation& operation);

// Reads a payload front to back. `next` is false at the end and after damage; `is_damaged` tells
// which. Operations point into the payload.
class OperationReader {
 public:
  explicit OperationReader(std::span<const std::byte> payload) noexcept : rest_(payload) {}
  bool next(Operation& operation) noexcept;
  bool is_damaged() const noexcept { return damaged_; }

 private:
  std::span<const std::byte> rest_;
  bool damaged_ = false;
};

}  // namespace quire::format
