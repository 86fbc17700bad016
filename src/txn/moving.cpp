// A transaction that changes no entry, only where trees stand.
#include "btree/move.h"
#include "txn/transaction.h"

namespace quire::txn {

bool Transaction::move_below(PageId limit) {
  require_usable();
  std::vector<std::string> names = tables();
  names.emplace_back();
  for (const std::string& name : names) {
    OpenTable& moved = table(name);
    moved.is_changed = btree::move_below(space_, moved.tree, limit);
  }
  packing_.limit = limit.value;
  // No entry is written: no reason for a larger log.
  packing_.log_pages_max = shared::unpack_run(store_.control().log_run.load()).page_count;
  log_is_dropped_ = true;
  // After the tables, because where they begin is written into it at the commit.
  const bool is_catalogue_moved = btree::move_below(space_, state_.catalogue, limit);
  if (is_catalogue_moved) table("").is_changed = true;
  const bool has_moved = has_changes();
  commit(Durability::full);
  return has_moved;
}

}  // namespace quire::txn
