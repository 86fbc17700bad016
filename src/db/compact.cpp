#include <quire/inspect.h>

#include "db/handles.h"
#include "txn/compacting.h"

namespace quire {

CompactReport compact(Database& database, std::uint64_t step_bytes) {
  const detail::Handle& handle = detail::Access::handle(database);
  txn::Store& store = detail::Access::store(database);
  if (handle.options.read_only) {
    throw Error(Errc::read_only, store.name() + ": opened read-only");
  }
  return detail::readable(&store, [&] {
    const std::uint64_t page_bytes = store.facts().page_bytes;
    const txn::CompactStep step = txn::compact_step(store, step_bytes / page_bytes);
    return CompactReport{.is_done = !step.has_moved,
                         .used_bytes = step.end_pages * page_bytes,
                         .wanted_bytes = step.wanted_pages * page_bytes};
  });
}

}  // namespace quire
