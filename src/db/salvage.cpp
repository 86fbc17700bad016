// Copying what is left of a damaged database into a fresh one.
#include <quire/inspect.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "db/new_database.h"
#include "db/salvage_source.h"
#include "db/salvage_trees.h"
#include "log/log.h"

namespace quire {
namespace {

using format::Operation;
using format::OperationKind;

using Listener = std::function<void(std::uint64_t done, std::uint64_t total)>;

// One transaction that takes everything: a target is whole or not there.
class Target final : public db::SalvageSink {
 public:
  Target(Transaction& transaction, std::uint64_t expected_pages, const Listener& listener)
      : transaction_(transaction), expected_pages_(expected_pages), listener_(listener) {}

  void table(const std::string& name, bool is_multimap) override {
    if (name.empty()) return;
    if (is_multimap) {
      Multimap made = transaction_.multimap(name);
      if (made.insert({}, {})) made.erase({}, {});
      return;
    }
    Table made = transaction_.table(name);
    if (!made.insert({}, {})) return;
    made.erase({});
  }

  void entry(const std::string& table, std::string_view key, std::string_view value) override {
    transaction_.table(table).put(key, value);
  }

  void pair(const std::string& table, std::string_view key, std::string_view value) override {
    transaction_.multimap(table).insert(key, value);
  }

  void pages(std::uint64_t page_count) override {
    constexpr std::uint64_t kStep = 256;
    page_count_ = std::min(page_count_ + page_count, expected_pages_);
    if (!listener_ || page_count_ - told_pages_ < kStep) return;
    told_pages_ = page_count_;
    listener_(told_pages_, expected_pages_);
  }

  Transaction& transaction() noexcept { return transaction_; }

 private:
  Transaction& transaction_;
  std::uint64_t expected_pages_;
  const Listener& listener_;
  std::uint64_t page_count_ = 0;
  std::uint64_t told_pages_ = 0;
};

// The commits since the checkpoint, as far as their records prove themselves.
class LogSalvage {
 public:
  LogSalvage(const db::SalvageSource& source, std::map<std::uint32_t, std::string> names,
             Target& target, SalvageReport& report)
      : source_(source), names_(std::move(names)), target_(target), report_(report) {}

  void run() {
    const format::Meta& meta = source_.meta();
    const pages::PageView& view = source_.view();
    if (std::uint64_t{meta.log.first_page} + meta.log.page_count > view.page_count) {
      return lose("the log lies behind the end of the file");
    }
    const log::Ring ring{.read = view.at(PageId{meta.log.first_page}),
                         .size_bytes = std::uint64_t{meta.log.page_count} * view.page_bytes,
                         .seed = view.checksum_seed};
    log::Scanner scanner(ring, {Lsn{meta.log_start}, meta.log_chain}, meta.epoch, TxnId{meta.txn});
    while (const format::RecordHeader* record = scanner.next()) {
      if (!is_whole(*record)) {
        scanner.reject_last();
        break;
      }
      apply(*record);
    }
    const Lsn end = scanner.tail().end;
    if (log::has_durable_record_behind(ring, end, meta.epoch)) {
      lose("log position " + std::to_string(end.value) +
           ": a record that was acknowledged is damaged; it and what was committed after it is "
           "missing");
    }
  }

 private:
  void lose(const std::string& reason) {
    ++report_.loss_count;
    report_.losses.push_back({.page = source_.meta().log.first_page, .reason = reason, .keys = {}});
  }

  // Its operations make sense, and every value that they name is there.
  bool is_whole(const format::RecordHeader& record) const {
    format::OperationReader operations(log::payload_of(&record));
    Operation operation;
    while (operations.next(operation)) {
      const std::size_t longest = format::key_bytes_max(source_.view().page_bytes);
      // The first end of a range is cut behind one byte more than a key may have.
      const bool is_range = operation.kind == OperationKind::erase_range;
      if (operation.key.size() > longest + (is_range ? 1 : 0)) return false;
      if (operation.kind == OperationKind::insert_pair && operation.value.size() > longest) {
        return false;
      }
      if (operation.kind == OperationKind::put_extent &&
          !source_.fault_of(operation.extent).empty()) {
        return false;
      }
    }
    return !operations.is_damaged();
  }

  void apply(const format::RecordHeader& record) {
    format::OperationReader operations(log::payload_of(&record));
    Operation operation;
    while (operations.next(operation)) {
      const bool is_multimap = operation.kind == OperationKind::create_multimap;
      if (operation.kind == OperationKind::create || is_multimap) {
        create(operation, is_multimap);
      } else if (operation.table_id == 0) {
        apply(operation, "");
      } else if (const auto name = names_.find(operation.table_id); name != names_.end()) {
        apply(operation, name->second);
      } else if (unknown_[operation.table_id]++ == 0) {
        lose("the log changes table number " + std::to_string(operation.table_id) +
             ", whose name is lost with the catalogue: these changes are missing");
      }
    }
  }

  void create(const Operation& operation, bool is_multimap) {
    const std::string name(operation.key);
    names_[operation.table_id] = name;
    try {
      target_.table(name, is_multimap);
    } catch (const Error& error) {
      if (error.code() != make_error_code(Errc::misuse)) throw;
      lose_kind(name);
    }
  }

  void apply(const Operation& operation, const std::string& name) {
    if (operation.kind == OperationKind::drop) {
      target_.transaction().drop(name);
      return;
    }
    if (target_.transaction().is_multimap(name)) return apply_to_multimap(operation, name);
    if (operation.kind == OperationKind::insert_pair) return lose_kind(name);
    Table table = target_.transaction().table(name);
    if (operation.kind == OperationKind::put) table.put(operation.key, operation.value);
    if (operation.kind == OperationKind::put_extent) {
      const format::ExtentRef& extent = operation.extent;
      const std::byte* bytes = source_.view().at(PageId{extent.first_page});
      table.put(operation.key, {reinterpret_cast<const char*>(bytes), extent.size_bytes});
    }
    if (operation.kind == OperationKind::erase) table.erase(operation.key);
    if (operation.kind == OperationKind::clear) table.clear();
    if (operation.kind == OperationKind::erase_range) {
      const bool has_limit = !operation.value.empty();
      table.erase(Range{table.lower_bound(operation.key),
                        has_limit ? table.lower_bound(operation.value) : table.end()});
    }
  }

  void apply_to_multimap(const Operation& operation, const std::string& name) {
    Multimap map = target_.transaction().multimap(name);
    switch (operation.kind) {
      case OperationKind::insert_pair:
        map.insert(operation.key, operation.value);
        break;
      case OperationKind::erase_pair:
        map.erase(operation.key, operation.value);
        break;
      case OperationKind::erase:
        map.erase(operation.key);
        break;
      case OperationKind::clear:
        map.clear();
        break;
      case OperationKind::erase_range:
        map.erase_keys(operation.key,
                       operation.value.empty() ? std::nullopt : std::optional(operation.value));
        break;
      default:
        lose_kind(name);
    }
  }

  void lose_kind(const std::string& name) {
    lose("the log takes table " + name + " for one of another kind: a change is missing");
  }

  const db::SalvageSource& source_;
  std::map<std::uint32_t, std::string> names_;
  std::map<std::uint32_t, std::uint64_t> unknown_;  // operations on tables without a name
  Target& target_;
  SalvageReport& report_;
};

void salvage_into(const db::SalvageSource& source, Database& database, const Listener& on_progress,
                  SalvageReport& report) {
  report.doubts = source.doubts();
  Transaction transaction = database.begin();
  Target target(transaction, source.expected_pages(), on_progress);
  db::SalvageTrees trees(source, target, report);
  trees.run();
  if (source.has_meta()) LogSalvage(source, trees.names(), target, report).run();
  if (!source.has_marks()) {
    report.doubts.push_back(
        "the space map is damaged: leaves below a damaged branch that it no longer points to were "
        "not looked for");
  }
  transaction.commit();
  const Statistics made = stat(database);
  report.table_count = made.tables.size() - 1;
  for (const TableStatistics& table : made.tables) {
    report.entry_count += table.is_multimap ? table.pair_count : table.entry_count;
  }
}

}  // namespace

SalvageReport salvage(const std::filesystem::path& source, const std::filesystem::path& target,
                      const Options& options, const Listener& on_progress) {
  const db::SalvageSource wreck(source, options.guard_sigbus);
  Options creating = options;
  if (creating.page_size == 0) creating.page_size = wreck.view().page_bytes;
  SalvageReport report;
  db::make_whole(target, creating, "salvage",
                 [&](Database& database) { salvage_into(wreck, database, on_progress, report); });
  return report;
}

}  // namespace quire
