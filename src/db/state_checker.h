// Judging what one state of a database refers to: its trees and the pages around them. The trees
// judge themselves (btree::check_tree).
#pragma once

#include <quire/inspect.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "btree/walk.h"
#include "pages/page_view.h"
#include "txn/file.h"

namespace quire::db {

// Threads: one.
class StateChecker : public btree::CheckSink {
 public:
  using OnPages = std::function<void(std::uint64_t page_count)>;

  // A state of `file`, which has `page_count` pages; those of the state stay as they are meanwhile.
  // Pages born up to `sealed` have checksums. `on_pages`, if it is something, hears now and then
  // how many pages were looked at.
  StateChecker(const txn::File& file, std::uint64_t page_count, const txn::State& state, TxnId txn,
               TxnId sealed, CheckReport& report, OnPages on_pages);

  void check_trees();
  void claim_fixed_pages(const format::Meta& meta);

  // Whether the meta page is whole, and the space map that a meta names.
  bool is_whole(const format::Meta& meta) const noexcept;
  void check_map(const format::Meta& meta);

  // Every record from a checkpoint on is what recovery would replay: they must reach the state's
  // end of the log, or go on behind it.
  void check_log(const format::Meta& meta, bool may_go_on);

  void fault(std::uint64_t page, const std::string& reason,
             const std::optional<btree::KeyRange>& keys) override;
  void fault(std::uint64_t page, const std::string& reason) { fault(page, reason, std::nullopt); }
  bool used(PageRun run, const btree::KeyRange& keys) override { return claim(run, keys); }

 protected:
  // Counts the pages of a run as used; false when one of them is used already.
  bool claim(PageRun run, const std::optional<btree::KeyRange>& keys);
  bool is_claimed(std::uint64_t page) const noexcept { return seen_[page]; }
  std::uint64_t page_count() const noexcept { return seen_.size(); }
  const pages::PageView& view() const noexcept { return view_; }

  const txn::File& file_;
  CheckReport& report_;
  const txn::State state_;

 private:
  // Whether a page is marked in use; who cannot know says yes.
  virtual bool is_marked(std::uint64_t page) const;

  void check_tree(const std::string& place, const format::TreeRoot& tree,
                  std::optional<std::string> table, std::optional<std::uint64_t> pair_count = {});
  void check_tables();
  void tell_pages();

  const OnPages on_pages_;
  std::uint64_t told_pages_ = 0;
  TxnId txn_;
  TxnId sealed_;
  pages::PageView view_;
  std::vector<bool> seen_;
  std::string place_;
  std::optional<std::string> table_;  // whose tree is being judged
};

}  // namespace quire::db
