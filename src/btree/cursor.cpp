#include "btree/cursor.h"

#include "base/assert.h"
#include "btree/path.h"
#include "format/branch.h"

namespace quire::btree {

using format::BranchView;
using format::LeafEntry;
using format::LeafView;
using format::PagePtr;

Cursor::Cursor(const pages::PageView& view, const format::TreeRoot& tree) noexcept
    : view_(view), root_(tree.root), height_(tree.height) {}

const std::byte* Cursor::page(std::uint32_t level) const noexcept {
  return view_.at(PageId{path_[level].page});
}

// Takes the path from `level` down to the first or last entry below `pointer`.
void Cursor::step_down(PagePtr pointer, std::uint32_t level, Side side) {
  for (; level > 0; --level) {
    const BranchView branch(view_.read(pointer, level), view_.page_bytes);
    const std::uint32_t index = side == Side::first ? 0 : branch.count() - 1;
    path_[level] = {pointer.page, index};
    pointer = branch.child(index);
    prefetch(view_, pointer);
  }
  const LeafView leaf(view_.read(pointer, 0), view_.page_bytes);
  path_[0] = {pointer.page, side == Side::first ? 0 : leaf.count() - 1};
}

// Goes on to the first entry of the next leaf, or the last of the previous one. False, and no move,
// when there is none.
bool Cursor::step_across(Side side) {
  const std::string_view before = LeafView(page(0), view_.page_bytes).key(0);
  for (std::uint32_t level = 1; level < height_; ++level) {
    const BranchView branch(page(level), view_.page_bytes);
    std::uint32_t& index = path_[level].index;
    if (side == Side::first) {
      if (index + 1 >= branch.count()) continue;
      ++index;
    } else {
      if (index == 0) continue;
      --index;
    }
    step_down(branch.child(index), level - 1, side);
    // First keys that rise from leaf to leaf are what ends an iteration in a file that leads in
    // circles.
    const std::string_view after = LeafView(page(0), view_.page_bytes).key(0);
    if (side == Side::first ? after <= before : after >= before) {
      view_.corrupt(path_[0].page, "leaves are out of order");
    }
    return true;
  }
  return false;
}

void Cursor::seek_first() {
  at_end_ = true;
  if (!root_) return;
  check_height(view_, root_, height_);
  naming_file(view_, [&] { step_down(root_, height_ - 1, Side::first); });
  at_end_ = false;
}

void Cursor::seek_last() {
  at_end_ = true;
  if (!root_) return;
  check_height(view_, root_, height_);
  naming_file(view_, [&] { step_down(root_, height_ - 1, Side::last); });
  at_end_ = false;
}

void Cursor::seek_end() noexcept { at_end_ = true; }

// To the first entry >= key, or > key; true when the tree has the key.
bool Cursor::seek(std::string_view key, bool behind_equal) {
  at_end_ = true;
  if (!root_) return false;
  check_height(view_, root_, height_);
  return naming_file(view_, [&] {
    PagePtr pointer = root_;
    for (std::uint32_t level = height_; --level > 0;) {
      const BranchView branch(view_.read(pointer, level), view_.page_bytes);
      const std::uint32_t index = branch.search(key);
      path_[level] = {pointer.page, index};
      pointer = branch.child(index);
      prefetch(view_, pointer);
    }
    const LeafView leaf(view_.read(pointer, 0), view_.page_bytes);
    const LeafView::Position position = leaf.lower_bound(key);
    const std::uint32_t index = position.index + (position.found && behind_equal ? 1 : 0);
    path_[0] = {pointer.page, index};
    at_end_ = index == leaf.count() && !step_across(Side::first);
    return position.found;
  });
}

void Cursor::seek_lower_bound(std::string_view key) { seek(key, false); }

void Cursor::seek_upper_bound(std::string_view key) { seek(key, true); }

bool Cursor::seek_exact(std::string_view key) {
  const bool found = seek(key, false);
  at_end_ = !found;
  return found;
}

bool Cursor::at_end() const noexcept { return at_end_; }

void Cursor::next() {
  QUIRE_ASSERT(!at_end_);
  at_end_ = true;  // should a page turn out to be damaged
  at_end_ = naming_file(view_, [&] {
    if (path_[0].index + 1 >= LeafView(page(0), view_.page_bytes).count()) {
      return !step_across(Side::first);
    }
    ++path_[0].index;
    return false;
  });
}

bool Cursor::previous() {
  if (at_end_) {
    seek_last();
    return !at_end_;
  }
  if (path_[0].index > 0) {
    --path_[0].index;
    return true;
  }
  at_end_ = true;  // should a page turn out to be damaged
  const bool moved = naming_file(view_, [&] { return step_across(Side::last); });
  at_end_ = false;
  return moved;
}

LeafEntry Cursor::entry() const {
  QUIRE_ASSERT(!at_end_);
  return naming_file(view_,
                     [&] { return LeafView(page(0), view_.page_bytes).entry(path_[0].index); });
}

std::string_view Cursor::key() const { return entry().key; }

std::string_view Cursor::value() const {
  const LeafEntry found = entry();
  if (!found.in_extent) return found.value;
  const format::ExtentRef extent = found.extent();
  return format::view_of(view_.extent(extent), extent.size_bytes);
}

std::optional<format::ExtentRef> Cursor::value_extent() const {
  const LeafEntry found = entry();
  if (!found.in_extent) return std::nullopt;
  return found.extent();
}

bool Cursor::same_place(const Cursor& other) const noexcept {
  if (at_end_ || other.at_end_) return at_end_ == other.at_end_;
  return path_[0].page == other.path_[0].page && path_[0].index == other.path_[0].index;
}

}  // namespace quire::btree
