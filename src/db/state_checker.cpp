#include "db/state_checker.h"

#include <utility>

#include "format/space_map.h"
#include "log/log.h"
#include "shared/layout.h"
#include "txn/catalogue.h"

namespace quire::db {
namespace {

constexpr std::size_t kFaultsKept = 1000;
constexpr std::uint64_t kToldPages = 256;  // between two words about how far it is

}  // namespace

StateChecker::StateChecker(const txn::File& file, std::uint64_t page_count, const txn::State& state,
                           TxnId txn, TxnId sealed, CheckReport& report, OnPages on_pages)
    : file_(file),
      report_(report),
      state_(state),
      on_pages_(std::move(on_pages)),
      txn_(txn),
      sealed_(sealed),
      view_(file.view(page_count)),
      seen_(view_.page_count, false) {
  report_.txn = txn.value;
}

void StateChecker::fault(std::uint64_t page, const std::string& reason,
                         const std::optional<btree::KeyRange>& keys) {
  ++report_.fault_count;
  if (report_.faults.size() >= kFaultsKept) return;
  Fault found{page, place_.empty() ? reason : place_ + ": " + reason};
  if (keys && table_) found.keys = AffectedKeys{*table_, keys->low, keys->high};
  report_.faults.push_back(std::move(found));
}

bool StateChecker::is_marked(std::uint64_t) const { return true; }

bool StateChecker::claim(PageRun run, const std::optional<btree::KeyRange>& keys) {
  // A file made to name the same pages again and again must not keep us for ever.
  if (report_.page_count > 4 * seen_.size()) {
    fault(run.first.value, "is used, as are others, many times over", keys);
    return false;
  }
  bool is_new = true;
  for (std::uint64_t page = run.first.value; page < std::uint64_t{run.first.value} + run.page_count;
       ++page) {
    if (page >= seen_.size()) {
      fault(page, "lies outside the file", keys);
      return false;
    }
    if (seen_[page]) {
      fault(page, "is used twice", keys);
      is_new = false;
    }
    if (!is_marked(page)) fault(page, "is in use but marked free", keys);
    seen_[page] = true;
    ++report_.page_count;
  }
  tell_pages();
  return is_new;
}

void StateChecker::tell_pages() {
  if (!on_pages_ || report_.page_count - told_pages_ < kToldPages) return;
  told_pages_ = report_.page_count;
  on_pages_(told_pages_);
}

void StateChecker::check_trees() {
  check_tree("catalogue", state_.catalogue, std::nullopt);
  check_tree("default table", state_.default_table, "");
  check_tables();
}

// `table` is the name of the table that the tree is; nothing for the catalogue.
void StateChecker::check_tree(const std::string& place, const format::TreeRoot& tree,
                              std::optional<std::string> table,
                              std::optional<std::uint64_t> pair_count) {
  place_ = place;
  table_ = std::move(table);
  btree::check_tree(view_, tree, sealed_, txn_, *this, pair_count);
  report_.entry_count += pair_count.value_or(tree.entry_count);
  place_.clear();
  table_.reset();
}

void StateChecker::check_tables() {
  report_.entry_count -= state_.catalogue.entry_count;
  try {
    for (txn::CatalogueReader reader(view_, state_.catalogue); !reader.at_end(); reader.next()) {
      const format::TableRecord record = reader.record();
      if (record.table_id == 0 || record.table_id >= state_.next_table_id) {
        fault(state_.catalogue.root.page,
              "table " + std::string(reader.name()) + " has an impossible id");
      }
      check_tree("table " + std::string(reader.name()), record.tree, std::string(reader.name()),
                 format::is_multimap(record) ? std::optional(record.pair_count) : std::nullopt);
    }
  } catch (const std::exception& error) {
    fault(state_.catalogue.root.page, error.what());
  }
}

void StateChecker::claim_fixed_pages(const format::Meta& meta) {
  claim({PageId{0}, static_cast<std::uint32_t>(format::kReservedBytes / view_.page_bytes)},
        std::nullopt);
  for (const auto& run : {meta.map[0], meta.map[1], meta.log})
    claim({PageId{run.first_page}, run.page_count}, std::nullopt);
}

bool StateChecker::is_whole(const format::Meta& meta) const noexcept {
  return format::judge(meta) == format::MetaFault::none && file_.has_facts(meta) &&
         meta.page_count <= seen_.size();
}

void StateChecker::check_map(const format::Meta& meta) {
  const format::StoredRun& map = meta.map[meta.current_map];
  for (std::uint32_t index = 0; index < map.page_count; ++index) {
    const PageId page{map.first_page + index};
    const char* reason = format::judge_map_page(view_.at(page), page, index, meta.checkpoint,
                                                view_.page_bytes, view_.checksum_seed);
    if (reason != nullptr) fault(page.value, reason);
  }
}

void StateChecker::check_log(const format::Meta& meta, bool may_go_on) {
  const log::Ring ring =
      file_.ring_at(shared::pack_run({meta.log.first_page, meta.log.page_count}));
  log::Scanner scanner(ring, {Lsn{meta.log_start}, meta.log_chain}, meta.epoch, TxnId{meta.txn});
  while (scanner.next() != nullptr) {
  }
  const Lsn end = scanner.tail().end;
  if (end == state_.log_end || (may_go_on && end > state_.log_end)) return;
  fault(meta.log.first_page, "the log breaks off at position " + std::to_string(end.value) +
                                 "; it should end at " + std::to_string(state_.log_end.value));
}

}  // namespace quire::db
