// Processes that may only read: beside writers, after them, over what they left unfinished, and
// through everything that writers do later.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
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
constexpr Options kReadOnly{.read_only = true};
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
    while (const std::optional<std::uint64_t> expected = link.receive()) {
      EXPECT_EQ(expect_ledger(mine), *expected);
      link.send(0);
    }
  });
  for (std::uint64_t i = 0; i < rounds(500, 50); ++i) {
    ASSERT_TRUE(child.send(advance(db)));
    ASSERT_TRUE(child.receive().has_value());
    if (i % 100 == 50) db.checkpoint();
  }
  child.kill();
}

}  // namespace
}  // namespace quire::test
