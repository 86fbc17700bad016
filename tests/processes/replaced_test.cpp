// Files that are deleted, replaced and renamed under the processes that use them, and one file by
// several names.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"
#include "support/mounts.h"
#include "support/system_calls.h"

namespace quire::test {
namespace {

constexpr unsigned kTicksMicros = 25'000;  // the longest tick there is, and a half

using Call = std::function<void()>;

void expect_refused(const Call& call, const std::string& taken) {
  const std::string text = text_of(call);
  EXPECT_EQ(errc_of(call), Errc::busy) << text;
  EXPECT_NE(text.find(taken), std::string::npos) << text;
  EXPECT_NE(text.find("close the database everywhere"), std::string::npos) << text;
}

// A process stays attached while one of its files is taken away or replaced.
class FileTaken : public DatabaseTest {
 protected:
  FileTaken() { skip_final_check(); }

  // `taken` is what its refusals name. It writes no more, but what it reads it reads on.
  void expect_all_refused_and_reading_unharmed(const std::string& taken, const Call& take) {
    Child attached{[&](Link& link) {
      Database db{file_};
      for (int i = 0; i < 20; ++i) advance(db);
      const Snapshot held = db.snapshot();
      link.send(1);
      link.receive();
      ::usleep(kTicksMicros);
      expect_refused([&] { db.begin(); }, taken);
      expect_refused([&] { db.try_begin(); }, taken);
      expect_refused([&] { db.put("a", "1"); }, taken);
      expect_refused([&] { db.checkpoint(); }, taken);
      expect_refused([&] { db.wait_for_commit(db.snapshot().txn()); }, taken);
      EXPECT_EQ(expect_ledger(held), 20u);
      EXPECT_EQ(expect_ledger(db), 20u);
      expect_sound(db);
      link.send(2);
      link.receive();
    }};
    ASSERT_EQ(attached.receive(), 1u);
    take();
    const std::string text = text_of([&] { Database{file_}; });
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::busy) << text;
    EXPECT_NE(text.find("db"), std::string::npos);
    attached.send(1);
    ASSERT_EQ(attached.receive(), 2u);
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::busy);
    attached.send(2);
    EXPECT_EQ(attached.wait(), 0);
  }
};

TEST_F(FileTaken, LockFileDeleted) {
  expect_all_refused_and_reading_unharmed("lock file",
                                          [&] { std::filesystem::remove(lock_file_of(file_)); });
  EXPECT_EQ(expect_ledger(Database{file_}), 20u) << "alone again, the file opens";
}

TEST_F(FileTaken, LockFileReplaced) {
  expect_all_refused_and_reading_unharmed("lock file", [&] {
    write_file(directory_.file("new"), "");
    std::filesystem::rename(directory_.file("new"), lock_file_of(file_));
  });
  EXPECT_EQ(expect_ledger(Database{file_}), 20u);
}

TEST_F(FileTaken, DataFileDeleted) {
  expect_all_refused_and_reading_unharmed("data file", [&] { std::filesystem::remove(file_); });
}

TEST_F(FileTaken, DataFileReplacedByAnotherDatabase) {
  const std::filesystem::path other = directory_.file("other");
  { Database{other}.put("other", "1"); }
  expect_all_refused_and_reading_unharmed("data file",
                                          [&] { std::filesystem::rename(other, file_); });
  Database db{file_};
  EXPECT_EQ(entries(db), (Entries{{"other", "1"}}));
}

TEST_F(FileTaken, DataFileRestoredFromACopy) {
  { Database{file_}; }
  const std::filesystem::path copied = directory_.file("copied");
  std::filesystem::copy_file(file_, copied);
  expect_all_refused_and_reading_unharmed("data file",
                                          [&] { std::filesystem::rename(copied, file_); });
  EXPECT_EQ(expect_ledger(Database{file_}), 0u);
}

TEST_F(FileTaken, IsNoticedByAnotherOpenInTheSameProcess) {
  std::optional<Database> db{file_};
  db->put("a", "1");
  std::filesystem::remove(lock_file_of(file_));
  expect_refused([&] { Database{file_}; }, "lock file");
  write_file(lock_file_of(file_), "");
  expect_refused([&] { Database{file_}; }, "lock file");
  db.reset();
  EXPECT_EQ(Database{file_}.get("a"), "1");
}

TEST_F(FileTaken, IsNoticedByAWriterThatWaitedMeanwhile) {
  Database db{file_};
  Child writer{[&](Link& link) {
    Database mine{file_};
    Transaction tx = mine.begin();
    link.send(1);
    link.receive();
    tx.rollback();
  }};
  ASSERT_EQ(writer.receive(), 1u);
  Child waiter{[&](Link& link) {
    Database mine{file_};
    link.send(1);
    expect_refused([&] { mine.begin(); }, "lock file");
  }};
  ASSERT_EQ(waiter.receive(), 1u);
  ::usleep(kTicksMicros);
  std::filesystem::remove(lock_file_of(file_));
  writer.send(1);
  EXPECT_EQ(waiter.wait(), 0);
}

std::uint64_t looks = 0;

std::int64_t coarse_nanos(int (*ask)(clockid_t, timespec*)) {
  timespec time = {};
  ask(CLOCK_MONOTONIC_COARSE, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

TEST_F(FileTaken, IsLookedForOnceInATickOnly) {
  Database db{file_};
  storage::system.fstatat = [](int directory, const char* path, struct stat* status, int flags) {
    ++looks;
    return ::fstatat(directory, path, status, flags);
  };
  const std::int64_t start = coarse_nanos(::clock_gettime);
  for (int i = 0; i < 20'000; ++i) db.begin().rollback();
  const std::int64_t spent = coarse_nanos(::clock_gettime) - start;
  storage::system = kRealSystem;
  const std::int64_t ticks = spent / coarse_nanos(::clock_getres) + 2;
  EXPECT_GE(looks, 2u);
  EXPECT_LE(looks, static_cast<std::uint64_t>(2 * ticks)) << "the data file and the lock file";
}

using Renamed = DatabaseTest;

TEST_F(Renamed, FilesStopNobodyWhoIsAttached) {
  const std::filesystem::path moved = directory_.file("moved");
  Database db{file_};
  advance(db);
  std::filesystem::rename(file_, moved);
  ::usleep(kTicksMicros);
  EXPECT_EQ(advance(db), 2u);
  run_in_child([&] {
    EXPECT_EQ(errc_of([&] { Database{moved}; }), Errc::busy)
        << "its lock file would be another one";
  });
  std::filesystem::rename(lock_file_of(file_), lock_file_of(moved));
  run_in_child([&] {
    Database other{moved};
    EXPECT_EQ(advance(other), 3u);
  });
  ::usleep(kTicksMicros);
  EXPECT_EQ(advance(db), 4u);
  std::filesystem::rename(moved, file_);
  std::filesystem::rename(lock_file_of(moved), lock_file_of(file_));
}

// One file under several names.
class OtherNames : public DatabaseTest {
 protected:
  // In this process the name is the same instance: what a transaction has begun here, the thread
  // has begun there.
  void expect_same_instance(Database& db, const std::filesystem::path& name) {
    SCOPED_TRACE(name.string());
    Database other{name};
    EXPECT_EQ(stat(other).process_count, 1u);
    Transaction tx = db.begin();
    EXPECT_EQ(errc_of([&] { other.begin(); }), Errc::misuse);
    advance(tx);
    tx.commit();
    EXPECT_EQ(expect_ledger(other), expect_ledger(db));
  }
};

TEST_F(OtherNames, AreOneInstanceInAProcess) {
  Database db{file_};
  std::filesystem::create_symlink("db", directory_.file("link"));
  std::filesystem::create_symlink(directory_.path(), directory_.file("around"));
  std::filesystem::create_hard_link(file_, directory_.file("hard"));
  const int opened = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
  expect_same_instance(db, directory_.file("link"));
  expect_same_instance(db, directory_.file("around") / "db");
  expect_same_instance(db, directory_.path() / "." / "db");
  expect_same_instance(db, directory_.file("hard"));
  expect_same_instance(db, "/proc/self/fd/" + std::to_string(opened));
  ::close(opened);
}

TEST_F(OtherNames, OfABindMountAreOneInstanceInAProcess) {
  { Database{file_}; }
  with_private_mounts([&] {
    const std::filesystem::path bound = directory_.file("bound");
    std::filesystem::create_directory(bound);
    if (::mount(directory_.path().c_str(), bound.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      GTEST_SKIP() << "no bind mounts here";
    }
    Database db{file_};
    expect_same_instance(db, bound / "db");
    run_in_child([&] {
      Database other{bound / "db"};
      EXPECT_EQ(stat(other).process_count, 2u) << "the lock file is the same through the mount";
      advance(other);
    });
    EXPECT_EQ(expect_ledger(db), 2u);
  });
}

TEST_F(OtherNames, ThatAreHardLinksAreRefusedToOtherProcesses) {
  Database db{file_};
  std::filesystem::create_hard_link(file_, directory_.file("hard"));
  run_in_child([&] {
    EXPECT_EQ(errc_of([&] { Database{directory_.file("hard")}; }), Errc::busy)
        << "beside it there is another lock file";
  });
  EXPECT_EQ(advance(db), 1u);
}

}  // namespace
}  // namespace quire::test
