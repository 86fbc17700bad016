#include "btree/check_page.h"
#include "btree/path.h"
#include "btree/values.h"
#include "btree/walk.h"
#include "format/checksum.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::ExtentRef;
using format::header_of;
using format::LeafEntry;
using format::LeafView;
using format::PageHeader;
using format::PagePtr;
using format::TreeRoot;
using pages::PageView;

// What the entries of a tree are.
enum class Holds { values, sets_of_values, nothing };

// Hears of the tree of one key's values: of keys, it is that one which is affected.
class ValuesSink final : public CheckSink {
 public:
  ValuesSink(CheckSink& sink, std::string_view key) : sink_(sink), key_(only(key)) {}

  void fault(std::uint64_t page, const std::string& reason,
             const std::optional<KeyRange>&) override {
    sink_.fault(page, "values of " + describe(key_) + ": " + reason, key_);
  }
  bool used(PageRun run, const KeyRange&) override { return sink_.used(run, key_); }

 private:
  CheckSink& sink_;
  const KeyRange key_;
};

class TreeCheck {
 public:
  TreeCheck(const PageView& view, Holds holds, TxnId sealed, TxnId newest, CheckSink& sink)
      : view_(view), holds_(holds), sealed_(sealed), newest_(newest), sink_(sink) {}

  void run(const TreeRoot& tree) {
    height_ = tree.height;
    std::uint32_t level = height_ - 1;
    if (visit(tree.root, level, KeyRange{}, newest_)) {
      while (level < height_) {
        if (open_[level].next_child == open_[level].child_count) {
          ++level;
        } else if (visit_next_child(level)) {
          --level;
        }
      }
    }
    compare_counts(tree);
  }

  bool is_complete() const noexcept { return is_complete_; }
  std::uint64_t page_count() const noexcept { return branch_pages_ + leaf_pages_; }
  std::uint64_t pair_count() const noexcept { return pair_count_; }

 private:
  // A branch whose children are being visited.
  struct Open {
    const std::byte* bytes;
    std::uint32_t page;
    TxnId birth;
    std::uint32_t child_count;
    std::uint32_t next_child;
    KeyRange range;
  };

  void fault(std::uint64_t page, const KeyRange& range, const std::string& reason) {
    sink_.fault(page, reason + " (" + describe(range) + ")", range);
  }

  // A fault after which nothing below the page can be judged or counted.
  void leave_out(std::uint64_t page, const KeyRange& range, const char* reason) {
    fault(page, range, reason);
    is_complete_ = false;
  }

  bool visit_next_child(std::uint32_t level) {
    Open& open = open_[level];
    const std::uint32_t index = open.next_child++;
    KeyRange range = open.range;
    PagePtr child;
    try {
      const BranchView branch(open.bytes, view_.page_bytes);
      child = branch.child(index);
      if (index > 0) range.low = text_of(branch.separator(index));
      if (index + 1 < branch.count()) range.high = text_of(branch.separator(index + 1));
    } catch (const format::Damage& damage) {
      leave_out(open.page, open.range, damage.what());
      return false;
    }
    return visit(child, level - 1, range, open.birth);
  }

  // True when the page is a branch and now open at its level.
  bool visit(PagePtr pointer, std::uint32_t level, const KeyRange& range, TxnId parent_birth) {
    if (const char* reason = view_.fault_of(pointer, level)) {
      leave_out(pointer.page, range, reason);
      return false;
    }
    if (!sink_.used({PageId{pointer.page}, 1}, range)) {
      is_complete_ = false;
      return false;
    }
    const std::byte* bytes = view_.at(PageId{pointer.page});
    const TxnId birth{format::header_of(bytes).birth};
    const bool is_root = level + 1 == height_;
    const auto report = [&](const std::string& reason) { fault(pointer.page, range, reason); };
    if (birth > parent_birth) report("the page is younger than what points to it");
    judge_checksum(bytes, birth, report);
    try {
      if (level == 0) {
        visit_leaf(bytes, birth, range, report);
        return false;
      }
      ++branch_pages_;
      const BranchView branch(bytes, view_.page_bytes);
      judge_branch(branch, range, report);
      if (is_root && branch.count() == 1) report("a root with a single child");
      open_[level] = {bytes, pointer.page, birth, branch.count(), 0, range};
      return true;
    } catch (const format::Damage& damage) {
      leave_out(pointer.page, range, damage.what());
      return false;
    }
  }

  void judge_checksum(const std::byte* bytes, TxnId birth, const Report& report) const {
    if (birth > sealed_) return;
    if (format::page_checksum(bytes, view_.page_bytes, view_.checksum_seed) !=
        format::header_of(bytes).checksum) {
      report("checksum mismatch");
    }
  }

  void visit_leaf(const std::byte* bytes, TxnId birth, const KeyRange& range,
                  const Report& report) {
    ++leaf_pages_;
    const LeafView leaf(bytes, view_.page_bytes);
    judge_leaf(leaf, view_.page_bytes, range, report);
    entry_count_ += leaf.count();
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      const LeafEntry entry = leaf.entry(i);
      switch (holds_) {
        case Holds::values:
          visit_value(bytes, birth, entry);
          break;
        case Holds::sets_of_values:
          visit_values(bytes, birth, entry);
          break;
        case Holds::nothing:
          if (!entry.value.empty()) fault(header_of(bytes).page, range, "a value has a value");
      }
    }
  }

  void visit_value(const std::byte* bytes, TxnId birth, const LeafEntry& entry) {
    const std::uint32_t page = header_of(bytes).page;
    if (entry.in_extent) visit_extent(entry.extent(), page, birth, only(entry.key));
    if (entry.in_tree) fault(page, only(entry.key), "a tree of values outside of a multimap");
  }

  // The values of a key are as damaged as their set or tree; the leaf's other entries are not.
  void visit_values(const std::byte* bytes, TxnId birth, const LeafEntry& entry) {
    try {
      const Values values = Values::of(bytes, entry);
      pair_count_ += values.count();
      if (values.set) return values.set->judge();
      ValuesSink sink(sink_, entry.key);
      TreeCheck check(view_, Holds::nothing, sealed_, birth, sink);
      check.run(values.tree);
      extent_pages_ += check.page_count();
      if (!check.is_complete()) is_complete_ = false;
    } catch (const format::Damage& damage) {
      leave_out(header_of(bytes).page, only(entry.key), damage.what());
    }
  }

  // A value is as damaged as its extent, or the reference to it in the leaf; the leaf's other
  // entries are not.
  void visit_extent(const ExtentRef& extent, std::uint32_t leaf_page, TxnId leaf_birth,
                    const KeyRange& key) {
    const std::string name = "value at page " + std::to_string(extent.first_page) + ": ";
    const auto report = [&](const std::string& reason) { fault(leaf_page, key, name + reason); };
    extent_pages_ += extent.page_count;
    if (const char* reason = view_.fault_of(extent)) return report(reason);
    if (!sink_.used({PageId{extent.first_page}, extent.page_count}, key)) return;
    const std::uint64_t pages = (extent.size_bytes + view_.page_bytes - 1) / view_.page_bytes;
    if (pages != extent.page_count) report("its size and its page count differ");
    if (TxnId{extent.birth} > leaf_birth) report("it is younger than its leaf");
    if (format::checksum(view_.at(PageId{extent.first_page}), extent.size_bytes,
                         view_.checksum_seed) != extent.checksum) {
      fault(extent.first_page, key, name + "checksum mismatch");
    }
  }

  void compare_counts(const TreeRoot& tree) {
    if (!is_complete_) return;
    compare_count(tree, "entries", tree.entry_count, entry_count_);
    compare_count(tree, "branch pages", tree.branch_pages, branch_pages_);
    compare_count(tree, "leaf pages", tree.leaf_pages, leaf_pages_);
    compare_count(tree, holds_ == Holds::sets_of_values ? "pages of values" : "extent pages",
                  tree.extent_pages, extent_pages_);
  }

  void compare_count(const TreeRoot& tree, const char* what, std::uint64_t counted,
                     std::uint64_t found) {
    if (counted == found) return;
    sink_.fault(tree.root.page,
                "the tree's root counts " + std::to_string(counted) + " " + what + ", there are " +
                    std::to_string(found),
                std::nullopt);
  }

  const PageView& view_;
  const Holds holds_;
  TxnId sealed_;
  TxnId newest_;
  CheckSink& sink_;
  std::uint32_t height_ = 0;
  bool is_complete_ = true;
  std::uint64_t entry_count_ = 0;
  std::uint64_t branch_pages_ = 0;
  std::uint64_t leaf_pages_ = 0;
  std::uint64_t extent_pages_ = 0;
  std::uint64_t pair_count_ = 0;
  Open open_[format::kTreeHeightMax];
};

bool is_zero(const TreeRoot& tree) {
  return tree.entry_count == 0 && tree.branch_pages == 0 && tree.leaf_pages == 0 &&
         tree.extent_pages == 0 && tree.height == 0;
}

}  // namespace

void check_tree(const PageView& view, const TreeRoot& tree, TxnId sealed, TxnId newest,
                CheckSink& sink, std::optional<std::uint64_t> pair_count) {
  if (!tree.root) {
    if (!is_zero(tree) || pair_count.value_or(0) != 0)
      sink.fault(0, "a tree without a root counts entries or pages", std::nullopt);
    return;
  }
  if (tree.height == 0 || tree.height > format::kTreeHeightMax) {
    sink.fault(tree.root.page, "the tree's height is out of range", KeyRange{});
    return;
  }
  const Holds holds = pair_count ? Holds::sets_of_values : Holds::values;
  TreeCheck check(view, holds, sealed, newest, sink);
  check.run(tree);
  if (pair_count && check.is_complete() && check.pair_count() != *pair_count) {
    sink.fault(tree.root.page,
               "the table counts " + std::to_string(*pair_count) + " pairs, there are " +
                   std::to_string(check.pair_count()),
               std::nullopt);
  }
}

}  // namespace quire::btree
