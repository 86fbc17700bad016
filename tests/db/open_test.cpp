// Opening: what makes a database, who shares it, what a reopen finds.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "storage/system.h"
#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using Opening = DatabaseTest;
using OpenedTwice = DatabaseTest;
using Reopening = DatabaseTest;

TEST_F(Opening, CreatesAMissingFileThatIsADatabaseAtOnce) {
  { Database db{file_}; }
  EXPECT_TRUE(std::filesystem::exists(file_));
  Database db{file_, {.create_if_missing = false}};
  EXPECT_TRUE(entries(db).empty());
}

// The file got the lowest free number: what a program printed went over its metas.
TEST_F(Opening, OfAProcessWithoutStandardOutputKeepsWhatItPrintsOutOfTheFile) {
  run_in_child([&] {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(descriptor);
    Database db{file_};
    db.put("a", "1");
    const Database in_memory = Database::in_memory();
    bool is_printed = false;
    for (int descriptor = 0; descriptor <= STDERR_FILENO; ++descriptor) {
      is_printed = ::write(descriptor, "printed", 7) != -1 || is_printed;
    }
    if (is_printed) ::_exit(1);
  });
  const Database db{file_};
  EXPECT_EQ(db.get("a"), "1");
  expect_sound(db);
}

TEST_F(Opening, LeavesNothingButTheFileAndItsLockFile) {
  {
    Database db{file_};
    db.put("a", "1");
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{directory_.path()}) {
    const std::string name = entry.path().filename();
    if (name != "db" && name != "db.lock") names.push_back(name);
  }
  EXPECT_EQ(names, std::vector<std::string>{});
}

TEST_F(Opening, RefusesAMissingFileWhenToldNotToCreate) {
  EXPECT_EQ(errc_of([&] { Database{file_, {.create_if_missing = false}}; }), Errc::io);
  EXPECT_EQ(errc_of([&] { Database{file_, {.read_only = true}}; }), Errc::io);
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_FALSE(std::filesystem::exists(lock_file_of(file_)));
}

TEST_F(Opening, TakesEveryPageSizeAndRemembersIt) {
  for (const std::uint32_t page : {4096u, 8192u, 16384u, 32768u, 65536u}) {
    const std::filesystem::path file = directory_.file(std::to_string(page));
    {
      Database db{file, {.page_size = page}};
      EXPECT_EQ(db.page_size_bytes(), page);
      db.put("page", std::to_string(page));
    }
    Database db{file};
    EXPECT_EQ(db.page_size_bytes(), page);
    EXPECT_EQ(db.get("page"), std::to_string(page));
    EXPECT_EQ(stat(db).page_size_bytes, page);
    expect_sound(db);
  }
}

TEST_F(Opening, RefusesAPageSizeThatContradictsTheFile) {
  { Database db{file_, {.page_size = 16384}}; }
  const std::string text = text_of([&] { Database{file_, {.page_size = 4096}}; });
  EXPECT_EQ(errc_of([&] { Database{file_, {.page_size = 4096}}; }), Errc::misuse);
  EXPECT_NE(text.find("16384"), std::string::npos) << text;
  EXPECT_NE(text.find("4096"), std::string::npos) << text;
  Database db{file_, {.page_size = 16384}};
  EXPECT_EQ(errc_of([&] { Database{file_, {.page_size = 4096}}; }), Errc::misuse);
}

TEST_F(Opening, RefusesAPageSizeThatIsNone) {
  for (const std::uint32_t page : {1u, 512u, 2048u, 4095u, 5000u, 131072u}) {
    EXPECT_EQ(errc_of([&] { Database{file_, {.page_size = page}}; }), Errc::misuse) << page;
    EXPECT_FALSE(std::filesystem::exists(file_));
  }
}

TEST_F(Opening, TheReserveBoundsTheSizeOfTheFile) {
  Database db{file_, {.reserve = 16 << 20}};
  db.put("fits", pattern(1 << 20, 1));
  const std::optional<Errc> refused = errc_of([&] { db.put("large", pattern(64 << 20, 1)); });
  EXPECT_TRUE(refused == Errc::no_space || refused == Errc::too_large);
  db.put("still", "writable");
  EXPECT_EQ(db.get("fits"), pattern(1 << 20, 1));
}

TEST_F(Opening, ARelativePathSurvivesAChangeOfDirectory) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory_.path());
  {
    Database db{"db"};
    std::filesystem::current_path(before);
    db.put("a", pattern(3 << 20, 1));
    db.checkpoint();
    EXPECT_EQ(db.get("a"), pattern(3 << 20, 1));
  }
  EXPECT_EQ(Database{file_}.get("a"), pattern(3 << 20, 1));
}

TEST_F(OpenedTwice, SharesOneInstance) {
  Database one{file_};
  Database other{file_};
  one.put("a", "1");
  EXPECT_EQ(other.get("a"), "1");
  EXPECT_EQ(other.snapshot().txn(), one.snapshot().txn());
  EXPECT_EQ(stat(one).process_count, 1u);
}

TEST_F(OpenedTwice, ThroughASymlinkSharesOneInstance) {
  Database one{file_};
  std::filesystem::create_directory(directory_.file("elsewhere"));
  const std::filesystem::path link = directory_.file("elsewhere/link");
  std::filesystem::create_symlink(file_, link);
  Database other{link};
  one.put("a", "1");
  EXPECT_EQ(other.get("a"), "1");
  other.put("b", "2");
  EXPECT_EQ(one.get("b"), "2");
  EXPECT_EQ(stat(one).process_count, 1u);
  EXPECT_FALSE(std::filesystem::exists(lock_file_of(link))) << "the lock file is the target's";
}

TEST_F(OpenedTwice, ThroughASymlinkAloneUsesTheTargetsLockFile) {
  { Database db{file_}; }
  const std::filesystem::path link = directory_.file("link");
  std::filesystem::create_symlink("db", link);
  {
    Database db{link};
    db.put("a", "1");
    EXPECT_FALSE(std::filesystem::exists(lock_file_of(link)));
  }
  EXPECT_EQ(Database{file_}.get("a"), "1");
}

TEST_F(OpenedTwice, ThroughAHardLinkSharesOneInstance) {
  Database one{file_};
  const std::filesystem::path link = directory_.file("hardlink");
  std::filesystem::create_hard_link(file_, link);
  Database other{link};
  one.put("a", "1");
  EXPECT_EQ(other.get("a"), "1");
  EXPECT_EQ(stat(one).process_count, 1u);
}

TEST_F(OpenedTwice, TheFirstToCloseLeavesTheOtherWorking) {
  std::optional<Database> one{file_};
  Database other{file_};
  one->put("a", "1");
  one.reset();
  EXPECT_EQ(other.get("a"), "1");
  other.put("b", "2");
  EXPECT_EQ(entries(other).size(), 2u);
}

TEST_F(OpenedTwice, DifferentFilesAreDifferentDatabases) {
  Database one{file_};
  Database other{directory_.file("other")};
  one.put("a", "1");
  EXPECT_EQ(other.get("a"), std::nullopt);
}

TEST_F(Reopening, FindsEverythingAndItsNumber) {
  Entries model;
  std::uint64_t last = 0;
  for (std::uint64_t round = 0; round < 12; ++round) {
    Database db{file_, {.durability = round % 2 == 0 ? Durability::full : Durability::relaxed}};
    EXPECT_EQ(entries(db), model);
    EXPECT_GE(db.snapshot().txn(), last);
    for (std::uint64_t i = 0; i < 40; ++i) {
      const std::string key = std::to_string(i * round % 60);
      const std::string value = pattern(i * 100, round + i);
      db.put(key, value);
      model[key] = value;
    }
    EXPECT_GT(db.snapshot().txn(), last);
    last = db.snapshot().txn();
  }
  EXPECT_EQ(entries(Database{file_}), model);
}

TEST_F(Reopening, WithoutAnyWriteChangesNoByte) {
  {
    Database db{file_};
    db.put("a", pattern(10'000, 1));
  }
  const std::string before = read_file(file_);
  for (int i = 0; i < 3; ++i) {
    Database db{file_};
    EXPECT_EQ(db.get("a"), pattern(10'000, 1));
  }
  EXPECT_TRUE(read_file(file_) == before);
}

TEST_F(Reopening, FlushesTheNameBeforeTheFirstCommitAndNotForReading) {
  Database{file_}.put("a", "1");
  static int flush_count = 0;
  const storage::System before = storage::system;
  storage::system.fsync = [](int descriptor) {
    ++flush_count;
    return ::fsync(descriptor);
  };
  {
    Database db{file_, {.durability = Durability::relaxed}};
    EXPECT_EQ(db.get("a"), "1");
    EXPECT_EQ(flush_count, 0);
    db.put("b", "2");
    EXPECT_EQ(flush_count, 1);
    db.put("c", "3");
    EXPECT_EQ(flush_count, 1);
  }
  storage::system = before;
}

TEST_F(Reopening, WorksHundredsOfTimes) {
  for (std::uint64_t round = 0; round < rounds(400, 80); ++round) {
    Database db{file_};
    ASSERT_EQ(db.get("round").value_or("0"), std::to_string(round));
    db.put("round", std::to_string(round + 1));
  }
}

TEST_F(Reopening, LeavesNoDescriptorOpen) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
  };
  { Database db{file_}; }
  const auto before = descriptors();
  for (int i = 0; i < 20; ++i) {
    Database db{file_};
    db.put("i", std::to_string(i));
  }
  EXPECT_LE(descriptors(), before);
}

TEST_F(Reopening, FindsALockFileThatIsGoneOrGarbage) {
  for (int round = 0; round < 6; ++round) {
    {
      Database db{file_};
      ASSERT_EQ(db.get("round").value_or("0"), std::to_string(round));
      db.put("round", std::to_string(round + 1));
    }
    const std::filesystem::path lock = lock_file_of(file_);
    if (round % 3 == 0) std::filesystem::remove(lock);
    if (round % 3 == 1) write_file(lock, pattern(100'000, 1));
    if (round % 3 == 2) write_file(lock, "");
  }
}

TEST_F(Reopening, FindsACopyMadeWhileItWasClosed) {
  {
    Database db{file_};
    db.put("a", pattern(100'000, 1));
  }
  const std::filesystem::path copied = directory_.file("copied");
  std::filesystem::copy_file(file_, copied);
  Database original{file_};
  Database copy{copied};
  copy.put("b", "2");
  EXPECT_EQ(copy.get("a"), pattern(100'000, 1));
  EXPECT_EQ(original.get("b"), std::nullopt);
  expect_sound(copy);
}

TEST_F(Reopening, FindsAFileThatWasRenamed) {
  {
    Database db{file_};
    db.put("a", "1");
  }
  const std::filesystem::path renamed = directory_.file("renamed");
  std::filesystem::rename(file_, renamed);
  EXPECT_EQ(Database{renamed}.get("a"), "1");
}

}  // namespace
}  // namespace quire::test
