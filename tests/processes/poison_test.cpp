// A flush that fails: nothing is acknowledged any more, in any process, until everybody has closed.
#include <quire/quire.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include "shared/layout.h"
#include "storage/mapping.h"
#include "storage/system.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"

namespace quire::test {
namespace {

// The next so many flushes fail as those of a broken disk do.
int failing_flushes = 0;
const storage::System kReal = storage::system;

bool flush_fails() {
  if (failing_flushes == 0) return false;
  --failing_flushes;
  errno = EIO;
  return true;
}

class Poison : public DatabaseTest {
 protected:
  void SetUp() override {
    storage::system.msync = [](void* address, std::size_t size_bytes, int flags) {
      return flush_fails() ? -1 : kReal.msync(address, size_bytes, flags);
    };
    storage::system.fdatasync = [](int descriptor) {
      return flush_fails() ? -1 : kReal.fdatasync(descriptor);
    };
    storage::system.fsync = [](int descriptor) {
      return flush_fails() ? -1 : kReal.fsync(descriptor);
    };
  }

  void TearDown() override {
    failing_flushes = 0;
    storage::system = kReal;
    DatabaseTest::TearDown();
  }

  static void expect_poisoned(Database& db) {
    EXPECT_EQ(errc_of([&] { db.put("a", "1"); }), Errc::poisoned);
    EXPECT_EQ(errc_of([&] { db.begin(); }), Errc::poisoned);
    EXPECT_EQ(errc_of([&] { db.sync(); }), Errc::poisoned);
    EXPECT_EQ(errc_of([&] { db.checkpoint(); }), Errc::poisoned);
  }
};

TEST_F(Poison, OfALogFlushStopsWritersAndLetsReadersGoOn) {
  {
    Database db{file_};
    for (int i = 0; i < 20; ++i) advance(db);
    const Snapshot held = db.snapshot();
    failing_flushes = 1;
    EXPECT_EQ(errc_of([&] { advance(db); }), Errc::poisoned);
    expect_poisoned(db);
    EXPECT_EQ(expect_ledger(held), 20u);
    EXPECT_EQ(expect_ledger(db), 20u) << "what was not flushed is not published";
  }
  Database db{file_};
  const std::uint64_t count = expect_ledger(db);
  EXPECT_TRUE(count == 20 || count == 21) << count;
  EXPECT_EQ(advance(db), count + 1);
}

TEST_F(Poison, OfACheckpointLosesNothing) {
  for (int life = 0; life < 4; ++life) {
    std::uint64_t before = 0;
    {
      Database db{file_};
      for (int i = 0; i < 10; ++i) before = advance(db);
      failing_flushes = 1;
      EXPECT_EQ(errc_of([&] { db.checkpoint(); }), Errc::poisoned);
      expect_poisoned(db);
      EXPECT_EQ(expect_ledger(db), before);
    }
    Database db{file_};
    EXPECT_EQ(expect_ledger(db), before);
  }
}

TEST_F(Poison, ReachesEveryProcessAndEndsWhenAllHaveClosed) {
  Child other{[&](Link& link) {
    Database db{file_};
    link.send(advance(db));
    link.receive();
    expect_poisoned(db);
    EXPECT_EQ(expect_ledger(db), 1u);
    link.send(1);
    link.receive();
  }};
  ASSERT_EQ(other.receive(), 1u);
  {
    Database db{file_};
    failing_flushes = 1;
    EXPECT_EQ(errc_of([&] { advance(db); }), Errc::poisoned);
  }
  other.send(1);
  EXPECT_EQ(other.receive(), 1u);
  {
    Database db{file_};
    expect_poisoned(db);
  }
  other.send(1);
  EXPECT_EQ(other.wait(), 0);
  Database db{file_};
  const std::uint64_t count = expect_ledger(db);
  EXPECT_TRUE(count == 1 || count == 2) << count;
  EXPECT_EQ(advance(db), count + 1);
}

TEST_F(Poison, OfARelaxedCommitShowsAtTheNextFlush) {
  {
    Database db{file_, {.durability = Durability::relaxed}};
    advance(db, Durability::relaxed);
    failing_flushes = 1;
    EXPECT_EQ(advance(db, Durability::relaxed), 2u);
    EXPECT_EQ(errc_of([&] { db.sync(); }), Errc::poisoned);
    expect_poisoned(db);
    EXPECT_EQ(expect_ledger(db), 2u);
  }
  EXPECT_LE(expect_ledger(Database{file_}), 2u);
}

// On a disk, where the page cache can be dropped and is not to be had back.
class InterruptedFlush : public DatabaseTest {
 protected:
  InterruptedFlush() : DatabaseTest(ScratchDirectory::Place::disk) {}

  // A process commits, and dies before the region can say how its last flush has ended.
  void die_in_a_flush() {
    Child writer{[&](Link& link) {
      Database db{file_};
      for (int i = 0; i < 5; ++i) advance(db);
      link.send(1);
      link.receive();
    }};
    EXPECT_EQ(writer.receive(), 1u);
    writer.kill();
    const std::uint32_t intent = 1;
    std::fstream region{lock_file_of(file_), std::ios::in | std::ios::out | std::ios::binary};
    region.seekp(shared::kControlOffset + offsetof(shared::Control, flush_intent));
    region.write(reinterpret_cast<const char*>(&intent), sizeof intent);
  }
};

TEST_F(InterruptedFlush, IsRecoveredFrom) {
  die_in_a_flush();
  EXPECT_EQ(expect_ledger(Database{file_}), 5u);
}

// Recovery refused the file for as long as anybody, a backup for instance, kept it mapped.
TEST_F(InterruptedFlush, IsRecoveredFromThoughSomebodyMapsTheFile) {
  die_in_a_flush();
  storage::Mapping viewer;
  const int descriptor = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(viewer.map(descriptor, storage::Mapping::Mode::read_only, 0, 1 << 20), 0);
  EXPECT_NE(std::count(viewer.base(), viewer.base() + (1 << 20), std::byte{1}),
            0);  // all is touched
  EXPECT_EQ(expect_ledger(Database{file_}), 5u);
  ::close(descriptor);
}

}  // namespace
}  // namespace quire::test
