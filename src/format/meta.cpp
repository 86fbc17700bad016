#include "format/meta.h"

#include <algorithm>

#include "format/checksum.h"
#include "format/record.h"

namespace quire::format {
namespace {

bool lies_inside(const StoredRun& run, const Meta& meta) noexcept {
  return run.page_count > 0 && run.first_page >= kReservedBytes / meta.page_bytes &&
         run.first_page < meta.page_count && run.page_count <= meta.page_count - run.first_page;
}

bool is_plausible(const TreeRoot& tree, const Meta& meta) noexcept {
  if (!tree.root) return tree.height == 0;
  return tree.height >= 1 && tree.height <= kTreeHeightMax && tree.root.page < meta.page_count;
}

bool overlap(const StoredRun& a, const StoredRun& b) noexcept {
  return a.first_page < std::uint64_t{b.first_page} + b.page_count &&
         b.first_page < std::uint64_t{a.first_page} + a.page_count;
}

// Numbers that rise by one, or by the bytes of a log, never come near this.
bool can_rise(std::uint64_t number) noexcept { return number < std::uint64_t{1} << 62; }

bool can_go_on(const Meta& meta) noexcept {
  return can_rise(meta.sequence) && can_rise(meta.checkpoint) && can_rise(meta.txn) &&
         can_rise(meta.id_base) && can_rise(meta.log_start) && meta.txn > 0;
}

bool is_consistent(const Meta& meta) noexcept {
  if (!is_page_size(meta.page_bytes) || meta.page_count > UINT32_MAX) return false;
  if (meta.current_map > 1 || meta.clean > 1 || !can_go_on(meta)) return false;
  if (overlap(meta.map[0], meta.map[1]) || overlap(meta.map[0], meta.log) ||
      overlap(meta.map[1], meta.log)) {
    return false;
  }
  const std::uint64_t log_bytes = std::uint64_t{meta.log.page_count} * meta.page_bytes;
  if (log_bytes < kLogBytesMin || meta.log_start % kRecordAlignment != 0) return false;
  if (log_bytes - meta.log_start % log_bytes < sizeof(RecordHeader)) return false;
  return lies_inside(meta.map[0], meta) && lies_inside(meta.map[1], meta) &&
         lies_inside(meta.log, meta) && is_plausible(meta.catalogue, meta) &&
         is_plausible(meta.default_table, meta);
}

}  // namespace

std::uint64_t meta_checksum(const Meta& meta) noexcept {
  return checksum(reinterpret_cast<const std::byte*>(&meta), offsetof(Meta, checksum), 0);
}

MetaFault judge(const Meta& meta) noexcept {
  if (meta.magic != kMagic) return MetaFault::not_a_meta;
  if (meta.format_version != kFormatVersion) return MetaFault::wrong_version;
  if (meta.checksum != meta_checksum(meta)) return MetaFault::damaged;
  if ((meta.incompat & ~kIncompatKnown) != 0) return MetaFault::unknown_feature;
  return is_consistent(meta) ? MetaFault::none : MetaFault::damaged;
}

MetaChoice choose(const Meta& first, const Meta& second) noexcept {
  const MetaFault faults[2] = {judge(first), judge(second)};
  for (const MetaFault fault : faults) {
    if (fault == MetaFault::unknown_feature) return {fault, {}, 0};
  }
  const bool second_wins = faults[1] == MetaFault::none &&
                           (faults[0] != MetaFault::none || second.sequence > first.sequence);
  if (second_wins) return {MetaFault::none, second, 1};
  if (faults[0] == MetaFault::none) return {MetaFault::none, first, 0};
  return {std::max(faults[0], faults[1]), {}, 0};
}

}  // namespace quire::format
