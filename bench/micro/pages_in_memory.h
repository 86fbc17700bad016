// A file of pages in memory with its allocator: what writing pages stands on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "format/page.h"
#include "pages/allocator.h"
#include "pages/page_space.h"
#include "storage/region_file.h"

namespace quire::bench {

// An allocator for up to eight million pages, all of them free but those where a file's metas are.
class AllocatorInMemory {
 public:
  explicit AllocatorInMemory(std::uint64_t page_count) : region_(storage::RegionFile::in_memory()) {
    region_.reset(kRegionBytes, kRegionBytes);
    region_.map(kRegionBytes);
    region_.ensure(0, kRegionBytes);
    allocator_.emplace(pages::AllocatorTables{
        .region = &region_,
        .control = reinterpret_cast<pages::AllocatorControl*>(region_.base()),
        .bitmap_offset = kMiB,
        .areas_offset = 2 * kMiB,
        .deferred_offset = 64 * kMiB,
        .undo_offset = 8 * kMiB,
        .segments_offset = 4 * kMiB,
        .parked_offset = 128 * kMiB,
        .page_capacity = 8 * kMiB,
        .deferred_capacity = kMiB,
        .undo_capacity = kMiB,
        .segment_capacity = 4096});
    allocator_->reset(page_count);
    allocator_->mark_used({PageId{0}, kReservedPages});
    allocator_->recount();
    begin();
  }

  // A transaction is always open.
  pages::Allocator& get() noexcept { return *allocator_; }
  TxnId txn() const noexcept { return txn_; }

  // Ends it and begins the next; what was freed before may be allocated again.
  void commit_and_sweep() {
    allocator_->retire_spare();
    tail_ = allocator_->deferred_tail();
    allocator_->end();
    const pages::PinnedStates pinned{txn_, txn_};
    begin();
    allocator_->sweep(tail_, {std::span(&pinned, 1), pinned.first, pinned.first});
  }

 private:
  static constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  static constexpr std::uint64_t kRegionBytes = 256 * kMiB;
  static constexpr std::uint32_t kReservedPages = format::kReservedBytes / 4096;

  void begin() {
    txn_ = {txn_.value + 1};
    allocator_->begin(txn_, tail_);
  }

  storage::RegionFile region_;
  std::optional<pages::Allocator> allocator_;
  std::uint64_t tail_ = 0;
  TxnId txn_{1};
};

// Marks every second page as used, which leaves `hole_count` free pages without neighbours, and
// behind them whatever the file has.
inline void scatter(pages::Allocator& allocator, std::uint32_t hole_count) {
  for (std::uint32_t i = 0; i < hole_count; ++i) allocator.mark_used({PageId{2 * i + 1}, 1});
  allocator.recount();
}

}  // namespace quire::bench
