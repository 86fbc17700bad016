// An allocator on a lock file of its own, and short transactions on it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "pages/allocator.h"
#include "storage/descriptor.h"
#include "storage/region_file.h"
#include "support/scratch.h"

namespace quire::test {

inline constexpr std::uint64_t kPages = 1000;
inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kRegionBytes = 64 * kMiB;

class PageAllocator : public ::testing::Test {
 protected:
  PageAllocator()
      : like_(storage::open_file(directory_.file("data"), O_RDWR | O_CREAT, 0600)),
        region_(directory_.file("data.lock"), like_.get()) {
    region_.reset(kRegionBytes, 4096);
    region_.map(kRegionBytes);
    region_.ensure(0, 4096);
    tables_ = tables_in(region_);
    allocator_.emplace(tables_);
    allocator_->reset(kPages);
    allocator_->recount();
  }

  static pages::AllocatorTables tables_in(storage::RegionFile& region) {
    return {.region = &region,
            .control = reinterpret_cast<pages::AllocatorControl*>(region.base()),
            .bitmap_offset = kMiB,
            .areas_offset = 2 * kMiB,
            .deferred_offset = 16 * kMiB,
            .undo_offset = 8 * kMiB,
            .segments_offset = 4 * kMiB,
            .parked_offset = 48 * kMiB,
            .page_capacity = kMiB * 8,
            .deferred_capacity = kMiB,
            .undo_capacity = kMiB,
            .segment_capacity = 4096};
  }

  // Another process's hold on the same tables.
  pages::Allocator successor() const { return pages::Allocator(tables_); }

  std::uint64_t used_count() const {
    std::uint64_t used = 0;
    for (std::uint32_t page = 0; page < kPages; ++page)
      used += allocator_->is_used(PageId{page}) ? 1 : 0;
    return used;
  }

  // A transaction that takes so many pages. Returns them.
  std::vector<PageId> commit_taking(std::uint64_t txn, std::uint64_t count) {
    allocator_->begin(TxnId{txn}, tail_);
    std::vector<PageId> pages;
    for (std::uint64_t i = 0; i < count; ++i) pages.push_back(allocator_->allocate());
    allocator_->end();
    return pages;
  }

  void commit_freeing(std::uint64_t txn, const std::vector<PageId>& pages, std::uint64_t birth,
                      bool is_extent = false) {
    allocator_->begin(TxnId{txn}, tail_);
    for (const PageId page : pages) allocator_->free_later({page, 1}, TxnId{birth}, is_extent);
    tail_ = allocator_->deferred_tail();
    allocator_->end();
  }

  static std::vector<pages::PinnedStates> states_of(const std::vector<TxnId>& pins) {
    std::vector<pages::PinnedStates> states;
    for (const TxnId pin : pins) states.push_back({pin, pin});
    return states;
  }

  std::uint64_t sweep(std::vector<TxnId> pins, std::uint64_t published, std::uint64_t checkpoint) {
    std::sort(pins.begin(), pins.end());
    const auto states = states_of(pins);
    return allocator_->sweep(tail_, {states, TxnId{published}, TxnId{checkpoint}});
  }

  ScratchDirectory directory_;
  storage::Descriptor like_;
  storage::RegionFile region_;
  pages::AllocatorTables tables_;
  std::optional<pages::Allocator> allocator_;
  std::uint64_t tail_ = 0;
};

}  // namespace quire::test
