#include "btree/appender.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "btree/path.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::LeafEntry;
using format::PagePtr;
using format::TreeRoot;
using pages::PageSpace;

constexpr std::uint32_t kRunBytes = 64 << 10;  // of the largest page, one
constexpr std::size_t kAlignment = 64;

// So many new entries in order make it worth while to move the last leaf into memory and back.
constexpr std::uint32_t kRunCountMin = 32;

bool is_writable(const Path& path, std::uint32_t height) noexcept {
  for (std::uint32_t level = 0; level < height; ++level) {
    if (path.steps[level].bytes == nullptr) return false;
  }
  return true;
}

}  // namespace

bool Appender::open_in_run(PageSpace& space, TreeRoot& tree, Finger& finger) {
  const Path::Step& step = finger.path.steps[0];
  if (finger.run_count < kRunCountMin || finger.height == 0) return false;
  if (step.index != step.count || !is_right_edge(finger.path, tree.height)) return false;
  // Searches that find nothing count as a run, too, and make nothing writable.
  if (!is_writable(finger.path, tree.height)) return false;
  page_bytes_ = space.view().page_bytes;
  if (!memory_) {
    memory_ = std::make_unique_for_overwrite<std::byte[]>(kRunBytes + kAlignment);
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
    buffer_ = memory_.get() + (kAlignment - address % kAlignment) % kAlignment;
  }
  run_first_ = PageId{step.pointer.page};
  run_count_ = 1;
  std::memcpy(buffer_, step.bytes, page_bytes_);
  naming_file(space.view(), [&] { filler_.resume(buffer_, page_bytes_); });
  space_ = &space;
  tree_ = &tree;
  finger_ = &finger;
  return true;
}

Appender::Outcome Appender::append(Bytes key, Bytes value) {
  if (filler_.last_key().compare(key) >= 0) return Outcome::not_behind;
  if (!filler_.append({key, value, false})) return Outcome::leaf_full;
  ++tree_->entry_count;
  return Outcome::stored;
}

void Appender::append_in_fresh_leaf(Bytes key, Bytes value) {
  QUIRE_ASSERT(space_->free_pages() >= pages_needed(*tree_));
  const std::uint32_t shared_bytes = format::common_prefix_bytes(filler_.last_key(), key);
  naming_file(space_->view(), [&] { filler_.finish(); });
  alignas(8) std::byte header[sizeof(format::PageHeader)];
  PagePtr pointer;
  space_->create_at(header, 0, &pointer);
  const bool follows = pointer.page == run_first_.value + run_count_;
  if (!follows || (run_count_ + 1) * page_bytes_ > kRunBytes) {
    space_->write(run_first_, buffer_, run_count_);
    run_first_ = PageId{pointer.page};
    run_count_ = 0;
  }
  ++run_count_;
  std::memcpy(leaf(), header, sizeof header);
  filler_.start(leaf(), page_bytes_);
  const bool fits = filler_.append({key, value, false});
  QUIRE_ASSERT(fits);
  ++tree_->leaf_pages;
  ++tree_->entry_count;
  const Bytes separator = filler_.last_key().substr(0, shared_bytes + 1);
  naming_file(space_->view(), [&] {
    go_right(add_child(*space_, *tree_, finger_->path, separator, pointer, true));
  });
}

// To the leaf that the branch at `level` has taken in without being split.
void Appender::go_right(std::uint32_t level) {
  Path& path = finger_->path;
  if (level == 1 && tree_->height == finger_->height) {
    ++path.steps[1].index;
    ++path.steps[1].count;
    return;
  }
  PagePtr pointer = tree_->root;
  for (level = tree_->height; --level > 0;) {
    const std::byte* bytes = space_->view().read(pointer, level);
    const format::BranchView branch(bytes, page_bytes_);
    const std::uint32_t count = branch.count();
    path.steps[level] = {pointer, count - 1, count, space_->if_writable(pointer, bytes)};
    if (path.steps[level].bytes == nullptr) format::damaged(bytes, "branch has changed meanwhile");
    pointer = branch.child(count - 1);
  }
  finger_->height = tree_->height;
}

void Appender::close() {
  PageSpace& space = *space_;
  naming_file(space.view(), [&] { filler_.finish(); });
  space.write(run_first_, buffer_, run_count_);
  finger_->forget();
  space_ = nullptr;
}

}  // namespace quire::btree
