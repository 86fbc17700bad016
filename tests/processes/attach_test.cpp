// Processes that meet at a file: who joins, who is refused, who leaves last.
#include <quire/quire.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "shared/boot.h"
#include "shared/layout.h"
#include "storage/byte_lock.h"
#include "storage/descriptor.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"

namespace quire::test {
namespace {

using Attaching = DatabaseTest;

TEST_F(Attaching, ProcessesSeeEachOthersCommits) {
  Database db{file_};
  Child other{[&](Link& link) {
    Database mine{file_};
    link.send(expect_ledger(mine));
    while (const std::optional<std::uint64_t> expected = link.receive()) {
      if (*expected == 0) break;
      EXPECT_EQ(expect_ledger(mine), *expected);
      link.send(advance(mine));
    }
  }};
  ASSERT_EQ(other.receive(), 0u);
  for (std::uint64_t number = 1; number < 200; number += 2) {
    EXPECT_EQ(advance(db), number);
    other.send(number);
    ASSERT_EQ(other.receive(), number + 1);
    EXPECT_EQ(expect_ledger(db), number + 1);
  }
  other.send(0);
  EXPECT_EQ(other.wait(), 0);
}

TEST_F(Attaching, TryBeginGivesNothingWhileAnotherProcessWrites) {
  Database db{file_};
  Child other{[&](Link& link) {
    Database mine{file_};
    Transaction tx = mine.begin();
    advance(tx);
    link.send(1);
    link.receive();
    tx.commit();
    link.send(2);
    link.receive();
  }};
  ASSERT_EQ(other.receive(), 1u);
  EXPECT_FALSE(db.try_begin().has_value());
  EXPECT_EQ(expect_ledger(db), 0u);
  other.send(1);
  ASSERT_EQ(other.receive(), 2u);
  EXPECT_TRUE(db.try_begin().has_value());
  EXPECT_EQ(expect_ledger(db), 1u);
  other.send(2);
  EXPECT_EQ(other.wait(), 0);
}

TEST_F(Attaching, ASnapshotOfAnotherProcessStaysExact) {
  Database db{file_, {.durability = Durability::relaxed}};
  for (int i = 0; i < 60; ++i) advance(db);
  std::vector<Child> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&](Link& link) {
      Database mine{file_};
      const Snapshot held = mine.snapshot();
      link.send(expect_ledger(held));
      const std::uint64_t count = expect_ledger(held);
      link.receive();
      EXPECT_EQ(expect_ledger(held), count);
    });
    EXPECT_TRUE(readers.back().receive().has_value());
    for (int i = 0; i < 40; ++i) advance(db);
  }
  for (int i = 0; i < 300; ++i) {
    advance(db);
    if (i % 60 == 0) db.checkpoint();
  }
  for (Child& reader : readers) {
    reader.send(1);
    EXPECT_EQ(reader.wait(), 0);
  }
}

TEST_F(Attaching, ADatabaseOfAClosedProcessIsWhole) {
  for (std::uint64_t round = 0; round < 20; ++round) {
    run_in_child([&] {
      Database db{file_};
      EXPECT_EQ(expect_ledger(db), round * 7);
      for (int i = 0; i < 7; ++i) advance(db, Durability::relaxed);
    });
  }
  EXPECT_EQ(expect_ledger(Database{file_}), 140u);
}

// Whoever looks at a file that nobody has open, salvage for one, locks its far byte shared. Two
// that opened it then could take each other for an attached process and believe a lock file from
// before a power cut.
TEST_F(Attaching, ARegionFromBeforeThisBootIsNotJoined) {
  Database{file_}.put("a", "1");
  Child killed{[&](Link& link) {
    Database db{file_};
    db.put("a", "2");
    link.send(1);
    link.receive();
  }};
  killed.receive();
  killed.kill();
  {
    const storage::Descriptor data{::open(file_.c_str(), O_RDWR | O_CLOEXEC)};
    const storage::Descriptor lock{::open(lock_file_of(file_).c_str(), O_RDWR | O_CLOEXEC)};
    std::uint32_t boot = 0;
    constexpr off_t kReady = shared::kControlOffset + offsetof(shared::Control, ready);
    ASSERT_EQ(::pread(lock.get(), &boot, sizeof boot, kReady), 4);
    EXPECT_EQ(boot, shared::boot_here());
    boot ^= 2;
    ASSERT_EQ(::pwrite(lock.get(), &boot, sizeof boot, kReady), 4);
    for (const int descriptor : {data.get(), lock.get()}) {
      ASSERT_TRUE(
          storage::try_lock_byte(descriptor, shared::kAttachedByte, storage::LockMode::shared));
    }
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::busy);
  }
  EXPECT_EQ(Database{file_}.get("a"), "2") << "alone, it recovers";
}

TEST_F(Attaching, OpenAndCloseRacesLoseNothing) {
  constexpr std::uint64_t kEach = rounds(250, 40);
  std::vector<Child> children;
  for (std::uint64_t i = 0; i < 3; ++i) {
    children.emplace_back([&](Link&) {
      for (std::uint64_t n = 0; n < kEach; ++n) {
        Database db{file_};
        advance(db, n % 2 == 0 ? Durability::relaxed : Durability::full);
      }
    });
  }
  for (Child& child : children) EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(expect_ledger(Database{file_}), 3 * kEach);
}

TEST_F(Attaching, ManyCreateTheSameFileAtOnce) {
  for (std::uint64_t round = 0; round < rounds(30, 6); ++round) {
    const std::filesystem::path file = directory_.file(std::to_string(round));
    std::vector<Child> children;
    for (int i = 0; i < 4; ++i) {
      children.emplace_back([&](Link& link) {
        link.receive();
        Database db{file};
        advance(db);
      });
    }
    for (Child& child : children) child.send(1);
    for (Child& child : children) EXPECT_EQ(child.wait(), 0);
    Database db{file};
    EXPECT_EQ(expect_ledger(db), 4u);
    expect_sound(db);
  }
}

}  // namespace
}  // namespace quire::test
