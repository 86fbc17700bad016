#include "db/salvage_source.h"

#include <quire/error.h>

#include <algorithm>
#include <cstring>

#include "btree/check_page.h"
#include "format/checksum.h"
#include "format/space_map.h"
#include "shared/layout.h"

namespace quire::db {
namespace {

using format::Meta;
using format::MetaFault;
using format::PageHeader;
using format::PageKind;

bool is_whole(const Meta& meta) noexcept { return format::judge(meta) == MetaFault::none; }

// A meta with one bad byte is whole again when the right one makes its checksum fit, one with a bad
// word when the other's does. Either is proof, not a guess.
bool mend(Meta& meta, const Meta& other) noexcept {
  Meta tried = meta;
  auto* bytes = reinterpret_cast<std::uint8_t*>(&tried);
  for (std::size_t at = 0; at < format::kMetaBytes; ++at) {
    const std::uint8_t before = bytes[at];
    for (int bits = 1; bits < 256; ++bits) {
      bytes[at] = static_cast<std::uint8_t>(before ^ bits);
      if (is_whole(tried)) {
        meta = tried;
        return true;
      }
    }
    bytes[at] = before;
  }
  constexpr std::size_t kWordBytes = 8;
  for (std::size_t at = 0; at < format::kMetaBytes; at += kWordBytes) {
    tried = meta;
    std::memcpy(bytes + at, reinterpret_cast<const std::uint8_t*>(&other) + at, kWordBytes);
    if (is_whole(tried)) {
      meta = tried;
      return true;
    }
  }
  return false;
}

}  // namespace

SalvageSource::SalvageSource(const std::filesystem::path& path, bool guards_faults)
    : file_(path, shared::kAttachedByte, guards_faults), name_(path.string()) {
  if (file_.size_bytes() < format::kReservedBytes) {
    throw Error(Errc::not_a_database, name_ + ": too short to be a quire database");
  }
  view_.base = file_.base();
  view_.file = name_.c_str();
  has_meta_ = take_a_meta();
  if (!has_meta_) take_pages();
  marks_.assign(view_.page_count, false);
  read_marks();
}

bool SalvageSource::take_a_meta() {
  Meta metas[2];
  for (int slot = 0; slot < 2; ++slot) {
    std::memcpy(static_cast<void*>(&metas[slot]), file_.base() + format::kMetaOffset[slot],
                sizeof metas[slot]);
  }
  const Meta found[2] = {metas[0], metas[1]};
  format::MetaChoice choice = format::choose(metas[0], metas[1]);
  if (choice.fault != MetaFault::none) {
    for (int slot = 0; slot < 2; ++slot) static_cast<void>(mend(metas[slot], found[1 - slot]));
    choice = format::choose(metas[0], metas[1]);
  }
  if (choice.fault == MetaFault::wrong_version || choice.fault == MetaFault::unknown_feature) {
    throw Error(Errc::wrong_version, name_ + ": made by another version of quire; use that one");
  }
  if (choice.fault != MetaFault::none) return false;
  meta_ = choice.meta;
  set_geometry(meta_.page_bytes, meta_.checksum_seed);
  return true;
}

void SalvageSource::set_geometry(std::uint32_t page_bytes, std::uint64_t seed) noexcept {
  view_.page_bytes = page_bytes;
  view_.checksum_seed = seed;
  view_.page_count = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(file_.size_bytes() / page_bytes, UINT32_MAX));
}

// Bears its own number and a known kind.
bool SalvageSource::is_plausible_page(std::uint64_t page) const noexcept {
  const auto* header =
      reinterpret_cast<const PageHeader*>(view_.at(PageId{static_cast<std::uint32_t>(page)}));
  return page != 0 && header->page == page && header->kind >= PageKind::branch &&
         header->kind <= PageKind::map;
}

bool SalvageSource::proves_seed(std::uint64_t seed) const noexcept {
  for (std::uint64_t page = 0; page < view_.page_count; ++page) {
    if (!is_plausible_page(page)) continue;
    const std::byte* bytes = view_.at(PageId{static_cast<std::uint32_t>(page)});
    if (format::page_checksum(bytes, view_.page_bytes, seed) ==
        reinterpret_cast<const PageHeader*>(bytes)->checksum)
      return true;
  }
  return false;
}

// Without metas: the page size under which the most pages bear their own numbers, the seed under
// which one of them has its checksum, the newest space map.
void SalvageSource::take_pages() {
  std::uint64_t most = 0;
  std::uint32_t best_bytes = 0;
  for (std::uint32_t bytes = format::kPageBytesMin; bytes <= format::kPageBytesMax; bytes *= 2) {
    set_geometry(bytes, 0);
    std::uint64_t count = 0;
    for (std::uint64_t page = 0; page < view_.page_count; ++page) {
      count += is_plausible_page(page) ? 1 : 0;
    }
    if (count > most) {
      most = count;
      best_bytes = bytes;
    }
  }
  if (best_bytes == 0) throw Error(Errc::not_a_database, name_ + ": not a quire database");
  set_geometry(best_bytes, 0);
  has_seed_ = false;
  for (const std::uint64_t offset : format::kMetaOffset) {
    std::uint64_t seed;
    std::memcpy(&seed, view_.base + offset + offsetof(Meta, checksum_seed), sizeof seed);
    if (has_seed_ || !proves_seed(seed)) continue;
    has_seed_ = true;
    view_.checksum_seed = seed;
  }
  meta_ = {};
  meta_.page_bytes = best_bytes;
  meta_.txn = UINT64_MAX;
  doubts_.push_back(
      "both metas are damaged: trees were pieced together from the pages that the newest space map "
      "calls used; commits since the last checkpoint are missing");
  if (!has_seed_) {
    doubts_.push_back(
        "the seed of the checksums is lost with the metas: no checksum could be verified");
  }
}

void SalvageSource::read_marks() {
  if (has_meta_) {
    const format::StoredRun& map = meta_.map[meta_.current_map];
    const std::uint64_t needed = format::map_pages_needed(meta_.page_count, meta_.page_bytes);
    has_marks_ =
        needed <= map.page_count && std::uint64_t{map.first_page} + needed <= view_.page_count;
    for (std::uint32_t index = 0; has_marks_ && index < needed; ++index) {
      const PageId page{map.first_page + index};
      has_marks_ = format::judge_map_page(view_.at(page), page, index, meta_.checkpoint,
                                          view_.page_bytes, view_.checksum_seed) == nullptr;
      if (has_marks_) mark_pages_of(page.value, index);
    }
    for (const auto& run : {meta_.map[0], meta_.map[1], meta_.log}) unmark(run);
    unmark({0, static_cast<std::uint32_t>(format::kReservedBytes / view_.page_bytes)});
    return;
  }
  std::uint64_t newest = 0;
  for (const bool choosing : {true, false}) {
    for (std::uint64_t page = 0; page < view_.page_count; ++page) {
      const PageId id{static_cast<std::uint32_t>(page)};
      const auto* header = reinterpret_cast<const format::MapPageHeader*>(view_.at(id));
      if (!is_plausible_page(page) || header->kind != PageKind::map) continue;
      if (has_seed_ && format::page_checksum(view_.at(id), view_.page_bytes, view_.checksum_seed) !=
                           header->checksum)
        continue;
      if (choosing) newest = std::max(newest, header->checkpoint);
      if (!choosing && header->checkpoint == newest) mark_pages_of(id.value, header->index);
    }
  }
  has_marks_ = newest != 0;
  if (!has_marks_) {
    throw Error(Errc::corrupt, name_ + ": neither the metas nor a space map can be made out");
  }
}

void SalvageSource::mark_pages_of(std::uint32_t map_page, std::uint32_t index) {
  const std::uint64_t bits = format::map_page_bits(view_.page_bytes);
  const std::uint64_t* words = format::map_words(view_.at(PageId{map_page}));
  for (std::uint64_t bit = 0; bit < bits && index * bits + bit < marks_.size(); ++bit) {
    if ((words[bit / 64] >> bit % 64 & 1) != 0) marks_[index * bits + bit] = true;
  }
}

void SalvageSource::unmark(const format::StoredRun& run) noexcept {
  const std::uint64_t limit =
      std::min<std::uint64_t>(std::uint64_t{run.first_page} + run.page_count, marks_.size());
  for (std::uint64_t page = run.first_page; page < limit; ++page) marks_[page] = false;
}

std::uint64_t SalvageSource::expected_pages() const noexcept {
  if (!has_marks_) return view_.page_count;
  return static_cast<std::uint64_t>(std::count(marks_.begin(), marks_.end(), true));
}

std::string SalvageSource::fault_of(format::PagePtr pointer, std::uint32_t level,
                                    const btree::KeyRange& keys) const {
  if (const char* reason = view_.fault_of(pointer, level)) return reason;
  const std::byte* bytes = view_.at(PageId{pointer.page});
  const PageHeader& header = format::header_of(bytes);
  if (header.birth > meta_.txn) return "the page is younger than the checkpoint";
  if (has_seed_ &&
      format::page_checksum(bytes, view_.page_bytes, view_.checksum_seed) != header.checksum) {
    return "checksum mismatch";
  }
  std::string first;
  const auto report = [&](const std::string& reason) {
    if (first.empty()) first = reason;
  };
  try {
    if (level == 0) {
      btree::judge_leaf(format::LeafView(bytes, view_.page_bytes), view_.page_bytes, keys, report);
    } else {
      btree::judge_branch(format::BranchView(bytes, view_.page_bytes), keys, report);
    }
  } catch (const format::Damage& damage) {
    return damage.what();
  }
  return first;
}

std::string SalvageSource::fault_of(const format::ExtentRef& extent) const {
  if (const char* reason = view_.fault_of(extent)) return reason;
  // The value's own checksum needs the seed as well.
  if (has_seed_ && format::checksum(view_.at(PageId{extent.first_page}), extent.size_bytes,
                                    view_.checksum_seed) != extent.checksum) {
    return "checksum mismatch of a value";
  }
  return {};
}

}  // namespace quire::db
