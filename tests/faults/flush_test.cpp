// Flushes that fail as they do on Linux: the pages count as clean afterwards, memory shows what the
// disk does not have, and the next flush reports success.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>

#include "faults/kernel_disk.h"
#include "faults/life.h"

namespace quire::test {
namespace {

class FailingFlush : public DatabaseTest {
 protected:
  // A life in which the n-th flush fails, and what the disk has of it. False when it had fewer.
  bool survives(std::uint64_t n) {
    remove_database(file_);
    { Database{file_}; }
    KernelDisk disk{file_};
    disk.fail_flush(n);
    Life life{file_};
    life.live(34, [](Database&) {});
    disk.fail_flush(0);
    EXPECT_TRUE(!life.error() || life.is_poisoned() || life.error() == Errc::io) << life.text();
    EXPECT_TRUE(disk.has_failed() || !life.error()) << life.text();
    expect_survives(file_, life);
    const std::uint64_t count = count_of(file_);
    disk.show_disk();
    EXPECT_EQ(count_of(file_), count) << "recovery has believed what memory showed";
    expect_sound(file_);
    return disk.has_failed();
  }

  static std::uint64_t count_of(const std::filesystem::path& file) {
    const Database db{file};
    const Snapshot now = db.snapshot();
    return history::count_in(now.table());
  }
};

TEST_F(FailingFlush, WhicheverItIsLosesNothingAcknowledged) {
  std::uint64_t runs = 0;
  for (std::uint64_t n = 1; !HasFailure(); n += rounds(1, 4), ++runs) {
    SCOPED_TRACE("flush " + std::to_string(n) + " fails");
    if (!survives(n)) break;
  }
  EXPECT_GT(runs, 5u);
  std::cout << "flushes that failed: " << runs << std::endl;
}

// The poison outlives the process, also one that dies of it: the next one asks the disk.
TEST_F(FailingFlush, IsRememberedForTheNextProcess) {
  { Database{file_}; }
  KernelDisk disk{file_};
  {
    Database db{file_};
    db.put("a", "1");
    disk.fail_flush(1);
    EXPECT_EQ(errc_of([&] { db.put("a", "2"); }), Errc::poisoned);
    EXPECT_EQ(errc_of([&] { db.put("a", "3"); }), Errc::poisoned);
  }
  EXPECT_EQ(Database{file_}.get("a"), "1") << "the disk does not have the second";
}

}  // namespace
}  // namespace quire::test
