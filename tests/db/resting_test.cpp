// A thread begins its next snapshot with what is left of its last one: nobody may notice.
#include <quire/quire.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "db/handles.h"
#include "format/meta.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using Resting = DatabaseTest;

TEST_F(Resting, SnapshotsBegunAnewShowTheNewestCommit) {
  Database db{file_, {.durability = Durability::relaxed}};
  Random random{choose_seed("SnapshotsBegunAnewShowTheNewestCommit")};
  std::uint64_t count = 0;
  std::optional<Snapshot> old;
  std::uint64_t old_count = 0;
  for (int round = 0; round < 1000; ++round) {
    for (std::uint64_t left = random.below(random.one_in(20) ? 100 : 3); left > 0; --left) {
      db.put("count", std::to_string(++count));
    }
    const Snapshot now = db.snapshot();
    ASSERT_EQ(now.table().get("count").value_or("0"), std::to_string(count));
    if (old) {
      ASSERT_EQ(old->table().get("count").value_or("0"), std::to_string(old_count));
    }
    if (random.one_in(5)) {
      old = db.snapshot();
      old_count = count;
    } else if (random.one_in(5)) {
      old.reset();
    }
  }
}

TEST_F(Resting, SnapshotsOfTwoDatabasesDoNotMix) {
  Database one{file_};
  Database two{file_.string() + ".two"};
  one.put("name", "one");
  two.put("name", "two");
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(one.snapshot().txn(), one.snapshot().txn());
    const Snapshot first = one.snapshot();
    const Snapshot second = two.snapshot();
    ASSERT_EQ(first.table().get("name"), "one");
    ASSERT_EQ(second.table().get("name"), "two");
    ASSERT_EQ(two.get("name"), "two");
    ASSERT_EQ(one.get("name"), "one");
  }
}

TEST_F(Resting, ASnapshotDoesNotKeepTheFileOpen) {
  for (int round = 0; round < 3; ++round) {
    {
      const Database db{file_};
      EXPECT_GT(db.snapshot().txn(), 0u);
    }
    for (const std::uint64_t offset : format::kMetaOffset) {
      std::ifstream file(file_, std::ios::binary);
      file.seekg(static_cast<std::streamoff>(offset));
      format::Meta meta;
      ASSERT_TRUE(file.read(reinterpret_cast<char*>(&meta), sizeof meta));
      EXPECT_EQ(meta.clean, 1u);
    }
    Database{file_}.put("old", "1");
    std::filesystem::remove(file_);
  }
}

TEST_F(Resting, TheLastSnapshotClosesTheFileThatItsDatabaseHasLeft) {
  std::optional<Snapshot> last;
  {
    Database db{file_};
    db.put("a", "1");
    last = db.snapshot();
  }
  EXPECT_EQ(last->table().get("a"), "1");
  last.reset();
  const Database db{file_};
  EXPECT_EQ(db.get("a"), "1");
}

TEST_F(Resting, ThreadsThatEndLeaveTheirSlotsToOthers) {
  const Database db{file_};
  const auto slot_count = [&] {
    return detail::Access::store(db).control().reader_slot_count.load();
  };
  const std::uint64_t before = slot_count();
  for (std::uint64_t i = 0; i < 3 * before; ++i) {
    std::thread([&] { EXPECT_GT(db.snapshot().txn(), 0u); }).join();
  }
  EXPECT_EQ(slot_count(), before);
}

TEST_F(Resting, ThreadsMayEndAfterTheDatabase) {
  for (int round = 0; round < 3; ++round) {
    std::optional<Database> db{file_};
    std::atomic<int> ready = 0;
    std::atomic<bool> closed = false;
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        EXPECT_GT(db->snapshot().txn(), 0u);
        ++ready;
        while (!closed) std::this_thread::yield();
      });
    }
    while (ready < 3) std::this_thread::yield();
    db.reset();
    closed = true;
    for (std::thread& reader : readers) reader.join();
  }
}

}  // namespace
}  // namespace quire::test
