#include "storage/byte_lock.h"

#include "storage_test.h"

namespace quire::storage {
namespace {

constexpr std::uint64_t kByte = std::uint64_t{1} << 62;

class ByteLock : public StorageOnEachTest {
 protected:
  ByteLock() { make_file(1); }
  Descriptor open(int flags = O_RDWR) const { return open_file(path_, flags); }
};

TEST_P(ByteLock, ExclusiveExcludesOtherDescriptionsOfTheSameProcess) {
  const Descriptor mine = open();
  const Descriptor other = open();
  ASSERT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
  EXPECT_FALSE(try_lock_byte(other.get(), kByte, LockMode::exclusive));
  EXPECT_FALSE(try_lock_byte(other.get(), kByte, LockMode::shared));
  EXPECT_TRUE(is_byte_locked(other.get(), kByte, LockMode::shared));
  EXPECT_FALSE(is_byte_locked(mine.get(), kByte, LockMode::exclusive))
      << "one's own does not count";
  unlock_byte(mine.get(), kByte);
  EXPECT_TRUE(try_lock_byte(other.get(), kByte, LockMode::exclusive));
}

TEST_P(ByteLock, SharedOnesCoexistAndExcludeExclusive) {
  const Descriptor mine = open();
  const Descriptor other = open(O_RDONLY);
  ASSERT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::shared));
  EXPECT_TRUE(try_lock_byte(other.get(), kByte, LockMode::shared));
  EXPECT_FALSE(is_byte_locked(mine.get(), kByte, LockMode::shared));
  EXPECT_TRUE(is_byte_locked(mine.get(), kByte, LockMode::exclusive));
  EXPECT_FALSE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
  EXPECT_TRUE(is_byte_locked(other.get(), kByte, LockMode::exclusive))
      << "the refused upgrade keeps the shared lock";
}

TEST_P(ByteLock, DowngradesInPlace) {
  const Descriptor mine = open();
  const Descriptor other = open();
  ASSERT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
  lock_byte(mine.get(), kByte, LockMode::shared);
  EXPECT_TRUE(try_lock_byte(other.get(), kByte, LockMode::shared));
}

TEST_P(ByteLock, BytesAreIndependent) {
  const Descriptor mine = open();
  const Descriptor other = open();
  ASSERT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
  EXPECT_TRUE(try_lock_byte(other.get(), kByte - 1, LockMode::exclusive));
  EXPECT_TRUE(try_lock_byte(other.get(), kByte + 1, LockMode::exclusive));
  EXPECT_TRUE(try_lock_byte(other.get(), 0, LockMode::exclusive));
}

TEST_P(ByteLock, TellsWhatOthersHaveLocked) {
  const Descriptor mine = open();
  const Descriptor others[] = {open(), open(), open()};
  const auto locked = [&](std::uint64_t first, std::uint64_t limit) {
    return locked_ranges(mine.get(), first, limit, 100);
  };
  using Ranges = std::vector<ByteRange>;
  EXPECT_EQ(locked(100, 200), Ranges{});
  // Taken in an order that the system's list does not sort by position.
  ASSERT_TRUE(try_lock_byte(others[0].get(), 150, LockMode::shared));
  ASSERT_TRUE(try_lock_byte(others[1].get(), 120, LockMode::shared));
  ASSERT_TRUE(try_lock_byte(others[0].get(), 121, LockMode::shared));
  ASSERT_TRUE(try_lock_byte(others[2].get(), 130, LockMode::exclusive));
  ASSERT_TRUE(try_lock_byte(others[2].get(), 119, LockMode::shared));
  ASSERT_TRUE(try_lock_byte(mine.get(), 110, LockMode::shared)) << "one's own does not count";
  EXPECT_EQ(locked(100, 200), (Ranges{{119, 120}, {120, 121}, {121, 122}, {130, 131}, {150, 151}}));
  EXPECT_EQ(locked(131, 150), Ranges{});
  EXPECT_EQ(locked(121, 131), (Ranges{{121, 122}, {130, 131}}));
  EXPECT_EQ(locked(200, 200), Ranges{});
}

TEST_P(ByteLock, ALockWithoutEndIsOneRange) {
  constexpr std::uint64_t kFar = std::uint64_t{1} << 61;
  const Descriptor mine = open();
  const Descriptor other = open();
  ASSERT_TRUE(try_lock_bytes(other.get(), kFar, kFar + (kFar >> 1), LockMode::shared));
  EXPECT_EQ(locked_ranges(mine.get(), kFar, kFar * 2, 100),
            (std::vector<ByteRange>{{kFar, kFar + (kFar >> 1)}}));
  struct flock endless = {};
  endless.l_type = F_RDLCK;
  endless.l_start = 7;
  ASSERT_EQ(::fcntl(other.get(), F_OFD_SETLK, &endless), 0);
  EXPECT_EQ(locked_ranges(mine.get(), kFar, kFar * 2, 100),
            (std::vector<ByteRange>{{kFar, kFar * 2}}));
}

// A process with read permission may lock what it likes.
TEST_P(ByteLock, WhatWasNotAskedForCountsAsLocked) {
  const Descriptor mine = open();
  const Descriptor other = open();
  for (std::uint64_t byte = 0; byte < 1000; byte += 2) {
    ASSERT_TRUE(try_lock_byte(other.get(), byte, LockMode::shared));
  }
  const std::vector<ByteRange> ranges = locked_ranges(mine.get(), 0, 2000, 20);
  EXPECT_LE(ranges.size(), 40u);
  for (std::uint64_t byte = 0; byte < 1000; byte += 2) {
    bool is_told = false;
    for (const ByteRange& range : ranges) {
      is_told = is_told || (range.first <= byte && byte < range.limit);
    }
    EXPECT_TRUE(is_told) << byte;
  }
  EXPECT_EQ(locked_ranges(mine.get(), 0, 2000, 5000).size(), 500u);
}

TEST_P(ByteLock, TellsWhoHoldsAByte) {
  const Descriptor mine = open();
  const Descriptor other = open();
  EXPECT_EQ(holder_of(mine.get(), kByte), ByteHolder::nobody);
  ASSERT_TRUE(try_lock_byte(other.get(), kByte, LockMode::shared));
  EXPECT_EQ(holder_of(mine.get(), kByte), ByteHolder::shared);
  ASSERT_TRUE(try_lock_byte(other.get(), kByte, LockMode::exclusive));
  EXPECT_EQ(holder_of(mine.get(), kByte), ByteHolder::exclusive);
}

TEST_P(ByteLock, ExcludesOtherProcesses) {
  const Descriptor mine = open();
  ASSERT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
  test::Child child{[&](test::Link& link) {
    const Descriptor other = open();
    EXPECT_FALSE(try_lock_byte(other.get(), kByte, LockMode::shared));
    link.send(1);
    link.receive();
    EXPECT_TRUE(try_lock_byte(other.get(), kByte, LockMode::shared));
  }};
  ASSERT_TRUE(child.receive());
  unlock_byte(mine.get(), kByte);
  child.send(1);
  EXPECT_EQ(child.wait(), 0);
}

TEST_P(ByteLock, WaitsUntilTheOtherProcessLetsGo) {
  const Descriptor mine = open();
  ASSERT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
  test::Child child{[&](test::Link& link) {
    const Descriptor other = open();
    link.send(1);
    lock_byte(other.get(), kByte, LockMode::exclusive);
    link.send(2);
    link.receive();
  }};
  ASSERT_EQ(child.receive(), 1U);
  unlock_byte(mine.get(), kByte);
  ASSERT_EQ(child.receive(), 2U);
  EXPECT_TRUE(is_byte_locked(mine.get(), kByte, LockMode::exclusive));
}

TEST_P(ByteLock, VanishesWhenItsProcessIsKilled) {
  const Descriptor mine = open();
  test::Child child{[&](test::Link& link) {
    const Descriptor other = open();
    lock_byte(other.get(), kByte, LockMode::exclusive);
    link.send(1);
    link.receive();
  }};
  ASSERT_TRUE(child.receive());
  ASSERT_TRUE(is_byte_locked(mine.get(), kByte, LockMode::exclusive));
  child.kill();
  EXPECT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
}

TEST_P(ByteLock, SurvivesTheClosingOfOtherDescriptors) {
  const Descriptor mine = open();
  const Descriptor other = open();
  ASSERT_TRUE(try_lock_byte(mine.get(), kByte, LockMode::exclusive));
  { const Descriptor third = open(); }
  EXPECT_TRUE(is_byte_locked(other.get(), kByte, LockMode::exclusive));
}

TEST_P(ByteLock, SignalsDoNotInterruptIt) {
  static int interruptions = 0;
  interruptions = 3;
  const Descriptor mine = open();
  system.lock = [](int descriptor, int command, struct flock* lock) {
    if (interruptions-- > 0) {
      errno = EINTR;
      return -1;
    }
    return ::fcntl(descriptor, command, lock);
  };
  lock_byte(mine.get(), kByte, LockMode::exclusive);
  EXPECT_TRUE(is_byte_locked(open().get(), kByte, LockMode::exclusive));
}

TEST_P(ByteLock, FailureNamesFileAndByte) {
  const Descriptor mine = open();
  system.lock = [](int, int, struct flock*) {
    errno = ENOLCK;
    return -1;
  };
  const Failure failure =
      failure_of([&] { (void)try_lock_byte(mine.get(), 4711, LockMode::exclusive); });
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says(path_.string())) << failure.text;
  EXPECT_TRUE(failure.says("4711")) << failure.text;
}

QUIRE_ON_EACH_FILESYSTEM(ByteLock);

}  // namespace
}  // namespace quire::storage
