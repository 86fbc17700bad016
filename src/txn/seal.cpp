#include "txn/seal.h"

#include "btree/walk.h"
#include "txn/catalogue.h"

namespace quire::txn {
namespace {

class Sealer final : public btree::Visitor {
 public:
  Sealer(Store& store, TxnId sealed) : store_(store), sealed_(sealed) {}

  // A child older than the checkpoint has only older ones below it. The pointer's half birth is
  // compared as a serial number; where that is wrong (a very old page), `page` sees the whole
  // birth.
  bool enter(format::PagePtr pointer, std::uint32_t) override {
    return static_cast<std::int32_t>(pointer.birth_low -
                                     static_cast<std::uint32_t>(sealed_.value)) > 0;
  }

  // Values are of no interest, so nobody need look into leaves.
  bool page(PageId page, const std::byte* bytes, std::uint32_t level) override {
    if (TxnId{reinterpret_cast<const format::PageHeader*>(bytes)->birth} <= sealed_) return false;
    // Each page has one place in one tree: more than there are means that some are shared.
    const pages::PageView view = store_.view(store_.allocator().file_pages());
    if (++page_count_ > view.page_count) {
      view.corrupt(page.value, "the trees have more pages than the file");
    }
    const Facts& facts = store_.facts();
    const std::uint64_t checksum =
        format::page_checksum(bytes, facts.page_bytes, facts.checksum_seed);
    // As it was when the page was written in a run: a store would make it dirty for nothing.
    if (reinterpret_cast<const format::PageHeader*>(bytes)->checksum == checksum) return level > 0;
    std::byte* target = store_.data().write_base() + std::uint64_t{page.value} * facts.page_bytes;
    std::atomic_ref(reinterpret_cast<format::PageHeader*>(target)->checksum)
        .store(checksum, std::memory_order_relaxed);
    return level > 0;
  }

  void extent(const format::ExtentRef&, std::string_view) override {}

 private:
  Store& store_;
  TxnId sealed_;
  std::uint64_t page_count_ = 0;
};

}  // namespace

void seal(Store& store, const State& state, TxnId sealed) {
  const pages::PageView view = store.view(state.page_count);
  Sealer sealer(store, sealed);
  btree::walk(view, state.catalogue, sealer);
  btree::walk(view, state.default_table, sealer);
  for (CatalogueReader table(view, state.catalogue); !table.at_end(); table.next()) {
    btree::walk(view, table.record().tree, sealer);
  }
}

}  // namespace quire::txn
