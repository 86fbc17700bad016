// Erasing much on a disk that is full: where the ring of deferred frees cannot become larger, what
// does not fit fails, and nothing is lost.
#include <quire/quire.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "btree/erase_range.h"
#include "db/handles.h"
#include "format/space_map.h"
#include "storage/system.h"
#include "support/database_test.h"
#include "txn/catalogue.h"
#include "txn/repair.h"
#include "txn/space.h"

namespace quire::test {
namespace {

std::atomic<bool> disk_is_full;
const storage::System kRealSystem = storage::system;

int allocate(int descriptor, int mode, off_t offset, off_t bytes) {
  if (!disk_is_full) return kRealSystem.fallocate(descriptor, mode, offset, bytes);
  errno = ENOSPC;
  return -1;
}

// A table "t" of about 3000 pages, beside a ring of 2048 places.
class ErasingOnAFullDisk : public DatabaseTest {
 protected:
  explicit ErasingOnAFullDisk(ScratchDirectory::Place place = ScratchDirectory::Place::fast)
      : DatabaseTest(place) {}

  static constexpr std::uint64_t kCount = 40'000;
  static constexpr std::size_t kValueBytes = 290;

  void SetUp() override {
    storage::system.fallocate = &allocate;
    db_.emplace(file_);
    db_->write([](Transaction& tx) {
      for (std::uint64_t i = 0; i < kCount; ++i) {
        tx.table("t").put(big_endian(i), pattern(kValueBytes, i));
      }
    });
    db_->checkpoint();
    ASSERT_GT(stat(*db_).used_pages, 2500u);
    disk_is_full = true;
  }

  void TearDown() override {
    disk_is_full = false;
    db_.reset();
    storage::system.fallocate = kRealSystem.fallocate;
    DatabaseTest::TearDown();
  }

  static void expect_all(const TableView& table) {
    ASSERT_EQ(table.size(), kCount);
    std::uint64_t number = 0;
    for (auto [key, value] : table) {
      ASSERT_EQ(key, big_endian(number));
      ASSERT_EQ(value, pattern(kValueBytes, number));
      ++number;
    }
    EXPECT_EQ(number, kCount);
  }

  // Too much for the ring: first in a part that is undone, then in a transaction that is dropped.
  void expect_failure_without_loss(const std::function<void(Transaction&)>& erase) {
    {
      Transaction tx = db_->begin();
      tx.table().put("kept", "1");
      Savepoint savepoint = tx.savepoint();
      tx.table().put("undone", "2");
      EXPECT_EQ(errc_of([&] { erase(tx); }), Errc::no_space);
      EXPECT_EQ(errc_of([&] { tx.table().put("more", "3"); }), Errc::misuse);
      savepoint.rollback();
      expect_all(tx.table("t"));
      EXPECT_EQ(errc_of([&] { erase(tx); }), Errc::no_space);
      savepoint.rollback();
      EXPECT_EQ(tx.table("t").erase(big_endian(0), big_endian(100)), 100u);
      savepoint.rollback();
      savepoint.release();
      tx.table().put("after", "4");
      tx.commit();
    }
    EXPECT_EQ(entries(*db_), (Entries{{"after", "4"}, {"kept", "1"}}));
    {
      Transaction tx = db_->begin();
      tx.table().put("lost", "5");
      EXPECT_EQ(errc_of([&] { erase(tx); }), Errc::no_space);
      EXPECT_EQ(errc_of([&] { tx.commit(); }), Errc::misuse);
    }
    EXPECT_EQ(entries(*db_), (Entries{{"after", "4"}, {"kept", "1"}}));
    const Snapshot now = db_->snapshot();
    expect_all(now.table("t"));
    expect_sound(*db_);
  }

  std::optional<Database> db_;
};

TEST_F(ErasingOnAFullDisk, OfARangeFailsWithoutLoss) {
  expect_failure_without_loss(
      [](Transaction& tx) { tx.table("t").erase(big_endian(50), big_endian(kCount - 50)); });
  expect_failure_without_loss([](Transaction& tx) { tx.table("t").erase_prefix(""); });
  disk_is_full = false;
  db_->write([](Transaction& tx) {
    EXPECT_EQ(tx.table("t").erase(big_endian(50), big_endian(kCount - 50)), kCount - 100);
  });
  expect_sound(*db_);
}

TEST_F(ErasingOnAFullDisk, OfAWholeTableFailsWithoutLoss) {
  expect_failure_without_loss([](Transaction& tx) { tx.table("t").clear(); });
  expect_failure_without_loss([](Transaction& tx) { tx.drop("t"); });
  disk_is_full = false;
  db_->write([](Transaction& tx) { EXPECT_TRUE(tx.drop("t")); });
  expect_sound(*db_);
}

// Places that the part before has left are had back by a checkpoint.
TEST_F(ErasingOnAFullDisk, GoesOnInParts) {
  constexpr std::uint64_t kPart = kCount / 5;
  for (std::uint64_t first = 0; first < kCount; first += kPart) {
    db_->write([&](Transaction& tx) {
      EXPECT_EQ(tx.table("t").erase(big_endian(first), big_endian(first + kPart)), kPart);
    });
    const Snapshot now = db_->snapshot();
    EXPECT_EQ(now.table("t").size(), kCount - first - kPart);
  }
  db_->write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < kCount / 2; ++i) {
      tx.table("again").put(big_endian(i), pattern(kValueBytes, i));
    }
  });
  expect_sound(*db_);
}

// The checkpoint that makes places for frees takes pages for the space map of a file that has
// grown. It used to come when the pages that the erasure needs had been counted already.
class ErasingWithTheLastPages : public ErasingOnAFullDisk {
 protected:
  ErasingWithTheLastPages() : ErasingOnAFullDisk(ScratchDirectory::Place::disk) {}

  // So long that its maps are too short.
  void outgrow_maps() {
    disk_is_full = false;
    const txn::WriterHold hold(store());
    ASSERT_TRUE(txn::grow_file(store(), format::map_page_bits(db_->page_size_bytes())));
    disk_is_full = true;
  }

  // Leaves so many of the pages that are free.
  std::vector<PageRun> take_all_but(std::uint64_t page_count) {
    std::vector<PageRun> taken;
    pages::Allocator& allocator = store().allocator();
    for (std::uint32_t step = 1u << 16; step > 0;) {
      const bool is_too_much = allocator.available_pages() < page_count + step;
      const auto run = is_too_much ? std::nullopt : allocator.take_run(step, [](PageRun) {});
      if (run) {
        taken.push_back({*run, step});
      } else {
        step /= 2;
      }
    }
    return taken;
  }

  std::uint32_t needed_pages(std::string_view table) {
    const txn::State state = store().visible_state();
    const pages::PageView view = store().view(state.page_count);
    return btree::pages_needed_for_range(
        txn::find_table(view, state.catalogue, table).value().tree);
  }

  txn::Store& store() { return detail::Access::store(*db_); }
};

TEST_F(ErasingWithTheLastPages, CountsThemWhenACheckpointHasTakenSome) {
  outgrow_maps();
  db_->put("newer", "than the checkpoint");
  const TxnId checkpointed = store().checkpointed();
  {
    Transaction tx = db_->begin();
    const std::uint32_t needed = needed_pages("t");
    const auto taken = take_all_but(needed);
    EXPECT_EQ(store().allocator().available_pages(), needed);
    EXPECT_EQ(errc_of([&] { tx.table("t").erase(big_endian(50), big_endian(kCount - 50)); }),
              Errc::no_space);
    EXPECT_GT(store().checkpointed(), checkpointed);
    EXPECT_LT(store().allocator().available_pages(), needed);
    for (const PageRun run : taken) store().allocator().give_back(run);
  }
  const Snapshot now = db_->snapshot();
  expect_all(now.table("t"));
  expect_sound(*db_);
}

}  // namespace
}  // namespace quire::test
