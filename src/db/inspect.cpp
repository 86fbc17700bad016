#include <quire/error.h>
#include <quire/inspect.h>
#include <quire/version.h>

#include <algorithm>
#include <utility>

#include "db/handles.h"
#include "txn/catalogue.h"
#include "txn/slow_readers.h"

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

// What the trees of a snapshot and the metas say.
Statistics statistics_of(const txn::Snapshot& snapshot) {
  const txn::File& file = snapshot.file();
  const txn::State& state = snapshot.state();
  const format::Meta meta = file.read_metas().meta;

  Statistics statistics;
  statistics.page_size_bytes = file.facts().page_bytes;
  statistics.file_bytes = file.data().size_bytes();
  statistics.txn = snapshot.txn().value;
  statistics.checkpoint_number = meta.checkpoint;
  statistics.format_version = std::to_string(meta.format_version);
  statistics.used_pages = format::kReservedBytes / meta.page_bytes + meta.map[0].page_count +
                          meta.map[1].page_count + meta.log.page_count + pages_of(state.catalogue) +
                          pages_of(state.default_table);
  statistics.tables.push_back(table_statistics("", state.default_table));
  for (txn::CatalogueReader reader(snapshot.view(), state.catalogue); !reader.at_end();
       reader.next()) {
    const format::TableRecord record = reader.record();
    statistics.used_pages += pages_of(record.tree);
    statistics.tables.push_back(table_statistics(std::string(reader.name()), record.tree));
    statistics.tables.back().is_multimap = format::is_multimap(record);
    statistics.tables.back().pair_count = record.pair_count;
  }
  return statistics;
}

// What the region says, to whoever may write and to whoever may not.
template <typename Source>
void add_figures_of(const Source& source, const txn::State& state, Statistics& statistics) {
  statistics.durable_lsn = source.durable().value;
  statistics.checkpoint_txn = source.checkpointed().value;
  statistics.log_bytes = source.ring().size_bytes;
  statistics.log_used_bytes =
      state.log_end.value - std::min(state.log_end.value, source.control().log_start.load());
}

void add_pages(std::uint64_t file_pages, std::uint64_t free_pages, Statistics& statistics) {
  statistics.free_pages = free_pages;
  const std::uint64_t known = statistics.used_pages + free_pages;
  statistics.pending_pages = std::max(file_pages, known) - known;
}

Statistics statistics_of(txn::Store& store) {
  const txn::Snapshot snapshot(store);
  Statistics statistics = statistics_of(snapshot);
  add_figures_of(store, snapshot.state(), statistics);
  statistics.process_count = store.readers().process_count();
  statistics.reader_count = store.readers().list().size() - 1;  // less our own
  add_pages(store.allocator().file_pages(), store.allocator().free_pages(), statistics);
  return statistics;
}

Statistics statistics_of(txn::PinnedState pinned) {
  if (pinned.recovered) {
    Statistics statistics = statistics_of(*pinned.recovered);
    statistics.process_count = 0;
    return statistics;
  }
  const txn::Onlooker& onlooker = *pinned.onlooker;
  const txn::Snapshot snapshot(std::move(pinned));
  Statistics statistics = statistics_of(snapshot);
  add_figures_of(onlooker, snapshot.state(), statistics);
  statistics.process_count = shared::count_processes(onlooker.region());
  statistics.reader_count = shared::list_readers(onlooker.region()).size();
  add_pages(onlooker.pages().file_pages.load(), onlooker.pages().free_pages.load(), statistics);
  return statistics;
}

// What a process may see that may only read.
std::vector<ReaderInfo> infos_of(const txn::PinnedState& pinned) {
  if (!pinned.onlooker) return {};
  std::vector<ReaderInfo> readers;
  for (const auto& reader : shared::list_readers(pinned.onlooker->region())) {
    const std::uint64_t newest = std::max(pinned.txn.value, reader.txn.value);
    readers.push_back({.pid = reader.pid,
                       .pid_namespace = reader.pid_namespace,
                       .thread = reader.thread,
                       .command = reader.command,
                       .txn = reader.txn.value,
                       .commits_behind = newest - reader.txn.value,
                       .age_seconds = reader.age_seconds});
  }
  std::sort(readers.begin(), readers.end(),
            [](const ReaderInfo& a, const ReaderInfo& b) { return a.txn < b.txn; });
  return readers;
}

std::vector<ReaderInfo> infos_of(txn::Store& store) {
  std::vector<ReaderInfo> readers;
  for (txn::Reader& reader : txn::list_readers(store)) readers.push_back(std::move(reader.info));
  return readers;
}

// Looks at the store, or at a state that is pinned for as long, whose file may be guarded as well.
template <typename Look>
auto of_what_is_read(const Database& database, Look look) {
  const db::Opened& opened = detail::Access::handle(database).opened;
  if (opened.store) {
    return detail::readable(opened.store.get(), [&] { return look(*opened.store); });
  }
  txn::PinnedState pinned = opened.viewer->pin();
  const auto kept = std::pair(pinned.recovered, pinned.onlooker);
  const txn::File& file = pinned.file();
  return detail::readable(&file, [&] { return look(std::move(pinned)); });
}

}  // namespace

Statistics stat(const Database& database) {
  return of_what_is_read(database, [](auto&& source) {
    return statistics_of(std::forward<decltype(source)>(source));
  });
}

std::vector<ReaderInfo> readers(const Database& database) {
  return of_what_is_read(database, [](auto&& source) { return infos_of(source); });
}

const char* version() noexcept { return QUIRE_VERSION; }

}  // namespace quire
