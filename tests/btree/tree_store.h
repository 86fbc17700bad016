// A file of pages in memory, mapped twice as the real one is, with its allocator: all that trees
// stand on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/id.h"
#include "btree/cursor.h"
#include "btree/erase_range.h"
#include "btree/tree.h"
#include "btree/walk.h"
#include "format/leaf.h"
#include "format/page.h"
#include "pages/allocator.h"
#include "pages/page_space.h"
#include "pages/page_view.h"
#include "storage/descriptor.h"
#include "storage/region_file.h"
#include "support/scratch.h"

namespace quire::test {

using Model = std::map<std::string, std::string>;

// Hears what check_tree says about one tree.
class Findings final : public btree::CheckSink {
 public:
  void fault(std::uint64_t page, const std::string& reason,
             const std::optional<btree::KeyRange>&) override {
    faults.push_back("page " + std::to_string(page) + ": " + reason);
  }
  bool used(PageRun run, const btree::KeyRange&) override {
    bool is_new = true;
    for (std::uint32_t i = 0; i < run.page_count && is_new; ++i) {
      is_new = pages.insert(run.first.value + i).second;
    }
    if (!is_new) faults.push_back("page " + std::to_string(run.first.value) + ": used twice");
    return is_new;
  }

  std::vector<std::string> faults;
  std::set<std::uint32_t> pages;
};

class TreeStore {
 public:
  TreeStore(std::uint32_t page_bytes, std::uint32_t page_count)
      : region_file_(storage::open_file(directory_.file("data"), O_RDWR | O_CREAT, 0600)),
        region_(directory_.file("region"), region_file_.get()),
        size_bytes_(std::size_t{page_bytes} * page_count) {
    const int memory = ::memfd_create("pages", MFD_CLOEXEC);
    if (memory < 0 || ::ftruncate(memory, static_cast<off_t>(size_bytes_)) != 0) {
      throw std::runtime_error("memfd failed");
    }
    view_.base = map(memory, PROT_READ);
    write_base_ = map(memory, PROT_READ | PROT_WRITE);
    ::close(memory);
    view_.page_bytes = page_bytes;
    view_.page_count = page_count;
    view_.checksum_seed = 4711;
    view_.file = "test.quire";
    make_allocator(page_count);
  }
  TreeStore(const TreeStore&) = delete;
  TreeStore& operator=(const TreeStore&) = delete;
  ~TreeStore() {
    ::munmap(const_cast<std::byte*>(view_.base), size_bytes_);
    ::munmap(write_base_, size_bytes_);
  }

  const pages::PageView& view() const { return view_; }
  pages::PageSpace& space() { return *space_; }
  pages::Allocator& allocator() { return *allocator_; }
  TxnId txn() const { return txn_; }
  TxnId sealed() const { return sealed_; }
  std::byte* page(std::uint32_t number) const {
    return write_base_ + std::size_t{number} * view_.page_bytes;
  }

  // A transaction is always open; this ends it and begins the next.
  void commit() {
    allocator_->retire_spare();
    deferred_tail_ = allocator_->deferred_tail();
    allocator_->end();
    begin();
  }

  // Forgets what the open transaction did.
  void roll_back() {
    allocator_->repair({txn_.value - 1});
    begin();
  }

  // Gives back what no tree of a committed transaction but the newest needs.
  void sweep() {
    commit();
    const TxnId newest{txn_.value - 1};
    const pages::PinnedStates pinned{newest, newest};
    allocator_->sweep(deferred_tail_, {std::span(&pinned, 1), newest, newest});
  }

  // As a checkpoint does: from here on the pages of the tree carry checksums.
  void seal(const format::TreeRoot& tree) {
    class Sealing final : public btree::Visitor {
     public:
      explicit Sealing(TreeStore& store) : store_(store) {}
      bool enter(format::PagePtr, std::uint32_t) override { return true; }
      bool page(PageId page, const std::byte* bytes, std::uint32_t) override {
        auto* header = reinterpret_cast<format::PageHeader*>(store_.page(page.value));
        header->checksum = format::page_checksum(bytes, store_.view_.page_bytes, 4711);
        return true;
      }
      void extent(const format::ExtentRef&, std::string_view) override {}

     private:
      TreeStore& store_;
    } sealing(*this);
    btree::walk(view_, tree, sealing);
    sealed_ = txn_;
    commit();
  }

  // Values beyond the leaf's limit go to extents.
  bool put(format::TreeRoot& tree, std::string_view key, std::string_view value,
           btree::PutMode mode = btree::PutMode::upsert) {
    btree::Finger& finger = finger_of(tree);
    const bool found = btree::locate(*space_, tree, key, finger);
    if (found && mode == btree::PutMode::insert_only) return false;
    if (format::is_inline(key.size(), value.size(), view_.page_bytes)) {
      btree::put_at(*space_, tree, finger, key, {value, nullptr}, found);
      return !found;
    }
    const auto bytes = reinterpret_cast<const std::byte*>(value.data());
    const auto extent = space_->store_extent(bytes, value.size());
    if (!extent) throw std::runtime_error("test file too small");
    btree::put_at(*space_, tree, finger, key, {{}, &*extent}, found);
    return !found;
  }

  bool erase(format::TreeRoot& tree, std::string_view key) {
    btree::Finger& finger = finger_of(tree);
    if (!btree::locate(*space_, tree, key, finger)) return false;
    btree::erase_at(*space_, tree, finger);
    return true;
  }

  // The way to where the tree was changed last may lead to pages that are no more.
  std::uint64_t erase_range(format::TreeRoot& tree, std::string_view first,
                            std::optional<std::string_view> limit) {
    finger_of(tree).forget();
    return btree::erase_range(*space_, tree, first, limit);
  }

  // `pair_count`: of a multimap.
  Findings check(const format::TreeRoot& tree, std::optional<std::uint64_t> pair_count = {}) const {
    Findings findings;
    btree::check_tree(view_, tree, sealed_, txn_, findings, pair_count);
    return findings;
  }

  void expect_sound(const format::TreeRoot& tree,
                    std::optional<std::uint64_t> pair_count = {}) const {
    const Findings findings = check(tree, pair_count);
    for (const std::string& fault : findings.faults) ADD_FAILURE() << fault;
  }

  // After a sweep: the pages of the tree are used, all others free.
  void expect_no_leak(const format::TreeRoot& tree, std::optional<std::uint64_t> pair_count = {}) {
    sweep();
    const Findings findings = check(tree, pair_count);
    for (std::uint32_t page = reserved_pages(); page < view_.page_count; ++page) {
      ASSERT_EQ(allocator_->is_used(PageId{page}), findings.pages.contains(page)) << page;
    }
    ASSERT_EQ(tree.branch_pages + tree.leaf_pages + tree.extent_pages, findings.pages.size());
  }

  // Forwards and backwards.
  void expect_equal(const format::TreeRoot& tree, const Model& model) const {
    ASSERT_EQ(tree.entry_count, model.size());
    btree::Cursor cursor(view_, tree);
    cursor.seek_first();
    for (const auto& [key, value] : model) {
      ASSERT_FALSE(cursor.at_end());
      ASSERT_EQ(cursor.key(), key);
      ASSERT_EQ(cursor.value(), value);
      cursor.next();
    }
    ASSERT_TRUE(cursor.at_end());
    for (auto entry = model.rbegin(); entry != model.rend(); ++entry) {
      ASSERT_TRUE(cursor.previous());
      ASSERT_EQ(cursor.key(), entry->first);
    }
    ASSERT_FALSE(cursor.previous());
  }

 private:
  std::uint32_t reserved_pages() const { return format::kReservedBytes / view_.page_bytes; }

  // Of the tree that stands there, as long as only this class changes it.
  btree::Finger& finger_of(const format::TreeRoot& tree) {
    btree::Finger& finger = fingers_[&tree];
    if (finger.height == 0 || finger.height != tree.height ||
        finger.path.steps[tree.height - 1].pointer != tree.root) {
      finger.forget();
    }
    return finger;
  }

  std::byte* map(int memory, int protection) const {
    void* base = ::mmap(nullptr, size_bytes_, protection, MAP_SHARED, memory, 0);
    if (base == MAP_FAILED) throw std::runtime_error("mmap failed");
    return static_cast<std::byte*>(base);
  }

  void make_allocator(std::uint32_t page_count) {
    constexpr std::uint64_t kTableBytes = 64 << 20;
    region_.reset(8 * kTableBytes, 4096);
    std::byte* base = region_.map(8 * kTableBytes);
    region_.ensure(0, 4096);
    pages::AllocatorTables tables;
    tables.region = &region_;
    tables.control = reinterpret_cast<pages::AllocatorControl*>(base);
    tables.bitmap_offset = kTableBytes;
    tables.areas_offset = 2 * kTableBytes;
    tables.undo_offset = 3 * kTableBytes;
    tables.deferred_offset = 4 * kTableBytes;
    tables.segments_offset = 6 * kTableBytes;
    tables.parked_offset = 7 * kTableBytes;
    tables.page_capacity = page_count;
    tables.deferred_capacity = 1 << 21;
    tables.undo_capacity = 1 << 20;
    tables.segment_capacity = 1 << 14;
    allocator_.emplace(tables);
    allocator_->reset(page_count);
    allocator_->mark_used({PageId{0}, reserved_pages()});
    allocator_->recount();
    begin();
  }

  void begin() {
    ++txn_.value;
    fingers_.clear();
    allocator_->begin(txn_, deferred_tail_);
    space_.emplace(view_, write_base_, *allocator_, txn_, sealed_);
  }

  ScratchDirectory directory_;
  storage::Descriptor region_file_;
  storage::RegionFile region_;
  std::size_t size_bytes_;
  pages::PageView view_;
  std::byte* write_base_ = nullptr;
  std::optional<pages::Allocator> allocator_;
  std::optional<pages::PageSpace> space_;
  std::map<const format::TreeRoot*, btree::Finger> fingers_;
  TxnId txn_;
  TxnId sealed_;
  std::uint64_t deferred_tail_ = 0;
};

}  // namespace quire::test
