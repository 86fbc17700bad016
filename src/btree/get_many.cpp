#include <algorithm>

#include "base/assert.h"
#include "btree/path.h"
#include "btree/tree.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::LeafView;
using format::PagePtr;

// Descents side by side. More of them wait for each other in the processor's queue of loads.
constexpr std::size_t kGroup = 12;

// All leaves have the same depth, so the descents stay on the same level: every step is done for
// all of them before the next.
class Group {
 public:
  Group(const pages::PageView& view, const format::TreeRoot& tree, std::span<const Bytes> keys)
      : view_(view), keys_(keys), root_level_(tree.height - std::uint32_t{1}) {
    std::fill_n(pointers_, keys_.size(), tree.root);
  }

  void find(std::span<std::optional<Bytes>> values) {
    for (std::uint32_t level = root_level_; level > 0; --level) step_down(level);
    look_up();
    for (std::size_t i = 0; i < keys_.size(); ++i) values[i] = value(i);
  }

 private:
  // Reads a level's pages, and starts loading what the searches in them will look at.
  void step_down(std::uint32_t level) {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      branches_[i] = view_.read(pointers_[i], level);
      if (level < root_level_) branch(i).prefetch_search(keys_[i]);
    }
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const BranchView parent = branch(i);
      pointers_[i] = parent.child(parent.search(keys_[i]));
      prefetch(view_, pointers_[i], level - 1);
    }
  }

  BranchView branch(std::size_t i) const { return BranchView(branches_[i], view_.page_bytes); }

  void look_up() {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      leaves_[i] = LeafView(view_.read(pointers_[i], 0), view_.page_bytes);
      candidates_[i] = leaves_[i].candidate(format::SearchKey(keys_[i]));
      if (candidates_[i] < leaves_[i].count()) leaves_[i].prefetch_record(candidates_[i]);
    }
  }

  std::optional<Bytes> value(std::size_t i) const {
    format::LeafEntry entry;
    if (!leaves_[i].find_from(candidates_[i], keys_[i], entry)) return std::nullopt;
    return value_of(view_, entry);
  }

  const pages::PageView& view_;
  std::span<const Bytes> keys_;
  std::uint32_t root_level_;
  PagePtr pointers_[kGroup];
  const std::byte* branches_[kGroup];
  LeafView leaves_[kGroup];
  std::uint32_t candidates_[kGroup];
};

}  // namespace

void get_many(const pages::PageView& view, const format::TreeRoot& tree,
              std::span<const Bytes> keys, std::span<std::optional<Bytes>> values) {
  QUIRE_ASSERT(values.size() >= keys.size());
  if (!tree.root) {
    std::fill_n(values.begin(), keys.size(), std::nullopt);
    return;
  }
  check_height(view, tree.root, tree.height);
  naming_file(view, [&] {
    for (std::size_t first = 0; first < keys.size(); first += kGroup) {
      const std::size_t count = std::min(kGroup, keys.size() - first);
      Group(view, tree, keys.subspan(first, count)).find(values.subspan(first, count));
    }
  });
}

}  // namespace quire::btree
