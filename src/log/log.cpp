#include "log/log.h"

#include <array>
#include <cstring>

#include "base/assert.h"
#include "base/test_points.h"

namespace quire::log {
namespace {

using format::RecordHeader;

constexpr std::uint64_t round_up(std::uint64_t value) noexcept {
  return (value + format::kRecordAlignment - 1) / format::kRecordAlignment *
         format::kRecordAlignment;
}

// Length of a record at `offset` of the ring: a rest too short for another header is made part of
// it.
std::uint64_t total_bytes(const Ring& ring, std::uint64_t offset,
                          std::size_t payload_bytes) noexcept {
  const std::uint64_t total = round_up(sizeof(RecordHeader) + payload_bytes);
  const std::uint64_t rest = ring.size_bytes - offset - total;
  return rest < sizeof(RecordHeader) ? total + rest : total;
}

bool fits_before_end(const Ring& ring, std::uint64_t offset, std::size_t payload_bytes) noexcept {
  return round_up(sizeof(RecordHeader) + payload_bytes) <= ring.size_bytes - offset;
}

// The header that stands at a position, after its lengths are known to stay inside the ring; null
// otherwise.
const RecordHeader* header_at(const Ring& ring, std::uint64_t position) noexcept {
  const std::uint64_t offset = position % ring.size_bytes;
  const std::uint64_t rest = ring.size_bytes - offset;
  if (rest < sizeof(RecordHeader)) return nullptr;
  const auto* record = reinterpret_cast<const RecordHeader*>(ring.read + offset);
  if (record->lsn != position && !sabotaged("record_of_an_earlier_lap_accepted")) return nullptr;
  if (record->total_bytes < sizeof(RecordHeader) || record->total_bytes > rest) return nullptr;
  if (record->total_bytes % format::kRecordAlignment != 0) return nullptr;
  if (record->payload_bytes > record->total_bytes - sizeof(RecordHeader)) return nullptr;
  // What is left of the ring behind a record holds at least another header: a pad goes there.
  const std::uint64_t left = rest - record->total_bytes;
  if (left != 0 && left < sizeof(RecordHeader)) return nullptr;
  return record;
}

std::uint64_t checksum_of(const RecordHeader* record, std::uint64_t seed) noexcept {
  return format::record_checksum(reinterpret_cast<const std::byte*>(record), record->payload_bytes,
                                 seed);
}

void write(const Ring& ring, Lsn position, std::span<const std::byte> bytes) {
  const std::uint64_t offset = position.value % ring.size_bytes;
  if (ring.file != nullptr) {
    ring.file->write(ring.file_offset + offset, bytes.data(), bytes.size());
  } else {
    std::memcpy(ring.memory + offset, bytes.data(), bytes.size());
  }
}

Tail store(const Ring& ring, const Tail& tail, RecordHeader header, std::span<std::byte> record,
           std::uint64_t total) {
  const std::size_t payload_bytes = record.size() - sizeof header;
  header.lsn = tail.end.value;
  header.chain = tail.chain;
  header.total_bytes = static_cast<std::uint32_t>(total);
  header.payload_bytes = static_cast<std::uint32_t>(payload_bytes);
  std::memcpy(record.data(), &header, sizeof header);
  header.checksum = format::record_checksum(record.data(), payload_bytes, ring.seed);
  std::memcpy(record.data(), &header.checksum, sizeof header.checksum);
  write(ring, tail.end, record);
  return {Lsn{tail.end.value + total}, header.checksum};
}

}  // namespace

std::uint64_t bytes_to_append(const Ring& ring, Lsn end, std::size_t payload_bytes) noexcept {
  const std::uint64_t offset = end.value % ring.size_bytes;
  const std::uint64_t pad =
      fits_before_end(ring, offset, payload_bytes) ? 0 : ring.size_bytes - offset;
  if (pad != 0 && !fits_before_end(ring, 0, payload_bytes)) return UINT64_MAX;
  return pad + total_bytes(ring, pad != 0 ? 0 : offset, payload_bytes);
}

Tail append(const Ring& ring, const Tail& tail, const RecordHeader& header,
            std::span<std::byte> record) {
  const std::size_t payload_bytes = record.size() - sizeof header;
  Tail at = tail;
  if (!fits_before_end(ring, at.end.value % ring.size_bytes, payload_bytes)) {
    RecordHeader pad = header;
    pad.flags = format::kRecordPad;
    std::array<std::byte, sizeof pad> place;
    at = store(ring, at, pad, place, ring.size_bytes - at.end.value % ring.size_bytes);
    crash_point("log: pad written");
  }
  const std::uint64_t offset = at.end.value % ring.size_bytes;
  QUIRE_ASSERT(fits_before_end(ring, offset, payload_bytes));
  return store(ring, at, header, record, total_bytes(ring, offset, payload_bytes));
}

// From behind, so that a death in between leaves the pad, by which the next one finds the rest.
Lsn erase_record(const Ring& ring, Lsn end) {
  const RecordHeader* record = header_at(ring, end.value);
  if (record == nullptr) return end;
  Lsn changed{end.value + sizeof(RecordHeader)};
  if ((record->flags & format::kRecordPad) != 0) {
    changed = std::max(changed, erase_record(ring, Lsn{end.value + record->total_bytes}));
  }
  constexpr std::array<std::byte, sizeof(RecordHeader)> kZeros = {};
  write(ring, end, kZeros);
  return changed;
}

Scanner::Scanner(const Ring& ring, const Tail& from, std::uint32_t epoch, TxnId txn) noexcept
    : ring_(ring),
      tail_(from),
      txn_(txn),
      epoch_(epoch),
      limit_(from.end.value + ring.size_bytes),
      before_tail_(from),
      before_txn_(txn) {}

const RecordHeader* Scanner::proven_record() const noexcept {
  const RecordHeader* record = header_at(ring_, tail_.end.value);
  if (record == nullptr) return nullptr;
  const bool is_chained =
      record->epoch == epoch_ && record->chain == tail_.chain && record->previous_txn == txn_.value;
  if (!is_chained && !sabotaged("log_chain_not_checked") &&
      !sabotaged("record_of_an_earlier_lap_accepted"))
    return nullptr;
  if (tail_.end.value + record->total_bytes > limit_) return nullptr;
  if (record->checksum != checksum_of(record, ring_.seed) &&
      !sabotaged("record_checksum_not_checked"))
    return nullptr;
  return record;
}

const RecordHeader* Scanner::next() noexcept {
  before_tail_ = tail_;
  before_txn_ = txn_;
  for (;;) {
    const RecordHeader* record = proven_record();
    if (record == nullptr) {
      tail_ = before_tail_;  // a pad without its record is no progress
      return nullptr;
    }
    tail_ = {Lsn{tail_.end.value + record->total_bytes}, record->checksum};
    if ((record->flags & format::kRecordPad) != 0) continue;
    txn_ = TxnId{record->txn};
    return record;
  }
}

void Scanner::reject_last() noexcept {
  tail_ = before_tail_;
  txn_ = before_txn_;
}

bool is_header_at(const Ring& ring, Lsn position) noexcept {
  return header_at(ring, position.value) != nullptr;
}

Glance glance_at(const Ring& ring, Lsn position) noexcept {
  const std::uint64_t offset = position.value % ring.size_bytes;
  const std::uint64_t rest = ring.size_bytes - offset;
  if (rest < sizeof(RecordHeader)) return {.next = position};
  RecordHeader header;
  std::memcpy(&header, ring.read + offset, sizeof header);
  if (header.lsn != position.value || header.total_bytes < sizeof header ||
      header.total_bytes > rest || header.payload_bytes > header.total_bytes - sizeof header) {
    return {.next = position};
  }
  return {.next = Lsn{position.value + header.total_bytes},
          .flags = header.flags,
          .checksum = header.checksum,
          .payload = {ring.read + offset + sizeof header, header.payload_bytes}};
}

bool is_unchanged(const Ring& ring, Lsn position, const Glance& glance) noexcept {
  const std::byte* record = ring.read + position.value % ring.size_bytes;
  return format::record_checksum(record, glance.payload.size(), ring.seed) == glance.checksum;
}

std::span<const std::byte> payload_of(const RecordHeader* record) noexcept {
  return {reinterpret_cast<const std::byte*>(record + 1), record->payload_bytes};
}

bool has_durable_record_behind(const Ring& ring, Lsn end, std::uint32_t epoch) noexcept {
  // Records never overlap, so those that were ever whole take a few rings' bytes at most. More than
  // that are bytes of values that look like headers: they prove nothing.
  std::uint64_t hashed_bytes_left = ring.size_bytes * 16;
  const std::uint64_t limit = end.value + ring.size_bytes;
  for (std::uint64_t position = end.value; position < limit; position += format::kRecordAlignment) {
    const RecordHeader* record = header_at(ring, position);
    if (record == nullptr || record->epoch != epoch) continue;
    if (record->durable <= end.value || record->durable > record->lsn) continue;
    if (record->total_bytes > hashed_bytes_left) return false;
    hashed_bytes_left -= record->total_bytes;
    if (record->checksum == checksum_of(record, ring.seed)) return true;
  }
  return false;
}

}  // namespace quire::log
