// What the last close leaves: a file of about the size of what is in it.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"
#include "support/random.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kCount = 40'000;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kLargeBytes = 50'000;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class Closing : public DatabaseTest {
 protected:
  // Readers in processes that may only read, which nobody waits for at the last close.
  bool let_others_look() const {
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0755});
    ::umask(022);
    return ::geteuid() == 0;
  }
  static void give_up_rights() {
    constexpr uid_t kNobody = 65534;
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setgid(kNobody), 0);
    ASSERT_EQ(::setuid(kNobody), 0);
  }

  std::uint64_t file_bytes() const { return std::filesystem::file_size(file_); }

  static void put(Transaction& tx, std::uint64_t first, std::uint64_t count, std::uint64_t seed) {
    for (std::uint64_t i = first; i < first + count; ++i) {
      tx.table().put(big_endian(i * 0x9e3779b97f4a7c15), pattern(kValueBytes, seed + i));
    }
  }

  // In random order; the file as it is afterwards is what others are compared with.
  void load() const {
    Database db{file_};
    db.write([&](Transaction& tx) { put(tx, 0, kCount, 0); });
  }

  // Half of the entries go and come again, then the others, in small transactions.
  static void churn(Database& db, std::uint64_t seed) {
    constexpr std::uint64_t kBatch = 1000;
    for (const std::uint64_t half : {std::uint64_t{0}, kCount / 2}) {
      for (std::uint64_t at = half; at < half + kCount / 2; at += kBatch) {
        db.write([&](Transaction& tx) {
          for (std::uint64_t i = at; i < at + kBatch; ++i) {
            tx.table().erase(big_endian(i * 0x9e3779b97f4a7c15));
          }
        });
      }
      for (std::uint64_t at = half; at < half + kCount / 2; at += kBatch) {
        db.write([&](Transaction& tx) { put(tx, at, kBatch, seed); });
      }
    }
  }
};

TEST_F(Closing, CutsOffWhatIsFreeAtTheEnd) {
  {
    Database db{file_};
    db.write([](Transaction& tx) { tx.table("kept").put("key", "value"); });
    db.write([](Transaction& tx) { put(tx, 0, kCount, 0); });
    db.write([](Transaction& tx) { tx.table().clear(); });
    EXPECT_GT(file_bytes(), 4 * kMiB);
  }
  EXPECT_LE(file_bytes(), 2 * kMiB);
  EXPECT_EQ(entries(Database{file_}, "kept"), (Entries{{"key", "value"}}));
}

TEST_F(Closing, LeavesAChurnedFileAboutAsLargeAsAFreshOne) {
  load();
  const std::uint64_t fresh_bytes = file_bytes();
  Entries expected;
  {
    Database db{file_};
    churn(db, 7);
    expected = entries(db);
    EXPECT_GT(file_bytes(), fresh_bytes * 3 / 2) << "nothing to do for the close";
  }
  EXPECT_LE(file_bytes(), fresh_bytes * 13 / 10);
  Database db{file_};
  expect_sound(db);
  EXPECT_EQ(entries(db), expected);
}

TEST_F(Closing, MovesNamedTablesAndLargeValuesAsWell) {
  constexpr std::uint64_t kLargeCount = 60;
  const auto put_all = [&](Database& db, std::uint64_t seed) {
    for (std::uint64_t i = 0; i < kLargeCount; ++i) {
      db.write([&](Transaction& tx) {
        tx.table("large").put(big_endian(i), pattern(kLargeBytes, seed + i));
        tx.table("t" + std::to_string(i)).put("key", pattern(1000, seed + i));
      });
    }
  };
  {
    Database db{file_};
    db.write([](Transaction& tx) { put(tx, 0, kCount, 0); });  // what is moved down takes its place
    put_all(db, 100);
    db.write([](Transaction& tx) { tx.table().clear(); });
  }
  const std::uint64_t live_bytes = kLargeCount * (kLargeBytes + 4096 + 4096);
  EXPECT_LE(file_bytes(), live_bytes * 12 / 10 + 2 * kMiB);
  Database db{file_};
  expect_sound(db);
  const Snapshot now = db.snapshot();
  EXPECT_EQ(now.tables().size(), kLargeCount + 1);
  for (std::uint64_t i = 0; i < kLargeCount; ++i) {
    EXPECT_EQ(now.table("large").get(big_endian(i)), pattern(kLargeBytes, 100 + i));
    EXPECT_EQ(now.table("t" + std::to_string(i)).get("key"), pattern(1000, 100 + i));
  }
}

TEST_F(Closing, LeavesAFileAloneThatWasOnlyRead) {
  load();
  const std::string before = read_file(file_);
  EXPECT_EQ(entries(Database{file_}).size(), kCount);
  EXPECT_EQ(read_file(file_), before);
}

// As after a death between the second meta and the cut.
TEST_F(Closing, CutsAFileThatIsLongerThanItsMetasSay) {
  load();
  const std::uint64_t bytes = file_bytes();
  std::filesystem::resize_file(file_, bytes + 3 * kMiB);
  EXPECT_EQ(entries(Database{file_}).size(), kCount);
  EXPECT_EQ(file_bytes(), bytes);
}

TEST_F(Closing, TheFileGrowsAgainAfterItWasCut) {
  for (std::uint64_t round = 0; round < 4; ++round) {
    Database db{file_};
    db.write([&](Transaction& tx) { put(tx, 0, kCount, round); });
    db.write([](Transaction& tx) { tx.table("other").put("key", "value"); });
    db.write([](Transaction& tx) { tx.table().clear(); });
    db.write([&](Transaction& tx) { put(tx, 0, kCount / 4, round); });
    expect_sound(db);
  }
  EXPECT_EQ(entries(Database{file_}).size(), kCount / 4);
}

// Rule 7. The reader's pages stand where the file would be cut.
TEST_F(Closing, CutsNothingUnderAReaderThatMayOnlyRead) {
  if (!let_others_look()) GTEST_SKIP() << "gives up its rights, which only root can (needs root)";
  load();
  const std::uint64_t bytes = file_bytes();
  Child reader{[&](Link& link) {
    give_up_rights();
    const Database db{file_, {.read_only = true}};
    const Snapshot snapshot = db.snapshot();
    link.send(1);
    link.receive();
    EXPECT_EQ(entries(snapshot.table()).size(), kCount);
    link.send(2);
    link.receive();
    EXPECT_EQ(entries(db).size(), 0u);
  }};
  ASSERT_EQ(reader.receive(), 1u);
  Child{[&](Link&) {
    Database db{file_};
    db.write([](Transaction& tx) { tx.table().clear(); });
  }}.wait();
  EXPECT_GE(file_bytes(), bytes);
  reader.send(1);
  ASSERT_EQ(reader.receive(), 2u);
  reader.send(1);
  EXPECT_EQ(reader.wait(), 0);
}

// Whatever the moment at which they come.
TEST_F(Closing, ReadersThatMayOnlyReadNeverMeetTheEndOfTheFile) {
  if (!let_others_look()) GTEST_SKIP() << "gives up its rights, which only root can (needs root)";
  load();
  std::vector<Child> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&](Link& link) {
      give_up_rights();
      link.send(1);
      for (;;) {
        const Database db{file_, {.read_only = true}};
        const Snapshot now = db.snapshot();
        EXPECT_LE(entries(now.table()).size(), kCount);
        if (now.table().contains("end")) break;
      }
    });
  }
  for (Child& reader : readers) ASSERT_EQ(reader.receive(), 1u);
  for (std::uint64_t round = 0; round < 15; ++round) {
    Child writer{[&](Link&) {
      Database db{file_};
      if (round % 3 == 2) churn(db, round);
      db.write([&](Transaction& tx) {
        tx.table().clear();
        put(tx, 0, kCount, round);
      });
    }};
    ASSERT_EQ(writer.wait(), 0);
  }
  Database{file_}.write([](Transaction& tx) {
    tx.table().clear();
    tx.table().put("end", "");
  });
  for (Child& reader : readers) EXPECT_EQ(reader.wait(), 0);
}

}  // namespace
}  // namespace quire::test
