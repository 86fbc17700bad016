// Edits of log records: headers, operations, and records that nobody wrote.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "fuzz/mutate.h"
#include "fuzz/seal.h"

namespace quire::fuzz {
namespace {

using format::Operation;
using format::OperationKind;
using format::RecordHeader;

// A record that stands in the ring, as a value to change.
struct Record {
  std::byte* at = nullptr;
  RecordHeader header;
};

std::vector<Record> records_of(std::byte* ring, std::size_t ring_bytes, std::uint64_t position) {
  std::vector<Record> records;
  for_records(ring, ring_bytes, position, [&](std::byte* at, const RecordHeader& header) {
    records.push_back({at, header});
  });
  return records;
}

std::string some_key(Random& random) {
  constexpr std::array<std::size_t, 8> kSizes = {0, 1, 2, 8, 255, 256, 1942, 1943};
  const std::size_t size = kSizes[random.below(kSizes.size())];
  return std::string(size, static_cast<char>('a' + random.below(4)));
}

// An operation that may or may not make sense where it stands.
void append_any(std::vector<std::byte>& payload, Random& random) {
  const std::string key = some_key(random);
  const std::string value(random.one_in(8) ? random.below(3000) : random.below(20), 'v');
  Operation operation;
  operation.kind = static_cast<OperationKind>(random.between(1, random.one_in(10) ? 11 : 10));
  operation.table_id = random.one_in(6) ? static_cast<std::uint32_t>(random.next())
                                        : static_cast<std::uint32_t>(random.below(6));
  operation.key = key;
  const bool has_value = operation.kind == OperationKind::put ||
                         operation.kind == OperationKind::erase_range ||
                         operation.kind >= OperationKind::insert_pair;
  if (has_value) operation.value = value;
  operation.extent.size_bytes = random.below(20'000);
  operation.extent.first_page = static_cast<std::uint32_t>(random.below(128));
  operation.extent.page_count = static_cast<std::uint32_t>(random.below(6));
  format::append_operation(payload, operation);
}

// Puts a record behind the last one.
void append_record(std::byte* ring, std::size_t ring_bytes, std::uint64_t position,
                   const std::vector<Record>& records, Random& random) {
  std::uint64_t end = position;
  RecordHeader header;
  if (!records.empty()) {
    header = records.back().header;
    end = header.lsn + header.total_bytes;
  }
  std::vector<std::byte> payload;
  for (std::uint64_t left = random.between(1, 4); left > 0; --left) append_any(payload, random);
  const std::size_t total = (sizeof header + payload.size() + 7) / 8 * 8;
  const std::size_t offset = end % ring_bytes;
  if (ring_bytes - offset < total) return;
  header.lsn = end;
  header.flags = static_cast<std::uint32_t>(random.below(4)) & format::kRecordNamesExtents;
  header.previous_txn = header.txn;
  header.txn += 1;
  header.total_bytes = static_cast<std::uint32_t>(total);
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  store(ring + offset, header);
  std::copy(payload.begin(), payload.end(), ring + offset + sizeof header);
}

// The fields of one operation's header, or what follows it.
void mutate_operation(std::byte* payload, std::size_t payload_bytes, Random& random) {
  std::vector<std::size_t> starts;
  format::OperationReader reader({payload, payload_bytes});
  Operation operation;
  std::size_t at = 0;
  while (reader.next(operation)) {
    starts.push_back(at);
    at += format::operation_bytes(operation);
  }
  if (starts.empty()) return;
  std::byte* start = payload + starts[random.below(starts.size())];
  const std::size_t left = payload_bytes - static_cast<std::size_t>(start - payload);
  switch (random.below(5)) {
    case 0:
      *start = static_cast<std::byte>(random.between(0, 9));
      return;
    case 1:
      return hurt_number(start + 2, 2, random);
    case 2:
      return hurt_number(start + 4, 4, random);
    case 3:
      return hurt_number(start + 8, 4, random);
    default: {
      const std::size_t offset = random.below(left);
      return hurt_number(start + offset, std::min<std::size_t>(left - offset, 8), random);
    }
  }
}

void mutate_record_header(Record record, Random& random) {
  struct Field {
    std::size_t offset;
    std::size_t width;
  };
  constexpr Field kFields[] = {{8, 4},  {12, 4}, {16, 8}, {24, 8}, {32, 8},
                               {40, 8}, {48, 8}, {56, 4}, {60, 4}};
  const Field field = kFields[random.below(std::size(kFields))];
  hurt_number(record.at + field.offset, field.width, random);
}

}  // namespace

void mutate_ring(std::byte* ring, std::size_t ring_bytes, std::uint64_t position, Random& random) {
  const std::vector<Record> records = records_of(ring, ring_bytes, position);
  if (records.empty() || random.one_in(4)) {
    return append_record(ring, ring_bytes, position, records, random);
  }
  const Record record = records[random.below(records.size())];
  if (random.one_in(3)) {
    mutate_record_header(record, random);
  } else {
    mutate_operation(record.at + sizeof(RecordHeader), record.header.payload_bytes, random);
  }
}

void mutate_log(const Layout& layout, Random& random) {
  if (layout.ring() == nullptr) return;
  const format::Meta& meta = layout.meta();
  mutate_ring(layout.ring(), layout.ring_bytes(), meta.log_start, random);
  if (random.one_in(4)) return;
  seal_ring(layout.ring(), layout.ring_bytes(),
            {meta.log_start, meta.log_chain, meta.txn, meta.epoch, meta.checksum_seed}, true);
}

}  // namespace quire::fuzz
