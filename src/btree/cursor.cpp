#include "btree/cursor.h"

#include <algorithm>

#include "base/assert.h"
#include "btree/path.h"
#include "format/branch.h"

namespace quire::btree {

using format::BranchView;
using format::LeafEntry;
using format::LeafView;
using format::PagePtr;

namespace {
constexpr std::uint32_t kRecordsAhead = 8;
}

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
    prefetch(view_, pointer, level - 1);
  }
  enter_leaf(pointer);
  path_[0].index = side == Side::first ? 0 : leaf_.count() - 1;
}

void Cursor::enter_leaf(PagePtr pointer) {
  leaf_ = LeafView(view_.read(pointer, 0), view_.page_bytes);
  path_[0].page = pointer.page;
  ahead_ = ahead_end_ = nullptr;
  is_aimed_ = false;
  is_cold_ = true;
}

// Finds the leaf beside this one, where they have the same parent, and begins to load it. Only by
// prefetching, which never faults: nobody has asked for that leaf yet.
void Cursor::aim(Side side) {
  is_aimed_ = true;
  if (height_ < 2) return;
  const BranchView parent(page(1), view_.page_bytes);
  const std::uint32_t index = path_[1].index;
  if (side == Side::first ? index + 1 >= parent.count() : index == 0) return;
  const PagePtr pointer = parent.child(side == Side::first ? index + 1 : index - 1);
  if (pointer.page >= view_.page_count) return;
  prefetch(view_, pointer, 0);
  ahead_ = view_.at(PageId{pointer.page});
  ahead_end_ = ahead_ + view_.page_bytes;
  ahead_step_bytes_ =
      (view_.page_bytes / leaf_.count() / format::kCacheLineBytes + 1) * format::kCacheLineBytes;
}

// Loads what the coming steps will read: of the next leaf some lines with each entry of this one;
// of a leaf that was entered in the middle, the records that come next.
inline void Cursor::look_ahead(Side side) {
  if (ahead_ != ahead_end_) {
    const std::byte* const limit =
        ahead_ + std::min<std::ptrdiff_t>(ahead_step_bytes_, ahead_end_ - ahead_);
    for (; ahead_ < limit; ahead_ += format::kCacheLineBytes) __builtin_prefetch(ahead_);
  }
  if (!is_cold_) return;
  naming_file(view_, [&] {
    prefetch_records(side, is_aimed_ ? kRecordsAhead : 1, kRecordsAhead);
    if (!is_aimed_) aim(side);
  });
}

// Those `first` to `last` entries further on.
void Cursor::prefetch_records(Side side, std::uint32_t first, std::uint32_t last) const {
  const std::uint32_t index = path_[0].index;
  const std::uint32_t left = side == Side::first ? leaf_.count() - 1 - index : index;
  for (std::uint32_t distance = first; distance <= std::min(last, left); ++distance) {
    leaf_.prefetch_record(side == Side::first ? index + distance : index - distance);
  }
}

// Goes on to the first entry of the next leaf, or the last of the previous one. False, and no move,
// when there is none.
bool Cursor::step_across(Side side) {
  const std::string_view before = leaf_.key(0);
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
    const std::string_view after = leaf_.key(0);
    if (side == Side::first ? after <= before : after >= before) {
      view_.corrupt(path_[0].page, "leaves are out of order");
    }
    is_cold_ = false;
    aim(side);
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
      prefetch(view_, pointer, level - 1);
    }
    enter_leaf(pointer);
    const LeafView::Position position = leaf_.lower_bound(key);
    const std::uint32_t index = position.index + (position.found && behind_equal ? 1 : 0);
    path_[0].index = index;
    at_end_ = index == leaf_.count() && !step_across(Side::first);
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

void Cursor::seek_part(double part) {
  at_end_ = true;
  if (!root_) return;
  check_height(view_, root_, height_);
  const auto index_of = [&](std::uint32_t count) {
    const auto index = std::min(static_cast<std::uint32_t>(part * count), count - 1);
    part = part * count - index;
    return index;
  };
  naming_file(view_, [&] {
    PagePtr pointer = root_;
    for (std::uint32_t level = height_; --level > 0;) {
      const BranchView branch(view_.read(pointer, level), view_.page_bytes);
      path_[level] = {pointer.page, index_of(branch.count())};
      pointer = branch.child(path_[level].index);
      prefetch(view_, pointer, level - 1);
    }
    enter_leaf(pointer);
    path_[0].index = index_of(leaf_.count());
  });
  at_end_ = false;
}

void Cursor::seek_finger(const Finger& finger) {
  QUIRE_ASSERT(root_ && finger.height == height_);
  at_end_ = true;
  at_end_ = naming_file(view_, [&] {
    for (std::uint32_t level = 1; level < height_; ++level) {
      const Path::Step& step = finger.path.steps[level];
      path_[level] = {step.pointer.page, step.index};
    }
    enter_leaf(finger.path.steps[0].pointer);
    path_[0].index = finger.path.steps[0].index;
    return path_[0].index == leaf_.count() && !step_across(Side::first);
  });
}

bool Cursor::at_end() const noexcept { return at_end_; }

void Cursor::next() {
  QUIRE_ASSERT(!at_end_);
  if (path_[0].index + 1 < leaf_.count()) [[likely]] {
    ++path_[0].index;
    look_ahead(Side::first);
    return;
  }
  at_end_ = true;  // should a page turn out to be damaged
  at_end_ = naming_file(view_, [&] { return !step_across(Side::first); });
}

bool Cursor::previous() {
  if (at_end_) {
    seek_last();
    return !at_end_;
  }
  if (path_[0].index > 0) {
    --path_[0].index;
    look_ahead(Side::last);
    return true;
  }
  at_end_ = true;  // should a page turn out to be damaged
  const bool moved = naming_file(view_, [&] { return step_across(Side::last); });
  at_end_ = false;
  return moved;
}

LeafEntry Cursor::leaf_entry() const {
  QUIRE_ASSERT(!at_end_);
  return naming_file(view_, [&] { return leaf_.entry(path_[0].index); });
}

Cursor::Entry Cursor::entry() const {
  const LeafEntry found = leaf_entry();
  return {found.key, value_of(view_, found)};
}

std::string_view Cursor::key() const { return leaf_entry().key; }

std::string_view Cursor::value() const { return value_of(view_, leaf_entry()); }

std::optional<format::ExtentRef> Cursor::value_extent() const {
  const LeafEntry found = leaf_entry();
  if (!found.in_extent) return std::nullopt;
  return found.extent();
}

Values Cursor::values() const {
  QUIRE_ASSERT(!at_end_);
  return naming_file(view_, [&] { return Values::of(leaf_.page(), leaf_.entry(path_[0].index)); });
}

bool Cursor::same_place(const Cursor& other) const noexcept {
  if (at_end_ || other.at_end_) return at_end_ == other.at_end_;
  return path_[0].page == other.path_[0].page && path_[0].index == other.path_[0].index;
}

}  // namespace quire::btree
