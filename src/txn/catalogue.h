// The catalogue: the tree that maps table names to their trees.
#pragma once

#include <optional>
#include <string_view>

#include "btree/cursor.h"
#include "format/meta.h"
#include "pages/page_view.h"

namespace quire::txn {

// The record of a table; nothing when it does not exist. Throws Errc::corrupt.
std::optional<format::TableRecord> find_table(const pages::PageView& view,
                                              const format::TreeRoot& catalogue,
                                              std::string_view name);

// Goes through all named tables in name order.
class CatalogueReader {
 public:
  CatalogueReader(const pages::PageView& view, const format::TreeRoot& catalogue);
  bool at_end() const noexcept { return cursor_.at_end(); }
  void next() { cursor_.next(); }
  std::string_view name() const { return cursor_.key(); }
  format::TableRecord record() const;  // throws Errc::corrupt

 private:
  pages::PageView view_;
  format::TreeRoot catalogue_;
  btree::Cursor cursor_;
};

}  // namespace quire::txn
