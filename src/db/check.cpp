// Judging a whole database: the newest state, and the account: every page is reachable, free or
// pending, and none is two of these. Who may only read beside writers judges what is pinned for
// him.
#include <quire/inspect.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "db/handles.h"
#include "db/state_checker.h"
#include "txn/checkpoint.h"
#include "txn/larger_log.h"

namespace quire {
namespace {

format::Meta meta_at(const txn::File& file, int slot) {
  format::Meta meta;
  std::memcpy(static_cast<void*>(&meta), file.data().read_base() + format::kMetaOffset[slot],
              sizeof meta);
  return meta;
}

std::uint64_t page_of_meta(const txn::File& file, int slot) {
  return format::kMetaOffset[slot] / file.facts().page_bytes;
}

constexpr const char* kDamagedMeta = "the meta page is damaged; the other one serves";

using Listener = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Pages used twice count twice.
db::StateChecker::OnPages pages_of(std::uint64_t total, const Listener& listener) {
  if (!listener) return nullptr;
  return [total, &listener](std::uint64_t done) { listener(std::min(done, total), total); };
}

// The caller holds the writer lock and the checkpoint lock.
class Checker final : public db::StateChecker {
 public:
  Checker(txn::Store& store, CheckReport& report, const Listener& listener)
      : StateChecker(
            store, store.allocator().file_pages(), store.visible_state(), store.visible(),
            store.checkpointed(), report,
            pages_of(store.allocator().file_pages() - store.allocator().free_pages(), listener)),
        store_(store) {}

  void run() {
    check_metas();
    check_trees();
    const format::Meta meta = store_.read_metas().meta;
    check_log(meta, false);
    claim_fixed_pages(meta);
    for (const auto& place : store_.control().checkpoint.replaced) {
      if (place.load() == 0) continue;
      const shared::Run run = shared::unpack_run(place.load());
      claim({PageId{run.first_page}, run.page_count}, std::nullopt);
    }
    check_account();
  }

 private:
  bool is_marked(std::uint64_t page) const override {
    return store_.allocator().is_used(PageId{static_cast<std::uint32_t>(page)});
  }

  void check_metas() {
    for (int slot = 0; slot < 2; ++slot) {
      const format::Meta meta = meta_at(store_, slot);
      if (!is_whole(meta)) {
        fault(page_of_meta(store_, slot), kDamagedMeta);
      } else if (meta.txn == store_.checkpointed().value) {
        check_map(meta);  // of the older of two the map may be written anew
      }
    }
  }

  void check_account() {
    store_.allocator().for_each_deferred(
        state_.deferred_tail, [&](const pages::DeferredFree& entry) {
          claim({PageId{entry.first_page}, entry.page_count}, std::nullopt);
        });
    std::uint64_t free_pages = 0;
    for (std::uint64_t page = 0; page < page_count(); ++page) {
      const bool is_used = is_marked(page);
      free_pages += is_used ? 0 : 1;
      if (is_used && !is_claimed(page)) fault(page, "is marked in use but nothing refers to it");
    }
    if (free_pages != store_.allocator().free_pages()) fault(0, "the count of free pages is wrong");
    report_.page_count += free_pages;
  }

  txn::Store& store_;
};

CheckReport check_all(txn::Store& store, const Listener& listener) {
  return detail::readable(&store, [&] {
    const txn::WriterHold hold(store);
    // What a checkpointer that died has announced is neither used nor free.
    txn::give_up_larger_log(store);
    const std::lock_guard checkpoint_lock(store.checkpoint_lock());
    CheckReport report;
    Checker(store, report, listener).run();
    return report;
  });
}

// A meta page is torn for a moment while a checkpoint stores it.
bool is_damaged_for_long(const db::StateChecker& checker, const txn::File& file, int slot) {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (checker.is_whole(meta_at(file, slot))) return false;
  }
  return true;
}

// Beside writers: nothing when a checkpoint came in between, so that map and log are others by now.
std::optional<CheckReport> check_beside_writers(const txn::Snapshot& snapshot,
                                                const Listener& listener) {
  const txn::File& file = snapshot.file();
  return detail::readable(&file, [&]() -> std::optional<CheckReport> {
    CheckReport report;
    const std::uint64_t page_count = file.data().size_bytes() / file.facts().page_bytes;
    db::StateChecker checker(file, page_count, snapshot.state(), snapshot.txn(),
                             snapshot.verification().sealed, report,
                             pages_of(page_count, listener));
    const format::Meta meta = file.read_metas().meta;
    checker.check_map(meta);
    if (TxnId{meta.txn} < snapshot.txn()) checker.check_log(meta, true);
    if (file.read_metas().meta.checkpoint != meta.checkpoint) return std::nullopt;
    for (int slot = 0; slot < 2; ++slot) {
      if (is_damaged_for_long(checker, file, slot)) {
        checker.fault(page_of_meta(file, slot), kDamagedMeta);
      }
    }
    checker.check_trees();
    checker.claim_fixed_pages(meta);
    return report;
  });
}

CheckReport check_what_may_be_read(txn::Viewer& viewer, const Listener& listener) {
  for (;;) {
    txn::PinnedState pinned = viewer.pin();
    if (pinned.onlooker) {
      const txn::Snapshot snapshot(std::move(pinned));
      if (auto report = check_beside_writers(snapshot, listener)) return *std::move(report);
      continue;
    }
    CheckReport report = check_all(*pinned.recovered, listener);
    if (report.ok() || viewer.is_current(pinned)) return report;
  }
}

}  // namespace

CheckReport check(const Database& database, const Listener& on_progress) {
  const db::Opened& opened = detail::Access::handle(database).opened;
  return opened.store ? check_all(*opened.store, on_progress)
                      : check_what_may_be_read(*opened.viewer, on_progress);
}

}  // namespace quire
