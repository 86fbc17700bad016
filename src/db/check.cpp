// Judging a whole database. The trees judge themselves (btree::check_tree); what is added here is
// the rest of the file and the account: every page is reachable, free or pending, and none is two
// of these.
#include <quire/inspect.h>

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "btree/walk.h"
#include "db/handles.h"
#include "format/space_map.h"
#include "log/log.h"
#include "txn/catalogue.h"
#include "txn/checkpoint.h"

namespace quire {
namespace {

constexpr std::size_t kFaultsKept = 1000;

class Checker final : public btree::CheckSink {
 public:
  Checker(txn::Store& store, CheckReport& report)
      : store_(store),
        report_(report),
        state_(store.visible_state()),
        view_(store.view(store.allocator().file_pages())),
        seen_(store.allocator().file_pages(), false) {}

  void run() {
    report_.txn = store_.visible().value;
    check_metas();
    check_tree("catalogue", state_.catalogue, std::nullopt);
    check_tree("default table", state_.default_table, "");
    check_tables();
    check_log();
    claim_fixed_pages();
    check_account();
  }

  void fault(std::uint64_t page, const std::string& reason,
             const std::optional<btree::KeyRange>& keys) override {
    ++report_.fault_count;
    if (report_.faults.size() >= kFaultsKept) return;
    Fault found{page, place_.empty() ? reason : place_ + ": " + reason};
    if (keys && table_) found.keys = AffectedKeys{*table_, keys->low, keys->high};
    report_.faults.push_back(std::move(found));
  }

  bool used(PageRun run, const btree::KeyRange& keys) override { return claim(run, keys); }

 private:
  void fault(std::uint64_t page, const std::string& reason) { fault(page, reason, std::nullopt); }

  bool claim(PageRun run, const std::optional<btree::KeyRange>& keys) {
    // A file made to name the same pages again and again must not keep us for ever.
    if (report_.page_count > 4 * seen_.size()) {
      fault(run.first.value, "is used, as are others, many times over", keys);
      return false;
    }
    bool is_new = true;
    for (std::uint64_t page = run.first.value;
         page < std::uint64_t{run.first.value} + run.page_count; ++page) {
      if (page >= seen_.size()) {
        fault(page, "lies outside the file", keys);
        return false;
      }
      if (seen_[page]) {
        fault(page, "is used twice", keys);
        is_new = false;
      }
      if (!store_.allocator().is_used(PageId{static_cast<std::uint32_t>(page)})) {
        fault(page, "is in use but marked free", keys);
      }
      seen_[page] = true;
      ++report_.page_count;
    }
    return is_new;
  }

  void check_metas() {
    for (int slot = 0; slot < 2; ++slot) {
      format::Meta meta;
      std::memcpy(static_cast<void*>(&meta), view_.base + format::kMetaOffset[slot], sizeof meta);
      const std::uint64_t page = format::kMetaOffset[slot] / view_.page_bytes;
      if (format::judge(meta) != format::MetaFault::none || !store_.has_facts(meta) ||
          meta.page_count > seen_.size()) {
        fault(page, "the meta page is damaged; the other one serves");
        continue;
      }
      check_map(meta);
    }
  }

  void check_map(const format::Meta& meta) {
    if (meta.txn != store_.checkpointed().value)
      return;  // the older of two: its map may be written anew
    const format::StoredRun& map = meta.map[meta.current_map];
    for (std::uint32_t index = 0; index < map.page_count; ++index) {
      const PageId page{map.first_page + index};
      const char* reason = format::judge_map_page(view_.at(page), page, index, meta.checkpoint,
                                                  view_.page_bytes, view_.checksum_seed);
      if (reason != nullptr) fault(page.value, reason);
    }
  }

  // `table` is the name of the table that the tree is; nothing for the catalogue.
  void check_tree(const std::string& place, const format::TreeRoot& tree,
                  std::optional<std::string> table) {
    place_ = place;
    table_ = std::move(table);
    btree::check_tree(view_, tree, store_.checkpointed(), store_.visible(), *this);
    report_.entry_count += tree.entry_count;
    place_.clear();
    table_.reset();
  }

  void check_tables() {
    report_.entry_count -= state_.catalogue.entry_count;
    try {
      for (txn::CatalogueReader reader(view_, state_.catalogue); !reader.at_end(); reader.next()) {
        const format::TableRecord record = reader.record();
        if (record.table_id == 0 || record.table_id >= state_.next_table_id) {
          fault(state_.catalogue.root.page,
                "table " + std::string(reader.name()) + " has an impossible id");
        }
        check_tree("table " + std::string(reader.name()), record.tree, std::string(reader.name()));
      }
    } catch (const std::exception& error) {
      fault(state_.catalogue.root.page, error.what());
    }
  }

  // Every record from the last checkpoint on is what recovery would replay.
  void check_log() {
    const format::Meta meta = store_.read_metas().meta;
    log::Scanner scanner(store_.ring(), {Lsn{meta.log_start}, meta.log_chain}, meta.epoch,
                         TxnId{meta.txn});
    while (scanner.next() != nullptr) {
    }
    if (scanner.tail().end != state_.log_end) {
      fault(meta.log.first_page, "the log breaks off at position " +
                                     std::to_string(scanner.tail().end.value) +
                                     "; it should end at " + std::to_string(state_.log_end.value));
    }
  }

  void claim_fixed_pages() {
    const format::Meta meta = store_.read_metas().meta;
    claim({PageId{0}, static_cast<std::uint32_t>(format::kReservedBytes / view_.page_bytes)},
          std::nullopt);
    for (const auto& run : {meta.map[0], meta.map[1], meta.log})
      claim({PageId{run.first_page}, run.page_count}, std::nullopt);
    for (const auto& place : store_.control().checkpoint.replaced) {
      if (place.load() == 0) continue;
      const shared::Run run = shared::unpack_run(place.load());
      claim({PageId{run.first_page}, run.page_count}, std::nullopt);
    }
  }

  void check_account() {
    store_.allocator().for_each_deferred(
        state_.deferred_tail, [&](const pages::DeferredFree& entry) {
          claim({PageId{entry.first_page}, entry.page_count}, std::nullopt);
        });
    std::uint64_t free_pages = 0;
    for (std::uint64_t page = 0; page < seen_.size(); ++page) {
      const bool is_used = store_.allocator().is_used(PageId{static_cast<std::uint32_t>(page)});
      free_pages += is_used ? 0 : 1;
      if (is_used && !seen_[page]) fault(page, "is marked in use but nothing refers to it");
    }
    if (free_pages != store_.allocator().free_pages()) fault(0, "the count of free pages is wrong");
    report_.page_count += free_pages;
  }

  txn::Store& store_;
  CheckReport& report_;
  txn::State state_;
  pages::PageView view_;
  std::vector<bool> seen_;
  std::string place_;
  std::optional<std::string> table_;  // whose tree is being judged
};

}  // namespace

CheckReport check(const Database& database) {
  txn::Store& store = detail::Access::store(database);
  return detail::readable(&store, [&] {
    const txn::WriterHold hold(store);
    txn::settle_checkpoint(store);  // what a dead checkpointer announced is neither used nor free
    const std::lock_guard checkpoint_lock(store.checkpoint_lock());
    CheckReport report;
    Checker(store, report).run();
    return report;
  });
}

}  // namespace quire
