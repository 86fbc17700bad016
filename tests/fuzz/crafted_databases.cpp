// Seeds behind which bugs of other stores stand, one shape each; what broke there is said beside
// it. The checksums are right.
#include <algorithm>
#include <functional>

#include "format/space_map.h"
#include "fuzz/layout.h"
#include "fuzz/seal.h"
#include "fuzz/seeds.h"

namespace quire::fuzz {
namespace {

using format::Meta;
using format::PageHeader;
using format::PagePtr;

const Input& input_of(const std::vector<Seed>& seeds, const std::string& name) {
  const auto found =
      std::find_if(seeds.begin(), seeds.end(), [&](const Seed& seed) { return seed.name == name; });
  return found->input;
}

Seed edit_metas(const char* name, Input input, const std::function<void(Meta&)>& edit) {
  for (const std::uint64_t offset : format::kMetaOffset) {
    auto meta = load<Meta>(input.file.data() + offset);
    edit(meta);
    meta.checksum = format::meta_checksum(meta);
    store(input.file.data() + offset, meta);
  }
  return {name, std::move(input)};
}

Seed edit_file(const char* name, Input input, const std::function<void(const Layout&)>& edit) {
  edit(Layout(input.file));
  seal_file(input.file);
  return {name, std::move(input)};
}

// The page at the root of the default table.
std::byte* root_page(const Layout& layout) {
  return layout.page(layout.meta().default_table.root.page);
}

PagePtr* root_children(const Layout& layout) {
  return children_of(root_page(layout), layout.page_bytes()).first;
}

// The first leaf that a tree's pointer may lead to.
std::byte* some_leaf(const Layout& layout) { return layout.page(layout.leaves().front()); }

std::byte* record_of(std::byte* leaf, std::uint32_t index) {
  const auto count = load<PageHeader>(leaf).entry_count;
  return leaf + load<std::uint16_t>(leaf + format::leaf_offset_at(count, index));
}

// Applies `edit` to every extent reference.
void edit_extents(const Layout& layout, const std::function<void(format::ExtentRef&)>& edit) {
  for (const std::uint32_t number : layout.leaves()) {
    std::byte* page = layout.page(number);
    for_entries(page, layout.page_bytes(), [&](std::uint32_t, const format::LeafEntry& entry) {
      if (!entry.in_extent) return;
      std::byte* at = page + (reinterpret_cast<const std::byte*>(entry.value.data()) - page);
      auto extent = load<format::ExtentRef>(at);
      edit(extent);
      store(at, extent);
    });
  }
}

void add_metas(std::vector<Seed>& seeds, const Input& good) {
  const auto add = [&](const char* name, const std::function<void(Meta&)>& edit) {
    seeds.push_back(edit_metas(name, good, edit));
  };
  add("page-size-0", [](Meta& m) { m.page_bytes = 0; });  // LMDB CVE-2019-16228: division by zero
  add("page-count-max",
      [](Meta& m) { m.page_count = UINT32_MAX; });  // libmdbx: SIGBUS past the end
  add("root-is-a-meta", [](Meta& m) { m.default_table.root = {16, 0}; });  // py-lmdb
  add("height-255", [](Meta& m) { m.default_table.height = 255; });  // py-lmdb: depth of a stack
  add("height-20", [](Meta& m) { m.default_table.height = 20; });
  add("unknown-feature", [](Meta& m) { m.incompat = std::uint64_t{1} << 40; });
  add("txn-at-its-end", [](Meta& m) { m.txn = m.id_base = UINT64_MAX; });
  add("txn-0", [](Meta& m) { m.txn = 0; });
  add("log-on-map", [](Meta& m) { m.log.first_page = m.map[0].first_page; });
  add("maps-on-each-other", [](Meta& m) { m.map[1] = m.map[0]; });
  add("map-on-tree", [](Meta& m) { m.map[1 - m.current_map].first_page = m.log.first_page + 20; });
  add("log-behind-the-end", [](Meta& m) { m.log.page_count = 1u << 30; });
  add("log-start-at-its-end", [](Meta& m) { m.log_start = UINT64_MAX - 7; });
  add("counts-of-0", [](Meta& m) {
    m.default_table.entry_count = m.default_table.leaf_pages = m.default_table.branch_pages = 0;
  });
}

void add_branches(std::vector<Seed>& seeds, const Input& deep) {
  const auto add = [&](const char* name, const std::function<void(const Layout&)>& edit) {
    seeds.push_back(edit_file(name, deep, edit));
  };
  // redb: a branch that leads to itself overflowed the stack.
  add("branch-to-itself",
      [](const Layout& l) { root_children(l)[0] = l.meta().default_table.root; });
  add("branch-to-shared-child", [](const Layout& l) { root_children(l)[0] = root_children(l)[1]; });
  add("branch-to-nowhere", [](const Layout& l) { root_children(l)[0].page = l.page_count(); });
  add("branch-to-a-meta", [](const Layout& l) { root_children(l)[0] = {0, 1}; });
  // redb: a page number that no file has asked for terabytes.
  add("branch-to-page-max", [](const Layout& l) { root_children(l)[0].page = UINT32_MAX; });
  add("branch-count-max",
      [](const Layout& l) { store(root_page(l) + offsetof(PageHeader, entry_count), ~0u); });
  add("branch-is-a-leaf",  // LMDB CVE-2019-16227: a cursor of another kind
      [](const Layout& l) { root_page(l)[offsetof(PageHeader, kind)] = std::byte{2}; });
  add("branch-of-another-level",
      [](const Layout& l) { root_page(l)[offsetof(PageHeader, level)] = std::byte{9}; });
}

void add_leaves(std::vector<Seed>& seeds, const Input& mixed) {
  const auto add = [&](const char* name, const std::function<void(const Layout&)>& edit) {
    seeds.push_back(edit_file(name, mixed, edit));
  };
  add("leaf-flags",  // LMDB CVE-2019-16224, -16225: flags that only memory may have
      [](const Layout& l) { store(some_leaf(l) + offsetof(PageHeader, flags), std::uint16_t{6}); });
  add("leaf-record-size",  // LMDB CVE-2019-16226, LevelDB: a size beyond the page
      [](const Layout& l) { store(record_of(some_leaf(l), 0), std::uint16_t{0xffff}); });
  add("leaf-value-size",
      [](const Layout& l) { store(record_of(some_leaf(l), 0) + 2, std::uint16_t{0x7fff}); });
  add("leaf-heap-begin",  // py-lmdb: lower and upper bounds
      [](const Layout& l) { store(some_leaf(l) + offsetof(PageHeader, heap_begin), 64u); });
  add("leaf-heap-live",
      [](const Layout& l) { store(some_leaf(l) + offsetof(PageHeader, heap_live), 0u); });
  add("leaf-offset-at-the-end", [](const Layout& l) {  // libmdbx: a node read before its bounds
    store(some_leaf(l) + format::leaf_offset_at(load<PageHeader>(some_leaf(l)).entry_count, 0),
          static_cast<std::uint16_t>(l.page_bytes() - 1));
  });
  add("leaf-born-by-the-next", [](const Layout& l) {
    for (const std::uint32_t number : l.leaves()) {
      store(l.page(number) + offsetof(PageHeader, birth), l.meta().txn + 1);
    }
  });
  add("all-pages-free", [](const Layout& l) {
    std::byte* map = l.page(l.meta().map[l.meta().current_map].first_page);
    std::fill(map + sizeof(format::MapPageHeader), map + l.page_bytes(), std::byte{0});
  });
  add("all-pages-used", [](const Layout& l) {
    std::byte* map = l.page(l.meta().map[l.meta().current_map].first_page);
    std::fill(map + sizeof(format::MapPageHeader), map + l.page_bytes(), std::byte{0xff});
  });
}

void add_extents(std::vector<Seed>& seeds, const Input& large) {
  const auto add = [&](const char* name, const std::function<void(format::ExtentRef&)>& edit) {
    seeds.push_back(edit_file(name, large, [&](const Layout& l) { edit_extents(l, edit); }));
  };
  // py-lmdb: sums that wrap.
  add("extent-pages-max", [](format::ExtentRef& e) { e.page_count = UINT32_MAX; });
  add("extent-size-max", [](format::ExtentRef& e) { e.size_bytes = UINT64_MAX; });
  add("extent-first-max", [](format::ExtentRef& e) { e.first_page = UINT32_MAX; });
  add("extent-on-metas", [](format::ExtentRef& e) { e.first_page = 0; });
  add("extent-on-log", [](format::ExtentRef& e) { e.first_page = 40; });
  add("extent-of-nothing", [](format::ExtentRef& e) { e.page_count = 0; });
  add("extent-of-the-future", [](format::ExtentRef& e) { e.birth = UINT64_MAX; });
}

void add_logs(std::vector<Seed>& seeds, const Input& log) {
  const auto add = [&](const char* name, const std::function<void(std::byte*)>& edit) {
    seeds.push_back(edit_file(name, log, [&](const Layout& l) {
      for_records(l.ring(), l.ring_bytes(), l.meta().log_start,
                  [&](std::byte* record, const format::RecordHeader& header) {
                    if (header.payload_bytes > 0) edit(record + sizeof header);
                  });
    }));
  };
  add("log-key-size", [](std::byte* at) { store(at + 2, std::uint16_t{0xffff}); });
  add("log-value-size", [](std::byte* at) { store(at + 8, UINT32_MAX); });
  add("log-kind-0", [](std::byte* at) { *at = std::byte{0}; });
  add("log-creates-twice", [](std::byte* at) { *at = std::byte{5}; });
  add("log-drops", [](std::byte* at) { *at = std::byte{6}; });
  add("log-of-no-table", [](std::byte* at) { store(at + 4, 77u); });
}

}  // namespace

std::vector<Seed> crafted_databases(const std::vector<Seed>& good) {
  std::vector<Seed> seeds;
  add_metas(seeds, input_of(good, "mixed"));
  add_branches(seeds, input_of(good, "deep"));
  add_leaves(seeds, input_of(good, "mixed"));
  add_extents(seeds, input_of(good, "large"));
  add_logs(seeds, input_of(good, "log"));
  return seeds;
}

}  // namespace quire::fuzz
