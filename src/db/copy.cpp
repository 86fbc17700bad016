#include <quire/error.h>
#include <quire/inspect.h>

#include <filesystem>

#include "db/handles.h"
#include "shared/region.h"
#include "txn/recovery.h"

namespace quire {
namespace {

void copy_table(const TableView& source, Table target) {
  for (const auto& [key, value] : source) target.put(key, value);
}

void copy_tables(const Snapshot& source, Database& target) {
  Transaction transaction = target.begin();
  copy_table(source.table(), transaction.table());
  for (const std::string& name : source.tables()) {
    const TableView table = source.table(name);
    copy_table(table, transaction.table(name));
    if (table.empty()) {
      // A table without entries exists all the same.
      Table made = transaction.table(name);
      made.put("", "");
      made.erase("");
    }
  }
  transaction.commit();
}

}  // namespace

void copy(const Snapshot& source, const std::filesystem::path& target, const Options& options) {
  const detail::SnapshotState& state = detail::Access::state(source);
  Options creating = options;
  creating.create_if_missing = true;
  creating.read_only = false;
  if (creating.page_size == 0) creating.page_size = state.store->facts().page_bytes;
  if (!txn::create_file(target, creating)) {
    throw Error(Errc::misuse, target.string() + ": exists already; copy to a new path");
  }
  try {
    Database database(target, creating);
    copy_tables(source, database);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(target, ignored);
    std::filesystem::remove(shared::region_path(target), ignored);
    throw;
  }
}

}  // namespace quire
