#include "db/image.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "btree/walk.h"
#include "format/checksum.h"
#include "format/record.h"
#include "format/space_map.h"
#include "txn/catalogue.h"

namespace quire::db {
namespace {

class CensusTaker final : public btree::Visitor {
 public:
  CensusTaker(const pages::PageView& view, TxnId since, Census& census)
      : view_(view), since_(since), census_(census) {}

  // Below an older page are only older ones. The half birth is compared as a serial number; where
  // that is wrong (a very old page), `page` sees the whole birth.
  bool enter(format::PagePtr pointer, std::uint32_t) override {
    constexpr std::uint64_t kSerialNumbers = std::uint64_t{1} << 31;
    return since_.value == 0 || view_.verification->newest.value - since_.value >= kSerialNumbers ||
           static_cast<std::int32_t>(pointer.birth_low - static_cast<std::uint32_t>(since_.value)) >
               0;
  }

  bool page(PageId page, const std::byte* bytes, std::uint32_t) override {
    if (reinterpret_cast<const format::PageHeader*>(bytes)->birth <= since_.value) return false;
    if (page.value < format::kReservedBytes / view_.page_bytes) {
      view_.corrupt(page.value, "a page of a tree where the metas are");
    }
    add({page, 1});
    census_.trees.add({page, 1});
    return true;
  }

  void extent(const format::ExtentRef& extent, std::string_view) override {
    if (extent.birth <= since_.value) return;
    static_cast<void>(view_.extent(extent));  // in the file, and as it was stored
    add({PageId{extent.first_page}, extent.page_count});
  }

 private:
  void add(PageRun run) {
    if (!census_.used.add(run)) view_.corrupt(run.first.value, "the page is used twice");
  }

  const pages::PageView& view_;
  TxnId since_;
  Census& census_;
};

}  // namespace

bool PageSet::add(PageRun run) noexcept {
  bool is_new = true;
  for (std::uint64_t page = run.first.value; page < std::uint64_t{run.first.value} + run.page_count;
       ++page) {
    const std::uint64_t bit = std::uint64_t{1} << page % 64;
    is_new = is_new && (words_[page / 64] & bit) == 0;
    words_[page / 64] |= bit;
  }
  return is_new;
}

std::uint64_t PageSet::count() const noexcept {
  std::uint64_t count = 0;
  for (const std::uint64_t word : words_) count += static_cast<std::uint64_t>(std::popcount(word));
  return count;
}

std::uint64_t PageSet::end() const noexcept {
  for (std::size_t index = words_.size(); index-- > 0;) {
    if (words_[index] != 0) {
      return index * 64 + 64 - static_cast<std::uint64_t>(std::countl_zero(words_[index]));
    }
  }
  return 0;
}

PageRun PageSet::next_run(std::uint64_t page, std::uint32_t pages_max) const noexcept {
  const std::uint64_t limit = words_.size() * 64;
  while (page < limit && !has(page)) {
    if (page % 64 == 0 && words_[page / 64] == 0) {
      page += 64;
    } else {
      ++page;
    }
  }
  PageRun run{PageId{static_cast<std::uint32_t>(std::min(page, limit))}, 0};
  while (run.page_count < pages_max && has(page + run.page_count)) ++run.page_count;
  return run;
}

Census take_census(const pages::PageView& view, const Roots& roots, TxnId since) {
  Census census(view.page_count);
  CensusTaker taker(view, since, census);
  btree::walk(view, roots.catalogue, taker);
  btree::walk(view, roots.default_table, taker);
  for (txn::CatalogueReader table(view, roots.catalogue); !table.at_end(); table.next()) {
    btree::walk(view, table.record().tree, taker);
  }
  return census;
}

void lay_out(format::Meta& meta, const PageSet& used) {
  const std::uint32_t page_bytes = meta.page_bytes;
  const std::uint64_t first =
      std::max<std::uint64_t>(used.end(), format::kReservedBytes / page_bytes);
  const std::uint64_t log_pages = format::kLogBytesAtFirst / page_bytes;
  std::uint64_t map_pages = 1;
  while (format::map_pages_needed(first + 2 * map_pages + log_pages, page_bytes) > map_pages) {
    ++map_pages;
  }
  const auto run = [](std::uint64_t page, std::uint64_t count) {
    return format::StoredRun{static_cast<std::uint32_t>(page), static_cast<std::uint32_t>(count)};
  };
  meta.map[0] = run(first, map_pages);
  meta.map[1] = run(first + map_pages, map_pages);
  meta.log = run(first + 2 * map_pages, log_pages);
  meta.current_map = 0;
  meta.page_count = first + 2 * map_pages + log_pages;
  meta.checkpoint = 1;
  meta.id_base = meta.txn;
  meta.log_start = meta.log_chain = 0;
  meta.epoch = 1;
  meta.clean = 1;
}

format::Meta stored_meta(const format::Meta& meta, int slot) {
  format::Meta stored = meta;
  stored.sequence = meta.sequence + static_cast<std::uint64_t>(slot) + 1;
  stored.checksum = format::meta_checksum(stored);
  return stored;
}

std::vector<std::byte> map_image(const format::Meta& meta, const PageSet& used) {
  const std::uint64_t bits = format::map_page_bits(meta.page_bytes);
  std::vector<std::byte> image(std::size_t{meta.map[0].page_count} * meta.page_bytes);
  const std::uint64_t reserved_pages = format::kReservedBytes / meta.page_bytes;
  for (std::uint64_t page = 0; page < meta.page_count; ++page) {
    if (page >= reserved_pages && page < meta.map[0].first_page && !used.has(page)) continue;
    std::byte* map_page = image.data() + page / bits * meta.page_bytes;
    format::map_words(map_page)[page % bits / 64] |= std::uint64_t{1} << page % bits % 64;
  }
  for (std::uint32_t index = 0; index < meta.map[0].page_count; ++index) {
    format::seal_map_page(image.data() + std::size_t{index} * meta.page_bytes,
                          PageId{meta.map[0].first_page + index}, index, meta.checkpoint,
                          meta.page_bytes, meta.checksum_seed);
  }
  return image;
}

void copy_tree_page(const pages::PageView& view, std::uint64_t page, std::byte* target) {
  // Without its checksum word, into which a checkpoint may be storing at this moment.
  constexpr std::size_t kAfterChecksum = offsetof(format::PageHeader, birth);
  const std::byte* source = view.at(PageId{static_cast<std::uint32_t>(page)});
  std::memcpy(target + kAfterChecksum, source + kAfterChecksum, view.page_bytes - kAfterChecksum);
  auto* header = reinterpret_cast<format::PageHeader*>(target);
  header->checksum = format::page_checksum(target, view.page_bytes, view.checksum_seed);
  // The pages were verified when they were counted, which may be long ago.
  if (TxnId{header->birth} > view.verification->sealed) return;
  if (header->checksum != reinterpret_cast<const format::PageHeader*>(source)->checksum) {
    view.corrupt(page, "checksum mismatch");
  }
}

}  // namespace quire::db
