// Statistics, readers, check and copy.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include <unistd.h>

#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using Inspecting = DatabaseTest;
using Copying = DatabaseTest;

TEST_F(Inspecting, StatisticsNameTablesAndTheirSizes) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 10'000; ++i) tx.table().put(big_endian(i), pattern(20, i));
    tx.table("b").put("large", pattern(100'000, 1));
    tx.table("a").put("small", "1");
  });
  const Statistics now = stat(db);
  ASSERT_EQ(now.tables.size(), 3u);
  EXPECT_EQ(now.tables[0].name, "");
  EXPECT_EQ(now.tables[0].entry_count, 10'000u);
  EXPECT_GT(now.tables[0].leaf_page_count, 80u);
  EXPECT_GT(now.tables[0].branch_page_count, 0u);
  EXPECT_GE(now.tables[0].height, 2u);
  EXPECT_EQ(now.tables[1].name, "a");
  EXPECT_EQ(now.tables[1].entry_count, 1u);
  EXPECT_EQ(now.tables[1].height, 1u);
  EXPECT_EQ(now.tables[2].name, "b");
  EXPECT_EQ(now.tables[2].extent_page_count, (100'000u + 4095) / 4096);
  EXPECT_EQ(now.page_size_bytes, 4096u);
  EXPECT_EQ(now.file_bytes, std::filesystem::file_size(file_));
  EXPECT_EQ(now.txn, db.snapshot().txn());
  EXPECT_EQ(now.process_count, 1u);
  EXPECT_EQ(now.reader_count, 0u);
  EXPECT_FALSE(now.format_version.empty());
}

TEST_F(Inspecting, UsedFreeAndPendingPagesAddUpToTheFile) {
  Database db{file_, {.background_checkpoints = false}};  // one of them may make the file larger
  for (std::uint64_t round = 0; round < 30; ++round) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 100; ++i) tx.table().put(big_endian(i), pattern(500, round));
    });
    const Statistics now = stat(db);
    ASSERT_EQ((now.used_pages + now.free_pages + now.pending_pages) * now.page_size_bytes,
              now.file_bytes);
    ASSERT_LE(now.log_used_bytes, now.log_bytes);
  }
}

TEST_F(Inspecting, ReadersShowEverySnapshotAndHowFarItIsBehind) {
  Database db{file_};
  db.put("a", "1");
  EXPECT_TRUE(readers(db).empty());
  const Snapshot old = db.snapshot();
  for (int i = 0; i < 5; ++i) db.put("a", std::to_string(i));
  const Snapshot young = db.snapshot();
  const std::vector<ReaderInfo> all = readers(db);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].txn, old.txn());
  EXPECT_EQ(all[0].commits_behind, 5u);
  EXPECT_EQ(all[0].pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_NE(all[0].command.find("test-db"), std::string::npos) << all[0].command;
  EXPECT_EQ(all[1].txn, young.txn());
  EXPECT_EQ(all[1].commits_behind, 0u);
}

TEST_F(Inspecting, ReadersOfOtherProcessesAreShownUntilTheyDie) {
  Child child{[&](Link& link) {
    Database db{file_};
    const Snapshot held = db.snapshot();
    link.send(held.txn());
    link.receive();
  }};
  const std::uint64_t txn = child.receive().value_or(0);
  Database db{file_};
  db.put("a", "1");
  ASSERT_EQ(readers(db).size(), 1u);
  EXPECT_EQ(readers(db)[0].pid, static_cast<std::uint64_t>(child.pid()));
  EXPECT_EQ(readers(db)[0].txn, txn);
  EXPECT_EQ(stat(db).process_count, 2u);
  child.kill();
  EXPECT_TRUE(readers(db).empty());
  EXPECT_EQ(stat(db).process_count, 1u);
}

TEST_F(Inspecting, CheckCountsEntriesOfAllTables) {
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 500; ++i) tx.table(std::to_string(i % 7)).put(big_endian(i), "");
  });
  const CheckReport report = check(db);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.entry_count, 500u);
  EXPECT_EQ(report.txn, db.snapshot().txn());
  EXPECT_GT(report.page_count, 7u);
}

TEST_F(Inspecting, CheckIsContentWhileSnapshotsAreOpen) {
  Database db{file_};
  std::vector<Snapshot> held;
  for (std::uint64_t i = 0; i < 60; ++i) {
    db.put(big_endian(i % 7), pattern(i * 200, i));
    if (i % 10 == 0) held.push_back(db.snapshot());
    if (i % 13 == 0) db.checkpoint();
    expect_sound(db);
  }
}

// What a long call tells of itself: more and more of the same total, up to about all of it.
class Told {
 public:
  void operator()(std::uint64_t done, std::uint64_t total) {
    EXPECT_GT(done, done_);
    EXPECT_LE(done, total);
    EXPECT_TRUE(count_ == 0 || total == total_);
    ++count_;
    done_ = done;
    total_ = total;
  }

  void expect_nearly_all() const {
    EXPECT_GT(count_, 2u);
    EXPECT_GT(10 * done_, 7 * total_) << done_ << " of " << total_;
  }

 private:
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t count_ = 0;
};

TEST_F(Inspecting, CheckAndSalvageTellHowFarTheyAre) {
  Told by_check;
  {
    Database db{file_};
    db.write([](Transaction& tx) {
      for (std::uint64_t i = 0; i < 20'000; ++i) tx.table().put(big_endian(i), pattern(200, i));
      for (std::uint64_t i = 0; i < 20; ++i) tx.table("a").put(big_endian(i), pattern(50'000, i));
    });
    EXPECT_TRUE(check(db, std::ref(by_check)).ok());
  }
  by_check.expect_nearly_all();
  Told by_salvage;
  const SalvageReport report =
      salvage(file_, directory_.file("salvaged"), {}, std::ref(by_salvage));
  EXPECT_TRUE(report.is_complete());
  by_salvage.expect_nearly_all();
}

TEST_F(Copying, HoldsEveryTableOfItsSnapshotAndNothingLater) {
  const std::filesystem::path target = directory_.file("copy");
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 3000; ++i) tx.table().put(big_endian(i), pattern(i % 700, i));
    tx.table("named").put("large", pattern(200'000, 1));
    tx.table(std::string("\0", 1)).put("", "");
  });
  const Snapshot before = db.snapshot();
  db.put("later", "1");
  copy(before, target);
  Database made{target};
  const Snapshot now = made.snapshot();
  EXPECT_EQ(now.tables(), before.tables());
  EXPECT_EQ(entries(now.table()), entries(before.table()));
  for (const std::string& name : before.tables()) {
    EXPECT_EQ(entries(now.table(name)), entries(before.table(name)));
  }
  expect_sound(made);
}

TEST_F(Copying, MayHaveAnotherPageSize) {
  const std::filesystem::path target = directory_.file("copy");
  Database db{file_};
  db.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 3000; ++i) tx.table().put(big_endian(i), pattern(i, i));
  });
  copy(db.snapshot(), target, {.page_size = 16384});
  Database made{target};
  EXPECT_EQ(made.page_size_bytes(), 16384u);
  EXPECT_EQ(entries(made), entries(db));
  expect_sound(made);
}

TEST_F(Copying, RefusesATargetThatExists) {
  const std::filesystem::path target = directory_.file("copy");
  write_file(target, "precious");
  Database db{file_};
  db.put("a", "1");
  EXPECT_TRUE(errc_of([&] { copy(db.snapshot(), target); }).has_value());
  EXPECT_EQ(read_file(target), "precious");
  EXPECT_TRUE(errc_of([&] { copy(db.snapshot(), file_); }).has_value());
  EXPECT_EQ(db.get("a"), "1");
}

TEST_F(Copying, LeavesNoFileWhenItFails) {
  const std::filesystem::path target = directory_.file("copy");
  Database db{file_, {.page_size = 65536}};
  db.put(std::string(30'000, 'k'), "too long a key for 4 KiB pages");
  EXPECT_EQ(errc_of([&] { copy(db.snapshot(), target, {.page_size = 4096}); }), Errc::too_large);
  EXPECT_FALSE(std::filesystem::exists(target));
}

}  // namespace
}  // namespace quire::test
