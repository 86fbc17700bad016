#include <quire/inspect.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "btree/walk.h"
#include "db/handles.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire {
namespace {

using Listener = std::function<void(std::uint64_t done, std::uint64_t total)>;

class Measuring final : public btree::Visitor {
 public:
  Measuring(const pages::PageView& view, const format::TreeRoot& tree, bool is_multimap,
            const Listener& on_progress)
      : view_(view),
        on_progress_(on_progress),
        page_count_(tree.leaf_pages + tree.branch_pages + (is_multimap ? tree.extent_pages : 0)) {
    statistics_.levels.resize(tree.root ? tree.height : 0u);
  }

  bool enter(format::PagePtr, std::uint32_t) override { return true; }

  bool page(PageId, const std::byte* bytes, std::uint32_t level) override {
    const auto& header = *reinterpret_cast<const format::PageHeader*>(bytes);
    const std::uint64_t room = format::page_room_bytes(view_.page_bytes);
    const std::uint64_t slot = level == 0 ? kLeafSlot : kBranchSlot;
    const std::uint64_t used =
        std::min<std::uint64_t>(header.entry_count * slot + header.heap_live, room);
    if (level >= statistics_.levels.size()) statistics_.levels.resize(level + 1u);
    TreeStatistics::Level& at = statistics_.levels[level];
    at.page_count += 1;
    at.entry_count += header.entry_count;
    at.used_bytes += used;
    at.room_bytes += room;
    const std::uint64_t tenths = statistics_.leaves_by_fill.size();
    if (level == 0) ++statistics_.leaves_by_fill[std::min(used * tenths / room, tenths - 1)];
    constexpr std::uint64_t kStep = 64;
    if (++done_ % kStep == 0 && on_progress_) on_progress_(done_, page_count_);
    return true;
  }

  void extent(const format::ExtentRef& extent, std::string_view) override {
    statistics_.extent_count += 1;
    statistics_.extent_bytes += extent.size_bytes;
    statistics_.extent_room_bytes += std::uint64_t{extent.page_count} * view_.page_bytes;
  }

  TreeStatistics take() noexcept { return std::move(statistics_); }

 private:
  static constexpr std::uint64_t kLeafSlot = format::kLeafSlotBytes;
  static constexpr std::uint64_t kBranchSlot = 14;  // head, tail, child

  const pages::PageView& view_;
  const Listener& on_progress_;
  std::uint64_t page_count_;
  std::uint64_t done_ = 0;
  TreeStatistics statistics_;
};

TreeStatistics measure(const detail::ViewState& state, bool is_multimap,
                       const Listener& on_progress) {
  return detail::readable(state.file, [&] {
    Measuring measuring(state.view, state.tree, is_multimap, on_progress);
    btree::walk(state.view, state.tree, measuring);
    return measuring.take();
  });
}

}  // namespace

TreeStatistics stat_tree(const Snapshot& snapshot, Bytes table, const Listener& on_progress) {
  if (snapshot.is_multimap(table)) {
    const MultimapView view = snapshot.multimap(table);
    return measure(detail::MultimapAccess::state(view), true, on_progress);
  }
  const TableView view = snapshot.table(table);
  return measure(detail::TableAccess::state(view), false, on_progress);
}

}  // namespace quire
