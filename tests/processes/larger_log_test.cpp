// A larger log is written beside commits: what becomes of it when its maker dies, when others are
// quicker, and when the disk fails or is full.
#include <quire/inspect.h>
#include <quire/quire.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/test_points.h"
#include "db/handles.h"
#include "storage/system.h"
#include "support/child.h"
#include "support/database_test.h"
#include "txn/checkpoint_runs.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kEntries = 20'000;
constexpr std::size_t kValueBytes = 1000;
constexpr std::uint64_t kRoomBytes = std::uint64_t{24} << 20;
constexpr useconds_t kSlowMicros = 1'000'000;  // commits go on meanwhile
constexpr std::string_view kSliceFlushed = "larger log: slice flushed";
constexpr std::string_view kMetaFlushed = "meta: first flushed";
constexpr std::string_view kStillListed = "checkpoint: runs free, still listed";
const storage::System kReal = storage::system;

// Checkpoints are made by the commits that find them due.
class LargerLog : public DatabaseTest {
 protected:
  void SetUp() override {
    db_.emplace(open());
    db_->write([](Transaction& tx) {
      for (std::uint64_t key = 0; key < kEntries; ++key) {
        tx.table().put(big_endian(key), pattern(kValueBytes, key));
      }
    });
    small_bytes_ = stat(*db_).log_bytes;
  }

  void TearDown() override {
    test_points::reached = nullptr;
    storage::system = kReal;
    db_.reset();
    DatabaseTest::TearDown();
  }

  Database open() const {
    return Database{file_, {.durability = Durability::relaxed, .background_checkpoints = false}};
  }

  static bool is_prepared(const Database& db) {
    return txn::is_log_prepared(detail::Access::store(db));
  }

  // Overwrites, in commits of their own, until it is there.
  void prepare(Database& db) {
    for (std::uint64_t i = 0; i < kEntries && !is_prepared(db); ++i) put_one(db);
    ASSERT_TRUE(is_prepared(db));
  }

  // Goes on for as long as a larger log may still be wanted.
  void prepare_if_wanted() {
    for (std::uint64_t i = 0; i < kEntries; ++i) put_one(*db_);
  }

  void put_one(Database& db) {
    db.put(big_endian(next_ % kEntries), pattern(kValueBytes, next_));
    ++next_;
  }

  bool has_grown() const { return stat(*db_).log_bytes > small_bytes_; }

  void expect_whole() {
    EXPECT_EQ(entries(*db_).size(), kEntries);
    expect_sound(*db_);
  }

  std::optional<Database> db_;
  std::uint64_t small_bytes_ = 0;
  std::uint64_t next_ = 0;
};

TEST_F(LargerLog, IsMovedToByTheNextCommit) {
  prepare(*db_);
  EXPECT_FALSE(has_grown());
  put_one(*db_);
  EXPECT_TRUE(has_grown());
  EXPECT_FALSE(is_prepared(*db_));
  expect_whole();
}

TEST_F(LargerLog, IsMovedToByACommitThatDoesNotFit) {
  prepare(*db_);
  db_->write([](Transaction& tx) {
    for (std::uint64_t key = 0; key < kEntries / 4; ++key) {
      tx.table().put(big_endian(key), pattern(kValueBytes, key));
    }
  });
  EXPECT_TRUE(has_grown());
  expect_whole();
}

// Who asks for checkpoints often enough would otherwise have it written again and again.
TEST_F(LargerLog, IsMovedToByACheckpointThatSomebodyAsksFor) {
  prepare(*db_);
  db_->checkpoint();
  EXPECT_FALSE(is_prepared(*db_));
  EXPECT_TRUE(has_grown());
  expect_whole();
}

TEST_F(LargerLog, IsAsLargeAsTheDataAndNotTwice) {
  // As if it had been full.
  detail::Access::store(*db_).control().log_bytes_in_checkpoint.store(1);
  prepare(*db_);
  put_one(*db_);
  ASSERT_TRUE(has_grown());
  const Statistics grown = stat(*db_);
  prepare_if_wanted();
  EXPECT_LE(stat(*db_).log_bytes, std::max(grown.log_bytes, 2 * kEntries * kValueBytes));
  expect_whole();
}

TEST_F(LargerLog, IsGivenBackByTheLastToClose) {
  prepare(*db_);
  db_.reset();
  db_.emplace(open());
  EXPECT_FALSE(has_grown());
  expect_whole();
}

TEST_F(LargerLog, IsUsedWhenItsMakerHasDied) {
  Child maker{[&](Link&) {
    Database db = open();
    prepare(db);
    ::kill(::getpid(), SIGKILL);
  }};
  EXPECT_EQ(maker.wait(), -SIGKILL);
  ASSERT_TRUE(is_prepared(*db_));
  put_one(*db_);
  EXPECT_TRUE(has_grown());
  expect_whole();
}

// In the middle of giving it back its pages were free, and it was still the log to move to.
TEST_F(LargerLog, IsNoLogAnyMoreWhenSomebodyDiesGivingItBack) {
  prepare(*db_);
  Child giving{[&](Link&) {
    test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
      if (point == kStillListed) ::kill(::getpid(), SIGKILL);
    };
    const Database db = open();
    check(db);
  }};
  EXPECT_EQ(giving.wait(), -SIGKILL);
  put_one(*db_);
  put_one(*db_);
  expect_whole();
}

// A process is not gone for the system while a thread of it is still in a call, and what it had
// locked in the file stays locked: here somebody else keeps its descriptors for a while.
void die_slowly() {
  // Not fork(), whose handlers would close them.
  if (::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr) == 0) {
    ::usleep(kSlowMicros);
    ::_exit(0);
  }
  ::kill(::getpid(), SIGKILL);
}

TEST_F(LargerLog, IsSettledBeforeAnythingElseWhenItsLockOutlivesItsMaker) {
  prepare(*db_);
  Child giving{[&](Link&) {
    test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
      if (point == kStillListed) die_slowly();
    };
    const Database db = open();
    check(db);
  }};
  EXPECT_EQ(giving.wait(), -SIGKILL);
  db_->write([](Transaction& tx) {
    for (std::uint64_t key = 0; key < kEntries / 4; ++key) {
      tx.table().put(big_endian(key), pattern(kValueBytes, key));
    }
  });
  expect_whole();
}

// Metas named the log's new place while commits still went to the old one: they were lost.
TEST_F(LargerLog, IsWhereCommitsGoWhenItsLockOutlivesWhoeverMovedThere) {
  db_.reset();
  Child survivor{[&](Link&) {
    Database db = open();
    prepare(db);
    Child moving{[&](Link&) {
      test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
        if (point == kMetaFlushed) die_slowly();
      };
      Database mine = open();
      put_one(mine);
    }};
    EXPECT_EQ(moving.wait(), -SIGKILL);
    for (std::uint64_t i = 0; i < 2; ++i) {
      Transaction tx = db.begin();
      tx.table().put(big_endian(kEntries + i), "behind it");
      tx.commit(Durability::full);
    }
    ::kill(::getpid(), SIGKILL);
  }};
  EXPECT_EQ(survivor.wait(), -SIGKILL);
  ::usleep(kSlowMicros + kSlowMicros / 2);
  db_.emplace(open());
  EXPECT_EQ(entries(*db_).size(), kEntries + 2);
  expect_sound(*db_);
}

TEST_F(LargerLog, IsAbandonedWhenItsMakerDiesWritingIt) {
  Child maker{[&](Link&) {
    test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
      if (point == kSliceFlushed) ::kill(::getpid(), SIGKILL);
    };
    Database db = open();
    prepare(db);
  }};
  EXPECT_EQ(maker.wait(), -SIGKILL);
  EXPECT_FALSE(is_prepared(*db_));
  expect_whole();
  prepare(*db_);
  put_one(*db_);
  EXPECT_TRUE(has_grown());
  expect_whole();
}

TEST_F(LargerLog, IsWrittenWhileOthersCommit) {
  static std::filesystem::path file;
  static int commits = 0;
  file = file_;
  commits = 0;
  test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
    if (point != kSliceFlushed || commits == 3) return;
    ++commits;
    run_in_child([] {
      test_points::reached = nullptr;
      Database{file}.put(big_endian(kEntries + static_cast<std::uint64_t>(commits)), "meanwhile");
    });
  };
  prepare(*db_);
  test_points::reached = nullptr;
  EXPECT_EQ(commits, 3);
  put_one(*db_);
  EXPECT_TRUE(has_grown());
  EXPECT_EQ(entries(*db_).size(), kEntries + 3);
  expect_sound(*db_);
}

TEST_F(LargerLog, ThatCannotBeFlushedPoisons) {
  static bool fails = false;
  fails = false;
  test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
    if (point == kSliceFlushed) fails = true;
  };
  storage::system.msync = [](void* address, std::size_t size_bytes, int flags) {
    if (!fails) return kReal.msync(address, size_bytes, flags);
    errno = EIO;
    return -1;
  };
  EXPECT_EQ(errc_of([&] {
              for (std::uint64_t i = 0; i < kEntries; ++i) put_one(*db_);
            }),
            Errc::poisoned);
  EXPECT_FALSE(is_prepared(*db_));
}

TEST_F(LargerLog, MakesRoomForAValueThatFindsNone) {
  db_.reset();
  db_.emplace(file_, Options{.durability = Durability::relaxed,
                             .background_checkpoints = false,
                             .reserve = std::filesystem::file_size(file_) + kRoomBytes});
  prepare(*db_);
  const std::uint64_t log_bytes = stat(*db_).log_bytes;
  db_->put("large", std::string(kRoomBytes / 2, 'v'));
  EXPECT_EQ(stat(*db_).log_bytes, log_bytes);
  EXPECT_FALSE(is_prepared(*db_));
  db_->erase("large");
  expect_whole();
}

// As a file system that copies what is overwritten can be full in the middle of it.
TEST_F(LargerLog, ThatFindsTheDiskFullIsGivenUpAndCommitsGoOn) {
  static int refusals = 0;
  refusals = 0;
  storage::system.pwrite = [](int, const void*, std::size_t, off_t) -> ssize_t {
    ++refusals;
    errno = ENOSPC;
    return -1;
  };
  for (std::uint64_t i = 0; i < kEntries / 2; ++i) put_one(*db_);
  EXPECT_GE(refusals, 1);
  EXPECT_LE(refusals, 20) << "asks for less each time";
  EXPECT_FALSE(has_grown());
  storage::system = kReal;
  expect_whole();
}

}  // namespace
}  // namespace quire::test
