// Copies page by page: whole ones while writers go on, increments, and what applying them makes.
#include <quire/quire.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/system.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

class BackupTest : public DatabaseTest {
 protected:
  std::filesystem::path target(const std::string& name) const { return directory_.file(name); }

  static std::string value_of(std::uint64_t number) {
    return std::string(number % 50 == 7 ? 20'000 : 30 + number % 40,
                       static_cast<char>('a' + number % 26));
  }

  static void change(Database& db, Random& random, int count) {
    db.write([&](Transaction& tx) {
      for (const char* name : {"", "people", "log"}) {
        Table table = tx.table(name);
        for (int i = 0; i < count; ++i) {
          const std::string key = std::to_string(random.below(3000));
          if (random.below(3) == 0) {
            table.erase(key);
          } else {
            table.put(key, value_of(random.below(1000)));
          }
        }
      }
    });
  }

  static void expect_same(const Snapshot& source, const std::filesystem::path& copy) {
    const Database db{copy, {.create_if_missing = false, .verify = Verify::always}};
    expect_sound(db);
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.txn(), source.txn());
    EXPECT_EQ(now.tables(), source.tables());
    for (const char* name : {"", "people", "log"}) {
      EXPECT_EQ(entries(now.table(name)), entries(source.table(name)));
    }
  }

  // Of a call during which directories cannot be flushed.
  template <typename Call>
  static std::optional<Errc> errc_without_directories(Call&& call) {
    const storage::System real = storage::system;
    storage::system.fsync = [](int descriptor) {
      struct stat status = {};
      if (::fstat(descriptor, &status) != 0 || !S_ISDIR(status.st_mode)) return ::fsync(descriptor);
      errno = EIO;
      return -1;
    };
    const std::optional<Errc> code = errc_of(call);
    storage::system = real;
    return code;
  }

  std::uint64_t seed_ = choose_seed("backup");
  Random random_{seed_};
};

using Backups = BackupTest;
using Increments = BackupTest;

TEST_F(Backups, HoldTheCommitOfTheirSnapshotWhileWritersGoOn) {
  Database db{file_};
  for (int i = 0; i < 5; ++i) change(db, random_, 300);
  const Snapshot now = db.snapshot();
  std::thread writer([&] {
    Random random{7};
    for (int i = 0; i < 30; ++i) {
      change(db, random, 100);
      if (i % 10 == 0) db.checkpoint();
    }
  });
  const BackupReport report = backup(now, target("copy"));
  writer.join();
  EXPECT_EQ(report.txn, now.txn());
  expect_same(now, target("copy"));
}

TEST_F(Backups, OfAnEmptyDatabaseAndOfEveryPageSize) {
  for (const std::uint32_t page_size : {4096u, 16384u, 65536u}) {
    const auto source = target("source" + std::to_string(page_size));
    Database db{source, {.page_size = page_size}};
    backup(db.snapshot(), target("empty" + std::to_string(page_size)));
    expect_same(db.snapshot(), target("empty" + std::to_string(page_size)));
    change(db, random_, 500);
    backup(db.snapshot(), target("copy" + std::to_string(page_size)));
    expect_same(db.snapshot(), target("copy" + std::to_string(page_size)));
  }
}

TEST_F(Backups, ThroughAPipeAreDatabases) {
  Database db{file_};
  change(db, random_, 1000);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::string bytes;
  std::thread reader([&] {
    std::string piece(65536, '\0');
    for (ssize_t got; (got = ::read(ends[0], piece.data(), piece.size())) > 0;) {
      bytes.append(piece, 0, static_cast<std::size_t>(got));
    }
  });
  const Snapshot now = db.snapshot();
  const BackupReport report = backup(now, ends[1]);
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(report.written_bytes, bytes.size());
  write_file(target("copy"), bytes);
  expect_same(now, target("copy"));
}

TEST_F(Backups, CanBeWrittenToAndGrow) {
  Database db{file_};
  change(db, random_, 1000);
  backup(db.snapshot(), target("copy"));
  {
    Database copy{target("copy")};
    for (int i = 0; i < 20; ++i) change(copy, random_, 300);
    expect_sound(copy);
  }
  expect_sound(target("copy"));
}

TEST_F(Backups, ToAPathThatExistsAreRefused) {
  Database db{file_};
  change(db, random_, 10);
  write_file(target("copy"), "something else");
  EXPECT_EQ(errc_of([&] { backup(db.snapshot(), target("copy")); }), Errc::misuse);
  EXPECT_EQ(read_file(target("copy")), "something else");
}

TEST_F(Backups, ThatAreEndedByTheirProgressLeaveNothing) {
  Database db{file_};
  change(db, random_, 1000);
  const BackupOptions ending{.on_progress = [](auto, auto) { throw std::runtime_error("enough"); }};
  EXPECT_THROW(backup(db.snapshot(), target("copy"), ending), std::runtime_error);
  EXPECT_FALSE(std::filesystem::exists(target("copy")));
}

TEST_F(Backups, WhoseNameCannotBeMadeDurableLeaveNothing) {
  Database db{file_, {.background_checkpoints = false}};
  change(db, random_, 10);
  EXPECT_EQ(errc_without_directories([&] { backup(db.snapshot(), target("copy")); }), Errc::io);
  EXPECT_FALSE(std::filesystem::exists(target("copy")));
}

TEST_F(Increments, WhoseNameCannotBeMadeDurableLeaveOneStateOrTheOther) {
  Database db{file_, {.background_checkpoints = false}};
  change(db, random_, 100);
  const BackupReport whole = backup(db.snapshot(), target("copy"));
  change(db, random_, 100);
  backup_since(db.snapshot(), whole.txn, target("increment"));
  EXPECT_EQ(errc_without_directories([&] { apply_increment(target("copy"), target("increment")); }),
            Errc::io);
  expect_same(db.snapshot(), target("copy"));
}

TEST_F(Backups, DoNotGiveDamageFreshChecksums) {
  skip_final_check();
  {
    Database db{file_};
    db.write([](Transaction& tx) {
      for (int i = 0; i < 500; ++i) tx.table().put(std::to_string(i), "needle in a leaf");
    });
  }
  std::string bytes = read_file(file_);
  for (std::size_t at = 0; (at = bytes.find("needle in a leaf", at)) != std::string::npos;) {
    bytes[at] = 'N';
  }
  write_file(file_, bytes);
  const Database db{file_};
  EXPECT_EQ(errc_of([&] { backup(db.snapshot(), target("copy")); }), Errc::corrupt);
  EXPECT_FALSE(std::filesystem::exists(target("copy")));
}

TEST_F(Increments, MakeABackupWhatTheirSnapshotIs) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  Database db{file_};
  change(db, random_, 2000);
  std::uint64_t from = backup(db.snapshot(), target("copy")).txn;
  for (int round = 0; round < 12; ++round) {
    for (std::uint64_t i = random_.below(6); i > 0; --i) change(db, random_, 1 + 20 * round);
    if (round == 4) db.write([](Transaction& tx) { tx.drop("people"); });
    if (round == 6) db.write([](Transaction& tx) { tx.table().clear(); });
    if (round % 3 == 1) db.checkpoint();
    const auto increment = target("increment" + std::to_string(round));
    const Snapshot now = db.snapshot();
    EXPECT_EQ(backup_since(now, from, increment).txn, now.txn());
    change(db, random_, 50);  // not part of it
    from = apply_increment(target("copy"), increment).txn;
    EXPECT_EQ(from, now.txn());
    expect_same(now, target("copy"));
  }
}

TEST_F(Increments, OfFewChangesAreSmall) {
  Database db{file_};
  change(db, random_, 3000);
  const BackupReport whole = backup(db.snapshot(), target("copy"));
  db.put("one", "more");
  const BackupReport increment = backup_since(db.snapshot(), whole.txn, target("increment"));
  EXPECT_LT(increment.page_count, 10u);
  EXPECT_EQ(increment.written_bytes, std::filesystem::file_size(target("increment")));
  apply_increment(target("copy"), target("increment"));
  expect_same(db.snapshot(), target("copy"));
}

TEST_F(Increments, AreAppliedAfterOneThatWasKilledBeforeItsEnd) {
  Database db{file_};
  const BackupReport whole = backup(db.snapshot(), target("copy"));
  db.put("one", "more");
  backup_since(db.snapshot(), whole.txn, target("increment"));
  write_file(target("copy.applying"), "what a killed one leaves");
  apply_increment(target("copy"), target("increment"));
  expect_same(db.snapshot(), target("copy"));
  EXPECT_FALSE(std::filesystem::exists(target("copy.applying")));
}

TEST_F(Increments, BornFromNothingAreWholeStates) {
  Database db{file_};
  const BackupReport empty = backup(db.snapshot(), target("copy"));
  change(db, random_, 1000);
  backup_since(db.snapshot(), empty.txn, target("increment"));
  apply_increment(target("copy"), target("increment"));
  expect_same(db.snapshot(), target("copy"));
}

TEST_F(Increments, ToAnythingButTheirBaseAreRefusedAndChangeNothing) {
  Database db{file_};
  change(db, random_, 100);
  const std::uint64_t first = backup(db.snapshot(), target("copy")).txn;
  change(db, random_, 100);
  const std::uint64_t second = backup_since(db.snapshot(), first, target("one")).txn;
  change(db, random_, 100);
  backup_since(db.snapshot(), second, target("two"));
  const auto refuses = [&](const char* base, const char* increment) {
    const std::string before = read_file(target(base));
    const auto code = errc_of([&] { apply_increment(target(base), target(increment)); });
    EXPECT_EQ(read_file(target(base)), before);
    return code;
  };
  EXPECT_EQ(refuses("copy", "two"), Errc::misuse);
  apply_increment(target("copy"), target("one"));
  EXPECT_EQ(refuses("copy", "one"), Errc::misuse);
  { Database other{target("other")}; }
  EXPECT_EQ(refuses("other", "two"), Errc::misuse);
  write_file(target("short"), "short");
  EXPECT_EQ(refuses("short", "two"), Errc::not_a_database);
  EXPECT_EQ(refuses("copy", "short"), Errc::not_a_database);
  EXPECT_EQ(refuses("copy", "copy"), Errc::not_a_database);
  EXPECT_EQ(errc_of([&] { apply_increment(target("absent"), target("two")); }), Errc::io);
  EXPECT_EQ(errc_of([&] { backup_since(db.snapshot(), 1'000'000, target("none")); }), Errc::misuse);
  EXPECT_FALSE(std::filesystem::exists(target("none")));
  {
    Database open{target("copy")};
    EXPECT_EQ(errc_of([&] { apply_increment(target("copy"), target("two")); }), Errc::busy);
  }
  apply_increment(target("copy"), target("two"));
  expect_same(db.snapshot(), target("copy"));
}

TEST_F(Increments, ToABackupThatWasWrittenToAreRefused) {
  Database db{file_};
  change(db, random_, 100);
  const std::uint64_t first = backup(db.snapshot(), target("copy")).txn;
  db.put("here", "one");
  const std::uint64_t second = backup(db.snapshot(), target("second")).txn;
  db.put("here", "two");
  backup_since(db.snapshot(), second, target("increment"));
  Database{target("copy")}.put("there", "one");  // its own commit of the same number
  EXPECT_EQ(second, first + 1);
  EXPECT_EQ(errc_of([&] { apply_increment(target("copy"), target("increment")); }), Errc::misuse);
}

// Two copies of one backup went on, each for itself, with commits of the same numbers into the same
// pages: an increment of the one was applied to a base that held what the other had done.
TEST_F(Increments, OfARestoredBackupDoNotFitTheDatabaseItComesFrom) {
  {
    Database db{file_};
    change(db, random_, 100);
    backup(db.snapshot(), target("base"));
  }
  std::uint64_t txn = 0;
  for (const char* name : {"one", "two"}) {
    std::filesystem::copy_file(target("base"), target(name));
    Database db{target(name)};
    const std::uint64_t before = db.snapshot().txn();
    db.put("a", name);
    if (txn == 0) {
      backup_since(db.snapshot(), before, target("first"));
      txn = db.snapshot().txn();
    } else {
      db.put("z", name);
      backup_since(db.snapshot(), txn, target("second"));
    }
  }
  EXPECT_EQ(errc_of([&] { apply_increment(target("base"), target("first")); }), Errc::misuse);
  EXPECT_EQ(errc_of([&] { apply_increment(target("base"), target("second")); }), Errc::misuse);
  expect_sound(target("base"));
}

TEST(BackupAfterDamage, OfWhatThisProcessHasReadBeforeFindsIt) {
  const ScratchDirectory directory;
  const std::filesystem::path file = directory.file("damaged");
  { Database{file}.put("key", "value that stands in a leaf of the tree"); }
  Database db{file, {.verify = Verify::first_touch}};
  EXPECT_TRUE(db.get("key").has_value());
  const std::size_t at = read_file(file).rfind("value that stands");
  ASSERT_NE(at, std::string::npos);
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(at))
      .put('V');
  EXPECT_EQ(errc_of([&] { backup(db.snapshot(), directory.file("copy")); }), Errc::corrupt);
  EXPECT_EQ(errc_of([&] { copy(db.snapshot(), directory.file("other"), {}, nullptr); }),
            Errc::corrupt);
}

TEST_F(Increments, WithAnyByteChangedOrMissingChangeNothing) {
  Database db{file_};
  change(db, random_, 100);
  const std::uint64_t first = backup(db.snapshot(), target("copy")).txn;
  db.put("one", "more");
  backup_since(db.snapshot(), first, target("increment"));
  const std::string whole = read_file(target("increment"));
  const std::string before = read_file(target("copy"));
  const auto refused = [&](const std::string& bytes) {
    write_file(target("damaged"), bytes);
    return errc_of([&] { apply_increment(target("copy"), target("damaged")); }).has_value();
  };
  for (std::size_t at = 0; at < whole.size(); at += at < 400 ? 7 : 997) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    EXPECT_TRUE(refused(bytes)) << "byte " << at;
    EXPECT_TRUE(refused(whole.substr(0, at))) << "cut at " << at;
  }
  EXPECT_EQ(read_file(target("copy")), before);
  EXPECT_FALSE(refused(whole));
  expect_same(db.snapshot(), target("copy"));
}

}  // namespace
}  // namespace quire::test
