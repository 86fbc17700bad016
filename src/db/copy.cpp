#include <quire/inspect.h>

#include <cstdint>
#include <filesystem>
#include <functional>

#include "db/handles.h"
#include "db/new_database.h"
#include "txn/catalogue.h"

namespace quire {
namespace {

// What is read for a copy: it must not give damage fresh checksums, however its source was opened,
// and whatever this process has seen of it before.
class Source {
 public:
  explicit Source(const txn::Snapshot& snapshot)
      : snapshot_(snapshot), verification_(snapshot.verification()), view_(snapshot.view()) {
    verification_.verified = nullptr;
    view_.verification = &verification_;
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const txn::State& state() const noexcept { return snapshot_.state(); }
  const pages::PageView& view() const noexcept { return view_; }
  const txn::File& file() const noexcept { return snapshot_.file(); }

 private:
  const txn::Snapshot& snapshot_;
  pages::Verification verification_;
  pages::PageView view_;
};

// Tells how far a copy is, every so many entries.
class Progress {
 public:
  using Listener = std::function<void(std::uint64_t done, std::uint64_t total)>;
  Progress(const Listener& listener, std::uint64_t total) : listener_(listener), total_(total) {}

  void add_entry() {
    constexpr std::uint64_t kStep = 1024;
    ++done_;
    if (listener_ && (done_ % kStep == 0 || done_ == total_)) listener_(done_, total_);
  }

 private:
  const Listener& listener_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
};

std::uint64_t count_entries(const Source& source) {
  const txn::State& state = source.state();
  std::uint64_t count = state.default_table.entry_count;
  for (txn::CatalogueReader from(source.view(), state.catalogue); !from.at_end(); from.next()) {
    const format::TableRecord record = from.record();
    count += format::is_multimap(record) ? record.pair_count : record.tree.entry_count;
  }
  return count;
}

void copy_tree(const Source& source, const format::TreeRoot& tree, Table target,
               Progress& progress) {
  const TableView table =
      detail::TableAccess::make_view({.file = &source.file(), .view = source.view(), .tree = tree});
  for (const auto& [key, value] : table) {
    target.put(key, value);
    progress.add_entry();
  }
}

void copy_pairs(const Source& source, const format::TreeRoot& tree, Multimap target,
                Progress& progress) {
  btree::PairCursor pair(source.view(), tree);
  for (pair.seek_first(); !pair.at_end(); pair.next()) {
    target.insert(pair.key(), pair.value());
    progress.add_entry();
  }
  if (tree.entry_count > 0) return;
  target.insert("", "");  // so that it exists
  target.erase("");
}

void copy_tables(const Source& source, Database& target, Progress& progress) {
  const txn::State& state = source.state();
  Transaction transaction = target.begin();
  copy_tree(source, state.default_table, transaction.table(), progress);
  for (txn::CatalogueReader from(source.view(), state.catalogue); !from.at_end(); from.next()) {
    const format::TableRecord record = from.record();
    if (format::is_multimap(record)) {
      copy_pairs(source, record.tree, transaction.multimap(from.name()), progress);
      continue;
    }
    const format::TreeRoot& tree = record.tree;
    copy_tree(source, tree, transaction.table(from.name()), progress);
    if (tree.entry_count == 0) {
      // A table without entries exists all the same.
      Table made = transaction.table(from.name());
      made.put("", "");
      made.erase("");
    }
  }
  transaction.commit();
}

}  // namespace

void copy(const Snapshot& source, const std::filesystem::path& target, const Options& options,
          const Progress::Listener& on_progress) {
  const detail::SnapshotState& state = detail::Access::state(source);
  Options creating = options;
  if (creating.page_size == 0) creating.page_size = state.snapshot.file().facts().page_bytes;
  db::make_whole(target, creating, "copy", [&](Database& database) {
    const Source from(state.snapshot);
    Progress progress(on_progress, count_entries(from));
    copy_tables(from, database, progress);
  });
}

}  // namespace quire
