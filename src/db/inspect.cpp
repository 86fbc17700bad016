#include <quire/error.h>
#include <quire/inspect.h>

#include <algorithm>

#include "db/handles.h"
#include "txn/catalogue.h"

namespace quire {
namespace {

TableStatistics table_statistics(std::string name, const format::TreeRoot& tree) {
  return {.name = std::move(name),
          .entry_count = tree.entry_count,
          .branch_page_count = tree.branch_pages,
          .leaf_page_count = tree.leaf_pages,
          .extent_page_count = tree.extent_pages,
          .height = tree.height};
}

std::uint64_t pages_of(const format::TreeRoot& tree) noexcept {
  return tree.branch_pages + tree.leaf_pages + tree.extent_pages;
}

Statistics statistics_of(txn::Store& store) {
  const txn::Snapshot snapshot(store);
  const txn::State& state = snapshot.state();
  const shared::Control& control = store.control();
  const format::Meta meta = store.read_metas().meta;

  Statistics statistics;
  statistics.page_size_bytes = store.facts().page_bytes;
  statistics.file_bytes = store.data().size_bytes();
  statistics.txn = snapshot.txn().value;
  statistics.durable_lsn = store.durable().value;
  statistics.checkpoint_txn = store.checkpointed().value;
  statistics.checkpoint_number = meta.checkpoint;
  statistics.log_bytes = store.ring().size_bytes;
  statistics.log_used_bytes =
      state.log_end.value - std::min(state.log_end.value, control.log_start.load());
  statistics.process_count = store.readers().process_count();
  statistics.reader_count = store.readers().list().size() - 1;  // less our own
  statistics.format_version = std::to_string(meta.format_version);

  statistics.used_pages = format::kReservedBytes / meta.page_bytes + meta.map[0].page_count +
                          meta.map[1].page_count + meta.log.page_count + pages_of(state.catalogue) +
                          pages_of(state.default_table);
  statistics.tables.push_back(table_statistics("", state.default_table));
  for (txn::CatalogueReader reader(snapshot.view(), state.catalogue); !reader.at_end();
       reader.next()) {
    const format::TreeRoot tree = reader.record().tree;
    statistics.used_pages += pages_of(tree);
    statistics.tables.push_back(table_statistics(std::string(reader.name()), tree));
  }
  statistics.free_pages = store.allocator().free_pages();
  const std::uint64_t known = statistics.used_pages + statistics.free_pages;
  statistics.pending_pages = std::max(store.allocator().file_pages(), known) - known;
  return statistics;
}

}  // namespace

Statistics stat(const Database& database) {
  txn::Store& store = detail::Access::store(database);
  return detail::readable(&store, [&] { return statistics_of(store); });
}

std::vector<ReaderInfo> readers(const Database& database) {
  txn::Store& store = detail::Access::store(database);
  const std::uint64_t newest = store.published().value;
  std::vector<ReaderInfo> readers;
  const auto registered = detail::readable(&store, [&] { return store.readers().list(); });
  for (const shared::RegisteredReader& reader : registered) {
    readers.push_back({.pid = reader.pid,
                       .command = reader.command,
                       .txn = reader.txn.value,
                       .commits_behind = newest - std::min(newest, reader.txn.value)});
  }
  std::sort(readers.begin(), readers.end(),
            [](const ReaderInfo& a, const ReaderInfo& b) { return a.txn < b.txn; });
  return readers;
}

const char* version() noexcept { return QUIRE_VERSION; }

}  // namespace quire
