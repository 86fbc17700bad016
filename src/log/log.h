// The redo log: a ring of records in the data file. Positions (LSNs) never restart; position p
// stands at byte p mod size of the ring. A record never straddles the ring's end: a pad record
// fills it up.
//
// What will be flushed soon is appended through a call of the system, not through the map: each
// flush makes the pages of a shared mapping read-only again, so a store would cost a page fault per
// process and flush, and each flush an interrupt of the other processors.
//
// Threads: append and erase by the holder of the writer lock; reading what was published to the
// reader's thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/id.h"
#include "format/record.h"
#include "storage/data_file.h"

namespace quire::log {

// Where the ring is mapped, and how it is written: as bytes of a file, or as memory. Who only reads
// has neither.
struct Ring {
  const std::byte* read = nullptr;
  storage::DataFile* file = nullptr;
  std::uint64_t file_offset = 0;  // of the ring in `file`
  std::byte* memory = nullptr;    // without a file
  std::uint64_t size_bytes = 0;   // a multiple of 4096
  std::uint64_t seed = 0;         // of the checksums
};

// The end of a log: where the next record goes and what it has to continue.
struct Tail {
  Lsn end;
  std::uint64_t chain = 0;  // checksum of the last record
};

// Largest payload that a record may have: longer transactions become checkpoints.
inline constexpr std::size_t kPayloadBytesMax = std::size_t{8} << 20;

// Bytes of the ring that a record with this payload takes when appended at `end`, padding included.
std::uint64_t bytes_to_append(const Ring& ring, Lsn end, std::size_t payload_bytes) noexcept;

// Appends one record; the caller has made sure that it overwrites nothing that recovery still
// needs. `record` is room for the header and the payload behind it, and is completed. Of `header`,
// epoch, flags, txn, previous_txn and durable count. Returns the new tail; the record counts once
// that is published. Throws Errc::io, Errc::no_space: it may stand there, whole or in part.
Tail append(const Ring& ring, const Tail& tail, const format::RecordHeader& header,
            std::span<std::byte> record);

// Makes a record that stands at `end`, and a pad before it, unreadable: a transaction that never
// committed has left it. Returns the position up to which bytes may have changed; `end` when
// nothing stands there. Throws Errc::io, Errc::no_space.
Lsn erase_record(const Ring& ring, Lsn end);

// Calls a range of the ring's bytes [from, to) by its one or two pieces inside the ring.
template <typename Visit>
void for_pieces(const Ring& ring, Lsn from, Lsn to, Visit visit) {
  std::uint64_t at = from.value;
  while (at < to.value) {
    const std::uint64_t offset = at % ring.size_bytes;
    const std::uint64_t piece_bytes = std::min(to.value - at, ring.size_bytes - offset);
    visit(offset, piece_bytes);
    at += piece_bytes;
  }
}

// Reads records one after the other, up to the first that does not prove itself (rule 2).
class Scanner {
 public:
  // `txn` is the transaction before the first record.
  Scanner(const Ring& ring, const Tail& from, std::uint32_t epoch, TxnId txn) noexcept;

  // The next record; null at the end. Valid until the ring is overwritten there. Pads are skipped.
  const format::RecordHeader* next() noexcept;

  // Takes the record that `next` returned last back: the log ends before it.
  void reject_last() noexcept;

  Tail tail() const noexcept { return tail_; }
  TxnId txn() const noexcept { return txn_; }

 private:
  const format::RecordHeader* proven_record() const noexcept;

  Ring ring_;
  Tail tail_;
  TxnId txn_;
  std::uint32_t epoch_;
  std::uint64_t limit_;  // the ring holds no more than this position
  Tail before_tail_;
  TxnId before_txn_;
};

// True when a header with this very position stands there, whole record or not.
bool is_header_at(const Ring& ring, Lsn position) noexcept;

// A record as it looked at one moment, for readers whom writers may overtake: every length is
// inside the ring, but the bytes may change while they are read. `next` is the position itself when
// no record stands there.
struct Glance {
  Lsn next;
  std::uint32_t flags = 0;
  std::uint64_t checksum = 0;
  std::span<const std::byte> payload = {};
};
Glance glance_at(const Ring& ring, Lsn position) noexcept;

// True when the record is whole and still the one of the glance, so all that was read in between is
// true.
bool is_unchanged(const Ring& ring, Lsn position, const Glance& glance) noexcept;

std::span<const std::byte> payload_of(const format::RecordHeader* record) noexcept;

// A record of this epoch that stands behind `end` and was appended when more than `end` was
// durable: proof that the log is damaged before it, not ended (rule 15).
bool has_durable_record_behind(const Ring& ring, Lsn end, std::uint32_t epoch) noexcept;

}  // namespace quire::log
