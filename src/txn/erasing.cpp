// Erasing a range of keys, in tables and multimaps.
#include <algorithm>

#include "btree/cursor.h"
#include "btree/erase_range.h"
#include "btree/estimate.h"
#include "txn/transaction.h"

namespace quire::txn {

// An end of a range, in memory of its own, and no longer than a record can hold. No key is longer
// than the longest one, so the first key behind its beginning stands for all that begin so.
std::string_view Transaction::bounded(std::string_view end, std::string& copy) const {
  const std::size_t key_bytes_max = format::key_bytes_max(store_.facts().page_bytes);
  if (end.size() <= key_bytes_max) return out_of_map(end, copy);
  copy.assign(end.substr(0, key_bytes_max));
  copy.push_back('\0');
  return copy;
}

// Places to note what the end of so much of a tree will free. Found missing in the middle of it
// they fail the transaction, though a checkpoint might have made them.
void Transaction::room_for_frees(const OpenTable& table, std::string_view first,
                                 std::optional<std::string_view> limit) {
  const format::TreeRoot& tree = table.tree;
  const std::uint64_t file_pages = store_.allocator().file_pages();
  // Extents go as a whole, trees of values page by page; a single key may have most of those.
  const std::uint64_t of_values = table.is_multimap ? std::min(tree.extent_pages, file_pages) : 0;
  const std::uint64_t extents =
      table.is_multimap ? 0 : std::min(tree.extent_pages, tree.entry_count);
  const std::uint64_t spread = std::min(tree.leaf_pages + tree.branch_pages + extents, file_pages);
  const std::uint64_t all = std::min(spread + of_values, file_pages);
  if (store_.allocator().deferred_room() >= all || tree.entry_count == 0) return;
  const auto entry_count = static_cast<double>(btree::estimate(view(), tree, first, limit));
  const double part = std::min(1.0, entry_count / static_cast<double>(tree.entry_count));
  const auto about = static_cast<std::uint64_t>(part * static_cast<double>(spread));
  deferred_room_for(std::min(all, of_values + about + about / 4 + kPagesKept));
}

// What a page counts may be wrong; no more than the file has can be freed. A checkpoint may take
// pages: before room_for.
void Transaction::deferred_room_for(std::uint64_t page_count) {
  make_deferred_room(store_, context_, std::min(page_count, store_.allocator().file_pages()));
  space_.set_page_count(static_cast<std::uint32_t>(store_.allocator().file_pages()));
}

std::uint64_t Transaction::erase_range(OpenTable& table, std::string_view first,
                                       std::optional<std::string_view> limit) {
  return erase_between(table, first, limit, false);
}

std::uint64_t Transaction::erase_keys(OpenTable& table, std::string_view first,
                                      std::optional<std::string_view> limit) {
  return erase_between(table, first, limit, true);
}

std::uint64_t Transaction::erase_between(OpenTable& table, std::string_view first,
                                         std::optional<std::string_view> limit, bool is_multimap) {
  require_usable();
  settle();
  require_kind(table, is_multimap);
  btree::Cursor cursor(view(), table.tree);
  cursor.seek_lower_bound(first);
  if (cursor.at_end() || (limit && cursor.key() >= *limit)) return 0;
  return change(table, [&] {
    first = bounded(first, key_copy_);
    if (limit) limit = bounded(*limit, value_copy_);
    room_for_frees(table, first, limit);
    room_for(btree::pages_needed_for_range(table.tree));
    table.finger.forget();
    table.pair_finger.forget();
    std::uint64_t erased = 0;
    if (is_multimap) {
      erased = btree::erase_keys(space_, table.tree, first, limit);
      lose_pairs(table, erased);
    } else {
      erased = btree::erase_range(space_, table.tree, first, limit);
    }
    log({.kind = format::OperationKind::erase_range,
         .table_id = table.table_id,
         .key = first,
         .value = limit.value_or(std::string_view{})});
    table.is_changed = true;
    return erased;
  });
}

}  // namespace quire::txn
