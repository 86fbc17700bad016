// Which bytes of a file mean something, worked out from the trees, the metas and the log without
// asking check().
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "btree/walk.h"
#include "db/handles.h"
#include "format/meta.h"
#include "txn/catalogue.h"
#include "txn/store.h"

namespace quire::test {

// Ranges of bytes [first, limit) by their first, with what stands there.
class Referred final : public btree::Visitor {
 public:
  struct Range {
    std::uint64_t limit;
    std::string what;
  };

  // Everything that the newest commit and the metas refer to and that carries a checksum. The
  // caller sees to it that no page is younger than the last checkpoint, or leaves those out.
  explicit Referred(txn::Store& store) : store_(store), view_(store.view(page_count_of(store))) {
    const txn::State state = store.visible_state();
    const format::Meta meta = store.read_metas().meta;
    for (const std::uint64_t offset : format::kMetaOffset) add(offset, sizeof meta, "meta");
    const format::StoredRun& map = meta.map[meta.current_map];
    add(offset_of(map.first_page), std::uint64_t{map.page_count} * view_.page_bytes, "space map");
    btree::walk(view_, state.catalogue, *this);
    btree::walk(view_, state.default_table, *this);
    for (txn::CatalogueReader table(view_, state.catalogue); !table.at_end(); table.next()) {
      btree::walk(view_, table.record().tree, *this);
    }
    add_log(meta);
  }

  const std::map<std::uint64_t, Range>& ranges() const noexcept { return ranges_; }

  bool contains(std::uint64_t offset) const {
    const auto behind = ranges_.upper_bound(offset);
    return behind != ranges_.begin() && offset < std::prev(behind)->second.limit;
  }

  bool enter(format::PagePtr, std::uint32_t) override { return true; }

  bool page(PageId page, const std::byte* bytes, std::uint32_t level) override {
    if (TxnId{reinterpret_cast<const format::PageHeader*>(bytes)->birth} <= store_.checkpointed()) {
      add(offset_of(page.value), view_.page_bytes, level == 0 ? "leaf" : "branch");
    } else {
      unsealed_[offset_of(page.value)] = {offset_of(page.value) + view_.page_bytes, "unsealed"};
    }
    return true;
  }

  void extent(const format::ExtentRef& extent, std::string_view) override {
    add(offset_of(extent.first_page), extent.size_bytes, "extent");
  }

  // True for pages that no checkpoint has sealed yet: damage to them has no name.
  bool is_unsealed(std::uint64_t offset) const {
    const auto behind = unsealed_.upper_bound(offset);
    return behind != unsealed_.begin() && offset < std::prev(behind)->second.limit;
  }

 private:
  static std::uint64_t page_count_of(txn::Store& store) { return store.allocator().file_pages(); }

  std::uint64_t offset_of(std::uint64_t page) const noexcept { return page * view_.page_bytes; }

  void add(std::uint64_t offset, std::uint64_t size_bytes, const std::string& what) {
    ranges_[offset] = {offset + size_bytes, what};
  }

  // Header and operations of every record; the bytes that round its length up mean nothing.
  void add_log(const format::Meta& meta) {
    const log::Ring ring = store_.ring();
    log::Scanner scanner(ring, {Lsn{meta.log_start}, meta.log_chain}, meta.epoch, TxnId{meta.txn});
    while (const format::RecordHeader* record = scanner.next()) {
      const auto* bytes = reinterpret_cast<const std::byte*>(record);
      add(static_cast<std::uint64_t>(bytes - store_.data().read_base()),
          sizeof *record + record->payload_bytes, "record");
    }
  }

  txn::Store& store_;
  pages::PageView view_;
  std::map<std::uint64_t, Range> ranges_;
  std::map<std::uint64_t, Range> unsealed_;
};

}  // namespace quire::test
