#include "txn/catalogue.h"

#include <cstring>

#include "btree/tree.h"

namespace quire::txn {
namespace {

format::TableRecord decode(const pages::PageView& view, const format::TreeRoot& catalogue,
                           std::string_view value) {
  format::TableRecord record;
  if (value.size() != sizeof record) {
    view.corrupt(catalogue.root.page, "a table's record in the catalogue has the wrong length");
  }
  std::memcpy(&record, value.data(), sizeof record);
  const bool is_empty = !record.tree.root;
  if ((record.flags & ~format::kTableFlagsKnown) != 0 ||
      record.tree.height > format::kTreeHeightMax || is_empty != (record.tree.height == 0) ||
      record.pair_count < (format::is_multimap(record) ? record.tree.entry_count : 0)) {
    view.corrupt(catalogue.root.page, "a table's record in the catalogue contradicts itself");
  }
  return record;
}

}  // namespace

std::optional<format::TableRecord> find_table(const pages::PageView& view,
                                              const format::TreeRoot& catalogue,
                                              std::string_view name) {
  const auto value = btree::get(view, catalogue, name);
  if (!value) return std::nullopt;
  return decode(view, catalogue, *value);
}

CatalogueReader::CatalogueReader(const pages::PageView& view, const format::TreeRoot& catalogue)
    : view_(view), catalogue_(catalogue), cursor_(view, catalogue) {
  cursor_.seek_first();
}

format::TableRecord CatalogueReader::record() const {
  return decode(view_, catalogue_, cursor_.value());
}

}  // namespace quire::txn
