#include "storage/region_file.h"

#include <csignal>
#include <set>

#include "storage/byte_lock.h"
#include "storage_test.h"
#include "support/mounts.h"

namespace quire::storage {
namespace {

constexpr std::uint64_t kRegionBytes = std::uint64_t{1} << 34;
constexpr std::uint64_t kMiB = 1 << 20;

class Region : public StorageOnEachTest {
 protected:
  Region() : region_path_(file("db.lock")) {
    make_file(1);
    data_ = open_file(path_, O_RDWR);
  }

  // Created, reset and mapped.
  std::unique_ptr<RegionFile> make_region() const {
    auto region = std::make_unique<RegionFile>(region_path_, data_.get());
    region->reset(kRegionBytes, 8192);
    region->map(kRegionBytes);
    return region;
  }

  std::filesystem::path region_path_;
  Descriptor data_;
};

TEST_P(Region, IsCreatedOnceAndSharedThen) {
  const RegionFile first{region_path_, data_.get()};
  const RegionFile second{region_path_, data_.get()};
  EXPECT_EQ(first.identity(), second.identity());
  EXPECT_EQ(first.size_bytes(), 0U);
  EXPECT_EQ(file_count(directory_.path()), 2U);
}

TEST_P(Region, OneOfManyCreatesIt) {
  constexpr int kCreators = 4;
  for (int round = 0; round < 20; ++round) {
    std::vector<test::Child> creators;
    creators.reserve(kCreators);
    for (int i = 0; i < kCreators; ++i) {
      creators.emplace_back([&](test::Link& link) {
        link.receive();
        const RegionFile region{region_path_, data_.get()};
        link.send(region.identity().inode);
      });
    }
    for (test::Child& creator : creators) creator.send(1);
    std::set<std::uint64_t> opened;
    for (test::Child& creator : creators) {
      opened.insert(creator.receive().value_or(0));
      EXPECT_EQ(creator.wait(), 0);
    }
    EXPECT_EQ(opened.size(), 1U);
    std::filesystem::remove(region_path_);
  }
}

TEST_P(Region, HasOwnerAndModeOfTheDataFileWhateverTheUmask) {
  std::filesystem::permissions(path_, std::filesystem::perms{0764});
  const bool is_root = ::geteuid() == 0;
  ASSERT_TRUE(!is_root || ::chown(path_.c_str(), 65534, 65533) == 0);
  const mode_t before = ::umask(077);
  const RegionFile region{region_path_, data_.get()};
  ::umask(before);
  struct stat data = {};
  struct stat lock = {};
  ASSERT_EQ(::stat(path_.c_str(), &data), 0);
  ASSERT_EQ(::stat(region_path_.c_str(), &lock), 0);
  EXPECT_EQ(lock.st_mode & 07777, mode_t{0664});
  EXPECT_EQ(lock.st_uid, data.st_uid);
  EXPECT_EQ(lock.st_gid, data.st_gid);
}

TEST_P(Region, OwnerThatCannotBeSetDoesNotMatter) {
  system.fchown = [](int, uid_t, gid_t) {
    errno = EPERM;
    return -1;
  };
  const RegionFile region{region_path_, data_.get()};
  EXPECT_EQ(file_count(directory_.path()), 2U);
}

TEST_P(Region, SymlinkIsRefused) {
  write_file(file("victim"), "precious");
  std::filesystem::create_symlink(file("victim"), region_path_);
  EXPECT_EQ(failure_of([&] { const RegionFile region(region_path_, data_.get()); }).code, Errc::io);
  EXPECT_EQ(read_file(file("victim")), "precious");
}

TEST_P(Region, NoticesThatItWasRemovedOrReplaced) {
  const RegionFile region{region_path_, data_.get()};
  EXPECT_FALSE(region.is_replaced());
  std::filesystem::remove(region_path_);
  EXPECT_TRUE(region.is_replaced());
  const RegionFile other{region_path_, data_.get()};
  EXPECT_TRUE(region.is_replaced());
}

TEST_P(Region, IsSharedAndSparse) {
  auto region = make_region();
  region->ensure(kRegionBytes - kMiB, 4096);
  test::run_in_child([&] {
    RegionFile own{region_path_, data_.get()};
    own.map(kRegionBytes);
    own.base()[kRegionBytes - kMiB] = byte_of('x');
  });
  EXPECT_EQ(region->base()[kRegionBytes - kMiB], byte_of('x'));
  EXPECT_EQ(region->size_bytes(), kRegionBytes);
  EXPECT_LE(block_bytes(region_path_), kMiB);
}

TEST_P(Region, ReadsWithoutMapping) {
  auto region = make_region();
  region->ensure(0, 4096);
  region->base()[10] = byte_of('x');
  const RegionFile other{region_path_, data_.get()};
  std::byte bytes[11] = {};
  EXPECT_EQ(other.read(0, bytes, sizeof bytes), sizeof bytes);
  EXPECT_EQ(bytes[10], byte_of('x'));
}

TEST_P(Region, ResetMakesEverythingZeroAlsoInTheWindow) {
  auto region = make_region();
  region->ensure(0, kMiB);
  region->base()[5000] = byte_of('x');
  region->reset(kRegionBytes, 8192);
  EXPECT_EQ(region->base()[5000], byte_of('\0'));
  EXPECT_EQ(region->size_bytes(), kRegionBytes);
  region->base()[5000] = byte_of('y');
  EXPECT_EQ(region->base()[5000], byte_of('y'));
}

TEST_P(Region, EnsureTakesBlocksAndKeepsBytes) {
  auto region = make_region();
  region->ensure(4096, 4096);
  std::memset(region->base() + 4096, 'x', 4096);
  for (int i = 0; i < 3; ++i) region->ensure(0, kMiB);
  EXPECT_GE(block_bytes(region_path_), kMiB);
  EXPECT_EQ(region->size_bytes(), kRegionBytes);
  EXPECT_EQ(region->base()[4096], byte_of('x'));
  EXPECT_EQ(region->base()[8191], byte_of('x'));
  EXPECT_EQ(region->base()[8192], byte_of('\0'));
}

TEST_P(Region, EnsureWorksWithoutFallocate) {
  auto region = make_region();
  system.fallocate = [](int, int, off_t, off_t) {
    errno = EOPNOTSUPP;
    return -1;
  };
  std::memset(region->base() + 4096, 'x', 4096);
  region->ensure(100, kMiB);
  EXPECT_EQ(region->base()[4096], byte_of('x'));
  EXPECT_EQ(region->base()[8191], byte_of('x'));

  // The faults report a full disk instead of raising SIGBUS.
  system.madvise = [](void* address, size_t bytes, int advice) {
    if (advice != MADV_POPULATE_WRITE) return ::madvise(address, bytes, advice);
    errno = EFAULT;
    return -1;
  };
  EXPECT_EQ(failure_of([&] { region->ensure(kMiB, kMiB); }).code, Errc::no_space);
}

TEST_P(Region, FullDiskIsAnErrorThatNamesTheRange) {
  auto region = make_region();
  system.fallocate = [](int, int, off_t, off_t) {
    errno = ENOSPC;
    return -1;
  };
  const Failure failure = failure_of([&] { region->ensure(8192, 4096); });
  EXPECT_EQ(failure.code, Errc::no_space);
  EXPECT_TRUE(failure.says(region_path_.string() + ": allocate 4096 bytes at 8192"))
      << failure.text;
}

TEST_P(Region, ReallyFullDiskIsAnErrorBothWays) {
  test::with_private_mounts([&] {
    const std::filesystem::path small = file("small");
    const bool is_mounted =
        GetParam() == Place::fast ? test::mount_tmpfs(small, "2m") : test::mount_ext4(small, "16m");
    if (!is_mounted) GTEST_SKIP() << "no small file system here";
    RegionFile region{small / "db.lock", data_.get()};
    region.reset(kRegionBytes, 8192);
    region.map(kRegionBytes);
    EXPECT_EQ(failure_of([&] { region.ensure(0, 64 * kMiB); }).code, Errc::no_space);
    system.fallocate = [](int, int, off_t, off_t) {
      errno = EOPNOTSUPP;
      return -1;
    };
    EXPECT_EQ(failure_of([&] { region.ensure(0, 64 * kMiB); }).code, Errc::no_space);
  });
}

TEST_P(Region, ResetGivesBlocksBackAndNeverMakesTheFileShorter) {
  auto region = make_region();
  region->ensure(0, kMiB);
  std::memset(region->base(), 'x', kMiB);
  system.ftruncate = [](int, off_t) {
    ADD_FAILURE() << "whoever maps it read-only would die of SIGBUS";
    return 0;
  };
  region->reset(kRegionBytes, 8192);
  EXPECT_LE(block_bytes(region_path_), 64 * kMiB / 1024);
  for (std::uint64_t at = 0; at < kMiB; at += 4096) EXPECT_EQ(region->base()[at], byte_of('\0'));
  EXPECT_EQ(region->size_bytes(), kRegionBytes);
}

TEST_P(Region, ResetKeepsFewBlocksAndZeroesThem) {
  auto region = make_region();
  region->ensure(0, kMiB / 8);
  region->ensure(kMiB * 100, kMiB / 8);
  std::memset(region->base(), 'x', kMiB / 8);
  std::memset(region->base() + kMiB * 100, 'y', kMiB / 8);
  system.fallocate = [](int, int, off_t, off_t) {
    ADD_FAILURE() << "giving them back takes milliseconds";
    return 0;
  };
  region->reset(kRegionBytes, 8192);
  for (std::uint64_t at = 0; at < kMiB / 8; ++at) {
    ASSERT_EQ(region->base()[at], byte_of('\0'));
    ASSERT_EQ(region->base()[kMiB * 100 + at], byte_of('\0'));
  }
}

TEST_P(Region, ResetWorksWithoutFallocate) {
  auto region = make_region();
  region->base()[kMiB] = byte_of('x');
  system.fallocate = [](int, int, off_t, off_t) {
    errno = EOPNOTSUPP;
    return -1;
  };
  region->reset(kRegionBytes, 8192);
  EXPECT_EQ(region->base()[kMiB], byte_of('\0'));
  EXPECT_EQ(region->size_bytes(), kRegionBytes);
}

TEST_P(Region, LocksAreFreeWithTheDescriptorThoughTheWindowStays) {
  auto region = make_region();
  lock_byte(region->lock_descriptor(), 1, LockMode::exclusive);
  const RegionFile other{region_path_, data_.get()};
  ASSERT_TRUE(is_byte_locked(other.lock_descriptor(), 1, LockMode::exclusive));
  ::close(region->lock_descriptor());
  EXPECT_FALSE(is_byte_locked(other.lock_descriptor(), 1, LockMode::exclusive));
  EXPECT_EQ(::open("/dev/null", O_RDONLY | O_CLOEXEC), region->lock_descriptor());
}

TEST_P(Region, ForkedChildDoesNotHaveItAndAbandons) {
  auto region = make_region();
  region->ensure(0, 4096);
  region->base()[0] = byte_of('x');
  lock_byte(region->lock_descriptor(), 1, LockMode::exclusive);
  const std::byte* base = region->base();
  test::Child toucher{[&](test::Link&) {
    ::signal(SIGSEGV, SIG_DFL);
    std::printf("read %d\n", static_cast<int>(*const_cast<const volatile std::byte*>(base)));
  }};
  EXPECT_EQ(toucher.wait(), -SIGSEGV);
  test::run_in_child([&] {
    region->abandon_after_fork();
    EXPECT_EQ(region->base(), nullptr);
    EXPECT_EQ(region->lock_descriptor(), -1);
    region.reset();
    RegionFile own{region_path_, data_.get()};
    EXPECT_TRUE(is_byte_locked(own.lock_descriptor(), 1, LockMode::exclusive));
    own.map(kRegionBytes);
    EXPECT_EQ(own.base()[0], byte_of('x'));
  });
  EXPECT_EQ(region->base()[0], byte_of('x'));
}

QUIRE_ON_EACH_FILESYSTEM(Region);

}  // namespace
}  // namespace quire::storage
