// Processes that may only read: beside writers, after them, over what they left unfinished, and
// through everything that writers do later.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/layout.h"
#include "storage/byte_lock.h"
#include "storage/descriptor.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"
#include "support/mounts.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

constexpr uid_t kNobody = 65534;
const Options kReadOnly{.read_only = true};
constexpr std::size_t kLargeBytes = 9000;  // a value in pages of its own

// What a reader may not change.
struct Traces {
  std::string data;
  std::string lock;
  std::filesystem::file_time_type data_time;
  friend bool operator==(const Traces&, const Traces&) = default;
};

class ReadOnlyProcess : public DatabaseTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "gives up its rights, which only root can (needs root)";
    // Others may look into the directory and read what is in it, and no more.
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0755});
    before_ = ::umask(022);
  }
  void TearDown() override {
    ::umask(before_);
    DatabaseTest::TearDown();
  }

  static void give_up_rights() {
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setgid(kNobody), 0);
    ASSERT_EQ(::setuid(kNobody), 0);
  }

  // A child that may only read and runs `body(database, link)`.
  template <typename Body>
  Child reader(Body body, Options options = kReadOnly) const {
    return Child{[this, body, options](Link& link) {
      give_up_rights();
      Database db{file_, options};
      body(db, link);
    }};
  }

  template <typename Body>
  void run_reader(Body body, Options options = kReadOnly) const {
    Child child = reader([&](Database& db, Link&) { body(db); }, options);
    EXPECT_EQ(child.wait(), 0);
  }

  Traces traces() const {
    const std::filesystem::path lock = lock_file_of(file_);
    Traces traces{read_file(file_), {}, std::filesystem::last_write_time(file_)};
    if (std::filesystem::exists(lock)) {
      std::string fixed(shared::kFixedBytes, '\0');
      std::ifstream{lock, std::ios::binary}.read(fixed.data(), shared::kFixedBytes);
      traces.lock = fixed;
    }
    return traces;
  }

  // Overwrites entries of a small table again and again, so that pages are reused all the time.
  static void overwrite(Database& db, std::uint64_t commits, std::uint64_t first = 0) {
    for (std::uint64_t i = 0; i < commits; ++i) {
      db.write([&](Transaction& tx) {
        tx.table().put(big_endian(i % 50), pattern(300, first + i));
        if (i % 10 == 0) tx.table("large").put(big_endian(i % 3), pattern(kLargeBytes, first + i));
      });
      if (i % 500 == 499) db.checkpoint();
    }
  }

  // Leaves a log with records in it behind a checkpoint, as a killed process does.
  template <typename Change>
  void leave_unclean(Change change) const {
    Child writer{[&](Link& link) {
      Database db{file_};
      change(db);
      link.send(1);
      link.receive();
    }};
    ASSERT_EQ(writer.receive(), 1u);
    writer.kill();
  }

  mode_t before_ = 0;
};

TEST_F(ReadOnlyProcess, ReadsACleanFileAndLeavesNoTrace) {
  const Tables expected = make_clean(file_);
  std::filesystem::remove(lock_file_of(file_));
  const Traces before = traces();
  run_reader([&](Database& db) {
    EXPECT_EQ(tables_of(db), expected);
    expect_sound(db);
    EXPECT_EQ(stat(db).tables.size(), expected.size());
    EXPECT_EQ(db.page_size_bytes(), kSmallPageBytes);
  });
  EXPECT_EQ(traces(), before);
  EXPECT_FALSE(std::filesystem::exists(lock_file_of(file_)));
}

TEST_F(ReadOnlyProcess, ReadsALogThatNobodyHasReplayedAndLeavesNoTrace) {
  const std::vector<Tables> states = make_unclean(file_);
  const Traces before = traces();
  run_reader([&](Database& db) {
    EXPECT_EQ(tables_of(db), states.back());
    expect_sound(db);
  });
  EXPECT_EQ(traces(), before);
  EXPECT_EQ(tables_of(Database{file_}), states.back());
}

TEST_F(ReadOnlyProcess, SeesEachCommitOfWriters) {
  Database db{file_};
  Child child = reader([&](Database& mine, Link& link) {
    for (;;) {
      const std::optional<std::uint64_t> expected = link.receive();
      if (!expected || *expected == 0) break;
      EXPECT_EQ(expect_ledger(mine), *expected);
      link.send(0);
    }
  });
  for (std::uint64_t i = 0; i < rounds(500, 50); ++i) {
    ASSERT_TRUE(child.send(advance(db)));
    ASSERT_TRUE(child.receive().has_value());
    if (i % 100 == 50) db.checkpoint();
  }
  child.send(0);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(ReadOnlyProcess, MayNotWriteAndIsToldSo) {
  make_clean(file_);
  EXPECT_EQ(Child([&](Link&) {
              give_up_rights();
              const std::string text = text_of([&] { Database{file_}; });
              EXPECT_NE(text.find("read-only"), std::string::npos) << text;
            }).wait(),
            0);
  run_reader([&](Database& db) {
    EXPECT_EQ(errc_of([&] { db.begin(); }), Errc::read_only);
    EXPECT_EQ(errc_of([&] { db.try_begin(); }), Errc::read_only);
    EXPECT_EQ(errc_of([&] { db.put("a", "b"); }), Errc::read_only);
    EXPECT_EQ(errc_of([&] { db.checkpoint(); }), Errc::read_only);
    EXPECT_EQ(errc_of([&] { db.sync(); }), Errc::read_only);
  });
}

// A small file, all of whose pages are reused again and again.
TEST_F(ReadOnlyProcess, KeepsItsSnapshotThroughManyCommits) {
  Database db{file_, {.durability = Durability::relaxed}};
  overwrite(db, 100);
  db.sync();
  const Tables expected = tables_of(db);
  Child child = reader([&](Database& mine, Link& link) {
    const Snapshot held = mine.snapshot();
    link.send(1);
    link.receive();
    EXPECT_EQ(entries(held.table()), expected.at(""));
    EXPECT_EQ(entries(held.table("large")), expected.at("large"));
  });
  ASSERT_EQ(child.receive(), 1u);
  overwrite(db, rounds(10'000, 1000), 1000);
  child.send(1);
  EXPECT_EQ(child.wait(), 0);
}

// The pins are all that the next writer knows of the snapshot.
TEST_F(ReadOnlyProcess, KeepsItsSnapshotThroughDeathsOfAllWriters) {
  Tables expected;
  Child first{[&](Link& link) {
    Database db{file_, {.durability = Durability::relaxed}};
    overwrite(db, 100);
    db.sync();
    link.send(1);
    link.receive();
    overwrite(db, 700, 5000);
    link.send(2);
    link.receive();
  }};
  ASSERT_EQ(first.receive(), 1u);
  expected = tables_of(Database{file_, kReadOnly});
  Child child = reader([&](Database& mine, Link& link) {
    const Snapshot held = mine.snapshot();
    link.send(1);
    while (link.receive().value_or(0) != 0) {
      EXPECT_EQ(entries(held.table()), expected.at(""));
      EXPECT_EQ(entries(held.table("large")), expected.at("large"));
      link.send(1);
    }
  });
  ASSERT_EQ(child.receive(), 1u);
  first.send(1);
  ASSERT_EQ(first.receive(), 2u);
  first.kill();
  for (std::uint64_t life = 0; life < 4; ++life) {
    {
      Database db{file_, {.durability = Durability::relaxed}};
      overwrite(db, 600, 10'000 * (life + 1));
      expect_sound(db);
    }
    child.send(1);
    ASSERT_TRUE(child.receive().has_value()) << "life " << life;
    if (life % 2 == 0) leave_unclean([&](Database& db) { overwrite(db, 300, 777); });
  }
  child.send(0);
  EXPECT_EQ(child.wait(), 0);
}

// Its values of many pages stand in the file, born after the checkpoint that it started from.
TEST_F(ReadOnlyProcess, KeepsWhatItRecoveredWhenWritersComeAndOverwriteAll) {
  { Database{file_}; }
  leave_unclean([](Database& db) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      db.write([&](Transaction& tx) {
        tx.table().put(big_endian(i), pattern(kLargeBytes, i));
        tx.table("small").put(big_endian(i), pattern(100, i));
      });
    }
  });
  const std::filesystem::path copied = directory_.file("copied");
  std::filesystem::copy_file(file_, copied);
  const Tables expected = tables_of(Database{copied});
  ASSERT_EQ(expected.at("").size(), 20u);
  Child child = reader([&](Database& mine, Link& link) {
    const Snapshot held = mine.snapshot();
    link.send(1);
    while (link.receive().value_or(0) != 0) {
      EXPECT_EQ(entries(held.table()), expected.at(""));
      EXPECT_EQ(entries(held.table("small")), expected.at("small"));
      link.send(1);
    }
  });
  ASSERT_EQ(child.receive(), 1u);
  for (std::uint64_t life = 0; life < 3; ++life) {
    Database db{file_, {.durability = Durability::relaxed}};
    EXPECT_EQ(tables_of(db).at("").size(), 20u);
    for (std::uint64_t i = 0; i < 400; ++i) {
      db.write([&](Transaction& tx) {
        tx.table().put(big_endian(i % 20), pattern(kLargeBytes, 1000 * (life + 1) + i));
        tx.table("small").put(big_endian(i % 20), pattern(100, 1000 + i));
      });
      if (i % 100 == 99) db.checkpoint();
    }
    child.send(1);
    ASSERT_TRUE(child.receive().has_value()) << "life " << life;
  }
  child.send(0);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(ReadOnlyProcess, SwitchesOverWhenWritersComeAndGo) {
  { advance(*std::make_unique<Database>(file_)); }
  Child child = reader([&](Database& mine, Link& link) {
    std::vector<Snapshot> held;
    std::vector<std::uint64_t> counts;
    for (;;) {
      const std::optional<std::uint64_t> expected = link.receive();
      if (!expected || *expected == 0) break;
      held.push_back(mine.snapshot());
      counts.push_back(expect_ledger(held.back()));
      EXPECT_EQ(counts.back(), *expected);
      for (std::size_t i = 0; i < held.size(); i += 3) EXPECT_EQ(expect_ledger(held[i]), counts[i]);
      link.send(1);
    }
  });
  const auto look = [&](std::uint64_t expected) {
    child.send(expected);
    ASSERT_TRUE(child.receive().has_value());
  };
  std::uint64_t last = 1;
  for (std::uint64_t round = 0; round < rounds(12, 4); ++round) {
    look(last);
    {
      Database db{file_};
      for (int i = 0; i < 7; ++i) last = advance(db, Durability::full);
      look(last);
      if (round % 3 == 0) db.checkpoint();
      last = advance(db);
    }
    look(last);
    leave_unclean([&](Database& db) {
      for (int i = 0; i < 5; ++i) advance(db);
    });
    last += 5;
    look(last);
    if (round % 4 == 3) std::filesystem::remove(lock_file_of(file_));
  }
  child.send(0);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(ReadOnlyProcess, ManyProcessesPinManyStates) {
  Database db{file_, {.durability = Durability::relaxed}};
  advance(db, Durability::full);
  std::vector<Child> children;
  for (std::uint64_t i = 0; i < 4; ++i) {
    children.push_back(reader([&](Database& mine, Link& link) {
      std::vector<Snapshot> held;
      link.send(1);
      while (link.receive().value_or(0) == 1) {
        held.push_back(mine.snapshot());
        link.send(held.back().txn());
      }
      std::uint64_t last = 0;
      for (const Snapshot& snapshot : held) {
        const std::uint64_t count = expect_ledger(snapshot);
        EXPECT_GE(count, last);
        last = count;
      }
    }));
    ASSERT_EQ(children.back().receive(), 1u);
  }
  for (std::uint64_t i = 0; i < rounds(1200, 100); ++i) {
    advance(db, Durability::relaxed);
    Child& child = children[i % children.size()];
    child.send(1);
    ASSERT_TRUE(child.receive().has_value());
  }
  for (int i = 0; i < 200; ++i) advance(db, Durability::relaxed);
  for (Child& child : children) {
    child.send(0);
    EXPECT_EQ(child.wait(), 0);
  }
}

// Who may read may lock what he likes: it costs disk, but neither hangs nor harms.
TEST_F(ReadOnlyProcess, HostileLocksCostOnlyPages) {
  Database db{file_, {.durability = Durability::relaxed}};
  overwrite(db, 50);
  Child hostile{[&](Link& link) {
    give_up_rights();
    const storage::Descriptor file = storage::open_file(file_, O_RDONLY);
    const storage::Descriptor other = storage::open_file(file_, O_RDONLY);
    EXPECT_TRUE(storage::try_lock_bytes(other.get(), shared::kPinByte + (1 << 20),
                                        shared::kPinByte + shared::kPinCount,
                                        storage::LockMode::shared));
    for (std::uint64_t txn = 0; txn < 10'000; txn += 2) {
      EXPECT_TRUE(
          storage::try_lock_byte(file.get(), shared::kPinByte + txn, storage::LockMode::shared));
    }
    link.send(1);
    link.receive();
  }};
  ASSERT_EQ(hostile.receive(), 1u);
  db.sync();
  const Tables expected = tables_of(db);
  Child honest = reader([&](Database& mine, Link& link) {
    const Snapshot held = mine.snapshot();
    link.send(1);
    link.receive();
    EXPECT_EQ(entries(held.table()), expected.at("")) << "its pin is one among all those";
  });
  ASSERT_EQ(honest.receive(), 1u);
  overwrite(db, 2000, 100);
  expect_sound(db);
  honest.send(1);
  EXPECT_EQ(honest.wait(), 0);
  hostile.kill();
  overwrite(db, 500, 100);
  const std::uint64_t settled = std::filesystem::file_size(file_);
  overwrite(db, 3000, 100);
  EXPECT_EQ(std::filesystem::file_size(file_), settled) << "the pages are free again";
}

TEST_F(ReadOnlyProcess, InspectsBesideWriters) {
  Database db{file_};
  for (int i = 0; i < 60; ++i) advance(db);
  const Snapshot mine = db.snapshot();
  Child child = reader([&](Database& theirs, Link& link) {
    link.receive();
    for (int i = 0; i < 20; ++i) expect_sound(theirs);
    const Statistics figures = stat(theirs);
    EXPECT_EQ(figures.process_count, 1u);
    EXPECT_EQ(figures.reader_count, 1u);
    EXPECT_GE(figures.txn, mine.txn());
    ASSERT_EQ(readers(theirs).size(), 1u);
    EXPECT_EQ(readers(theirs)[0].txn, mine.txn());
    copy(theirs.snapshot(),
         std::filesystem::path("/dev/shm") / ("quire-copy-" + std::to_string(::getpid())));
    std::filesystem::remove("/dev/shm/quire-copy-" + std::to_string(::getpid()));
    std::filesystem::remove("/dev/shm/quire-copy-" + std::to_string(::getpid()) + ".lock");
  });
  child.send(1);
  for (int i = 0; i < 200; ++i) {
    advance(db);
    if (i % 40 == 0) db.checkpoint();
  }
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(ReadOnlyProcess, VerifiesAndGuardsAsOthersDo) {
  const std::vector<Tables> states = make_unclean(file_);
  run_reader([&](Database& db) { EXPECT_EQ(tables_of(db), states.back()); },
             {.read_only = true, .verify = Verify::always, .guard_sigbus = true});
  Database db{file_};
  advance(db);
  run_reader([&](Database& mine) { EXPECT_EQ(tables_of(mine), tables_of(mine)); },
             {.read_only = true, .verify = Verify::first_touch, .guard_sigbus = true});
}

// Its snapshots of neighbouring commits are one lock to the system; what only the younger ones keep
// does not wait for the oldest.
TEST_F(ReadOnlyProcess, WhatASnapshotOfTheNextCommitKeptIsFreeWhenItEnds) {
  Database db{file_};
  const auto overwrite_all = [&](std::uint64_t seed) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 300; ++i) tx.table().put(big_endian(i), pattern(900, seed + i));
    });
  };
  const auto pending_pages = [&] {
    for (std::uint64_t i = 0; i < 16; ++i) {
      overwrite_all(1000 * i);
      if (i % 8 == 7) db.checkpoint();
    }
    return stat(db).pending_pages;
  };
  overwrite_all(0);
  Child child = reader([&](Database& mine, Link& link) {
    std::vector<Snapshot> held;
    while (link.receive().value_or(0) == 1) {
      held.push_back(mine.snapshot());
      link.send(held.back().txn());
    }
    held.erase(held.begin() + 1, held.end());
    link.send(0);
    link.receive();
  });
  const auto look = [&] {
    child.send(1);
    ASSERT_TRUE(child.receive().has_value());
  };
  look();
  const std::uint64_t of_one = pending_pages();
  look();
  for (std::uint64_t i = 0; i < 20; ++i) {
    overwrite_all(i);
    look();
  }
  const std::uint64_t of_all = pending_pages();
  child.send(0);
  ASSERT_EQ(child.receive(), 0u);
  EXPECT_LT(pending_pages(), (of_one + of_all) / 2);
  child.send(0);
  EXPECT_EQ(child.wait(), 0);
}

// On a file system that is mounted read-only nobody can do more than read.
TEST_F(ReadOnlyProcess, ReadsFromAReadOnlyMount) {
  const std::vector<Tables> states = make_unclean(file_);
  const Traces before = traces();
  with_private_mounts([&] {
    const std::string at = directory_.path().string();
    if (::mount(at.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
        ::mount(nullptr, at.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      GTEST_SKIP() << "no read-only bind mounts here";
    }
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::io);
    const Database db{file_, kReadOnly};
    EXPECT_EQ(tables_of(db), states.back());
    expect_sound(db);
  });
  EXPECT_EQ(traces(), before);
}

}  // namespace
}  // namespace quire::test
