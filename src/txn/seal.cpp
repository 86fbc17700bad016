#include "txn/seal.h"

#include <algorithm>
#include <utility>

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

  bool page(PageId page, const std::byte* bytes, std::uint32_t) override {
    if (TxnId{reinterpret_cast<const format::PageHeader*>(bytes)->birth} <= sealed_) return false;
    // Each page has one place in one tree: more than there are means that some are shared.
    const pages::PageView view = store_.view(store_.allocator().file_pages());
    if (++page_count_ > view.page_count) {
      view.corrupt(page.value, "the trees have more pages than the file");
    }
    runs_.push_back({page, 1});
    const Facts& facts = store_.facts();
    const std::uint64_t checksum =
        format::page_checksum(bytes, facts.page_bytes, facts.checksum_seed);
    // As it was when the page was written in a run: a store would make it dirty for nothing.
    if (reinterpret_cast<const format::PageHeader*>(bytes)->checksum == checksum) return true;
    std::byte* target = store_.data().write_base() + std::uint64_t{page.value} * facts.page_bytes;
    std::atomic_ref(reinterpret_cast<format::PageHeader*>(target)->checksum)
        .store(checksum, std::memory_order_relaxed);
    return true;
  }

  void extent(const format::ExtentRef& extent, std::string_view) override {
    if (TxnId{extent.birth} <= sealed_) return;
    // Throws unless it lies in the file.
    static_cast<void>(store_.view(store_.allocator().file_pages()).extent(extent));
    runs_.push_back({PageId{extent.first_page}, extent.page_count});
  }

  std::vector<PageRun> take_runs() noexcept { return std::move(runs_); }

 private:
  Store& store_;
  TxnId sealed_;
  std::uint64_t page_count_ = 0;
  std::vector<PageRun> runs_;
};

// Ascending, neighbours together as far as that makes no run longer than `run_pages_max`, and what
// is longer in pieces.
std::vector<PageRun> in_order(std::vector<PageRun> runs, std::uint32_t run_pages_max) {
  std::sort(runs.begin(), runs.end(),
            [](const PageRun& a, const PageRun& b) { return a.first < b.first; });
  std::vector<PageRun> ordered;
  for (PageRun run : runs) {
    while (run.page_count > 0) {
      PageRun* const last = ordered.empty() ? nullptr : &ordered.back();
      const bool continues =
          last != nullptr && last->first.value + last->page_count == run.first.value;
      if (!continues || last->page_count == run_pages_max) {
        ordered.push_back({run.first, 0});
        continue;
      }
      const std::uint32_t pages = std::min(run.page_count, run_pages_max - last->page_count);
      last->page_count += pages;
      run = {PageId{run.first.value + pages}, run.page_count - pages};
    }
  }
  return ordered;
}

}  // namespace

Sealed seal(Store& store, const State& state, TxnId sealed, std::uint32_t run_pages_max) {
  const pages::PageView view = store.view(state.page_count);
  Sealer sealer(store, sealed);
  btree::walk(view, state.catalogue, sealer);
  btree::walk(view, state.default_table, sealer);
  Sealed result;
  for (CatalogueReader table(view, state.catalogue); !table.at_end(); table.next()) {
    const format::TableRecord record = table.record();
    btree::walk(view, record.tree, sealer);
    result.has_multimaps |= format::is_multimap(record);
  }
  result.runs = in_order(sealer.take_runs(), run_pages_max);
  return result;
}

}  // namespace quire::txn
