// The meta record: what a checkpoint is. Two of them stand at kMetaOffset; the newest valid one
// counts (rule 14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "format/page.h"

namespace quire::format {

inline constexpr std::uint64_t kMagic = 0x0a1a0d6572697571;  // "quire\r\x1a\n", as stored
inline constexpr std::uint32_t kFormatVersion = 1;

// A file with an unknown compat bit may be used, with an unknown ro-compat bit only read, with an
// unknown incompat bit not at all.
inline constexpr std::uint64_t kRoCompatKnown = 0;
inline constexpr std::uint64_t kIncompatMultimaps = 1;  // some table is or was a multimap
inline constexpr std::uint64_t kIncompatKnown = kIncompatMultimaps;

inline constexpr std::size_t kMetaBytes = 264;

// A run of pages as stored.
struct StoredRun {
  std::uint32_t first_page = 0;
  std::uint32_t page_count = 0;
  friend bool operator==(const StoredRun&, const StoredRun&) = default;
};
static_assert(sizeof(StoredRun) == 8);

struct Meta {
  std::uint64_t magic = kMagic;
  std::uint32_t format_version = kFormatVersion;
  std::uint32_t page_bytes = 0;
  std::uint64_t compat = 0;
  std::uint64_t ro_compat = 0;
  std::uint64_t incompat = 0;
  std::array<std::uint8_t, 16> file_id = {};
  std::uint64_t checksum_seed = 0;
  std::uint64_t sequence = 0;    // rises with every store of a meta
  std::uint64_t checkpoint = 0;  // number of the checkpoint
  std::uint64_t txn = 0;         // transaction whose state this is
  std::uint64_t id_base = 0;  // ids up to this one may have been used; the next is larger than both
  std::uint64_t page_count = 0;
  TreeRoot catalogue;
  TreeRoot default_table;
  StoredRun map[2];               // the two space maps ...
  std::uint32_t current_map = 0;  // ... and which of them belongs to this checkpoint
  std::uint32_t next_table_id = 1;
  StoredRun log;
  std::uint64_t log_start = 0;  // LSN of the first record that is not part of this checkpoint
  std::uint64_t log_chain = 0;  // checksum of the record before it
  std::uint32_t epoch = 0;      // of the records from log_start on
  std::uint32_t clean = 0;      // 1: nothing was written after this checkpoint
  std::uint64_t checksum = 0;   // XXH3 of the bytes before this field
};
static_assert(sizeof(Meta) == kMetaBytes);
static_assert(offsetof(Meta, format_version) == 8);
static_assert(offsetof(Meta, page_bytes) == 12);
static_assert(offsetof(Meta, compat) == 16);
static_assert(offsetof(Meta, ro_compat) == 24);
static_assert(offsetof(Meta, incompat) == 32);
static_assert(offsetof(Meta, file_id) == 40);
static_assert(offsetof(Meta, checksum_seed) == 56);
static_assert(offsetof(Meta, sequence) == 64);
static_assert(offsetof(Meta, checkpoint) == 72);
static_assert(offsetof(Meta, txn) == 80);
static_assert(offsetof(Meta, id_base) == 88);
static_assert(offsetof(Meta, page_count) == 96);
static_assert(offsetof(Meta, catalogue) == 104);
static_assert(offsetof(Meta, default_table) == 152);
static_assert(offsetof(Meta, map) == 200);
static_assert(offsetof(Meta, current_map) == 216);
static_assert(offsetof(Meta, next_table_id) == 220);
static_assert(offsetof(Meta, log) == 224);
static_assert(offsetof(Meta, log_start) == 232);
static_assert(offsetof(Meta, log_chain) == 240);
static_assert(offsetof(Meta, epoch) == 248);
static_assert(offsetof(Meta, clean) == 252);
static_assert(offsetof(Meta, checksum) == 256);

std::uint64_t meta_checksum(const Meta& meta) noexcept;

// Why a meta cannot be used; `none` when it can.
enum class MetaFault { none, not_a_meta, wrong_version, unknown_feature, damaged };

// Judges bytes from a file. Everything that later code computes with is bounded here: page size,
// page count, runs inside the file's page count and apart from each other, log size and alignment,
// numbers far from their end.
MetaFault judge(const Meta& meta) noexcept;

// The newest usable one of two metas and its slot (0 or 1); or the gravest fault of the two. A
// whole meta with an unknown feature counts beside any other: older states are not gone back to.
struct MetaChoice {
  MetaFault fault = MetaFault::not_a_meta;
  Meta meta;
  int slot = 0;
};
MetaChoice choose(const Meta& first, const Meta& second) noexcept;

// A catalogue entry's value: the table behind a name.
struct TableRecord {
  TreeRoot tree;
  std::uint32_t table_id = 0;    // as log records name it
  std::uint32_t flags = 0;       // kind of table; unknown bits make the table unreadable
  std::uint64_t pair_count = 0;  // of a multimap; tree.entry_count are its keys
};
static_assert(sizeof(TableRecord) == 64);
static_assert(offsetof(TableRecord, table_id) == 48);
static_assert(offsetof(TableRecord, flags) == 52);

static_assert(offsetof(TableRecord, pair_count) == 56);

inline constexpr std::uint32_t kTableIsMultimap = 1;
inline constexpr std::uint32_t kTableFlagsKnown = kTableIsMultimap;

inline bool is_multimap(const TableRecord& record) noexcept {
  return (record.flags & kTableIsMultimap) != 0;
}

}  // namespace quire::format
