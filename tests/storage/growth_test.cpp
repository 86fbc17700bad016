// Growing: under the windows of everybody, durable before it returns, never SIGBUS.
#include <csignal>

#include <sys/ioctl.h>
#include <sys/resource.h>

#include "storage_test.h"
#include "support/mounts.h"

namespace quire::storage {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class DataFileGrow : public StorageOnEachTest {
 protected:
  DataFileGrow() {
    make_file();
    data_.emplace(path_, Access::read_write, false);
    data_->map(0);
  }

  void expect_old_bytes_and_zeros(std::uint64_t size_bytes) const {
    EXPECT_EQ(read_file(path_),
              std::string(kFileBytes, 'q') + std::string(size_bytes - kFileBytes, '\0'));
  }

  std::optional<DataFile> data_;
};

TEST_P(DataFileGrow, ShowsInWindowsMappedBefore) {
  test::Child reader{[&](test::Link& link) {
    DataFile own{path_, Access::read_only, false};
    own.map(0);
    link.send(1);
    link.receive();
    EXPECT_EQ(own.size_bytes(), 2 * kMiB);
    EXPECT_EQ(own.read_base()[2 * kMiB - 1], byte_of('x'));
    EXPECT_EQ(own.read_base()[kMiB], byte_of('\0'));
  }};
  ASSERT_TRUE(reader.receive());
  EXPECT_FALSE(data_->grow(2 * kMiB));
  EXPECT_EQ(data_->size_bytes(), 2 * kMiB);
  data_->write_base()[2 * kMiB - 1] = byte_of('x');
  EXPECT_EQ(data_->read_base()[2 * kMiB - 1], byte_of('x'));
  reader.send(1);
  EXPECT_EQ(reader.wait(), 0);
}

TEST_P(DataFileGrow, TakesTheBlocks) {
  EXPECT_FALSE(data_->grow(2 * kMiB));
  EXPECT_GE(block_bytes(path_), 2 * kMiB);
  expect_old_bytes_and_zeros(2 * kMiB);
}

TEST_P(DataFileGrow, FullDiskIsAnErrorThatNamesTheSizes) {
  system.fallocate = [](int, int, off_t, off_t) {
    errno = ENOSPC;
    return -1;
  };
  const Failure failure = failure_of([&] { (void)data_->grow(2 * kMiB); });
  EXPECT_EQ(failure.code, Errc::no_space);
  EXPECT_TRUE(
      failure.says(path_.string() + ": grow from 262144 to 2097152 bytes: No space left on device"))
      << failure.text;
  EXPECT_EQ(data_->size_bytes(), kFileBytes);
  system.fallocate = ::fallocate;
  EXPECT_FALSE(data_->grow(2 * kMiB)) << "works once there is space again";
}

TEST_P(DataFileGrow, QuotaAndFileSizeLimitAreErrorsToo) {
  static int error_number = 0;
  system.fallocate = [](int, int, off_t, off_t) {
    errno = error_number;
    return -1;
  };
  for (const int each : {EDQUOT, EFBIG}) {
    error_number = each;
    EXPECT_EQ(failure_of([&] { (void)data_->grow(2 * kMiB); }).code, Errc::no_space);
  }
  error_number = EIO;
  EXPECT_EQ(failure_of([&] { (void)data_->grow(2 * kMiB); }).code, Errc::io);
}

TEST_P(DataFileGrow, ReallyFullDiskIsAnErrorAndTheRestGoesOn) {
  test::with_private_mounts([&] {
    const std::filesystem::path small = file("small");
    const bool is_mounted =
        GetParam() == Place::fast ? test::mount_tmpfs(small, "8m") : test::mount_ext4(small, "16m");
    if (!is_mounted) GTEST_SKIP() << "no small file system here";
    write_file(small / "db", std::string(kFileBytes, 'q'));
    DataFile data{small / "db", Access::read_write, false};
    data.map(0);
    EXPECT_FALSE(data.grow(kMiB));
    EXPECT_EQ(failure_of([&] { (void)data.grow(64 * kMiB); }).code, Errc::no_space);
    EXPECT_FALSE(data.grow(2 * kMiB)) << "also over what the failure may have left";
    for (std::uint64_t offset = 0; offset < 2 * kMiB; offset += 4096) {
      data.write_base()[offset] = byte_of('x');
    }
    EXPECT_FALSE(data.flush_pages(0, 2 * kMiB));
  });
}

TEST_P(DataFileGrow, LimitOfFileSizeIsAnErrorNotASignal) {
  test::run_in_child([&] {
    const struct rlimit limit = {kMiB, kMiB};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    DataFile own{path_, Access::read_write, false};
    const Failure failure = failure_of([&] { (void)own.grow(2 * kMiB); });
    EXPECT_EQ(failure.code, Errc::no_space);
    EXPECT_TRUE(failure.says("ulimit -f")) << failure.text;
    EXPECT_FALSE(own.grow(kMiB));
  });
}

TEST_P(DataFileGrow, ReservedAddressesAreALimit) {
  DataFile narrow{path_, Access::read_write, false};
  narrow.map(kMiB);
  EXPECT_FALSE(narrow.grow(kMiB));
  const Failure failure = failure_of([&] { (void)narrow.grow(kMiB + 4096); });
  EXPECT_EQ(failure.code, Errc::no_space);
  EXPECT_TRUE(failure.says("only 1048576 bytes of addresses are reserved")) << failure.text;
}

TEST_P(DataFileGrow, FailedFlushIsReturned) {
  system.msync = [](void*, size_t, int) {
    errno = EIO;
    return -1;
  };
  EXPECT_EQ(data_->grow(2 * kMiB), std::error_code(EIO, std::generic_category()));
}

TEST_P(DataFileGrow, FlushesWhatADeadGrowerLeft) {
  static int flushes = 0;
  flushes = 0;
  std::filesystem::resize_file(path_, 2 * kMiB);
  system.fdatasync = [](int descriptor) {
    ++flushes;
    return ::fdatasync(descriptor);
  };
  EXPECT_FALSE(data_->grow(2 * kMiB));
  EXPECT_EQ(flushes, 1);
  EXPECT_EQ(data_->size_bytes(), 2 * kMiB);
}

TEST_P(DataFileGrow, WithoutFallocateWritesZerosBeyondTheEndOnly) {
  system.fallocate = [](int, int, off_t, off_t) {
    errno = EOPNOTSUPP;
    return -1;
  };
  static off_t lowest = 0;
  static size_t largest_bytes = 0;
  lowest = std::numeric_limits<off_t>::max();
  system.pwrite = [](int descriptor, const void* bytes, size_t count, off_t offset) {
    lowest = std::min(lowest, offset);
    largest_bytes = std::max(largest_bytes, count);
    return ::pwrite(descriptor, bytes, count, offset);
  };
  EXPECT_FALSE(data_->grow(2 * kMiB));
  EXPECT_EQ(lowest, static_cast<off_t>(kFileBytes));
  EXPECT_EQ(largest_bytes, 4096U);
  EXPECT_GE(block_bytes(path_), 2 * kMiB);
  expect_old_bytes_and_zeros(2 * kMiB);
}

TEST_P(DataFileGrow, EndsThoughSignalsUndoLargeSteps) {
  system.fallocate = [](int descriptor, int mode, off_t offset, off_t bytes) {
    if (bytes > static_cast<off_t>(2 * kMiB)) {
      errno = EINTR;
      return -1;
    }
    return ::fallocate(descriptor, mode, offset, bytes);
  };
  EXPECT_FALSE(data_->grow(16 * kMiB));
  EXPECT_EQ(data_->size_bytes(), 16 * kMiB);
  EXPECT_GE(block_bytes(path_), 16 * kMiB);
}

TEST_P(DataFileGrow, ZerosReplaceARangeInSmallWrites) {
  system.pwrite = [](int descriptor, const void* bytes, size_t count, off_t offset) {
    EXPECT_EQ(offset / 4096, (offset + static_cast<off_t>(count) - 1) / 4096)
        << "two pages at once";
    return ::pwrite(descriptor, bytes, count, offset);
  };
  data_->write_zeros(1000, 100'000);
  EXPECT_EQ(read_file(path_), std::string(1000, 'q') + std::string(100'000, '\0') +
                                  std::string(kFileBytes - 101'000, 'q'));
}

// As a power cut does: what was not flushed is gone (EXT4_IOC_SHUTDOWN, journal not flushed).
bool cut_power(const std::filesystem::path& mounted) {
  const Descriptor directory = open_file(mounted, O_RDONLY | O_DIRECTORY);
  const std::uint32_t kWithoutFlush = 2;
  return ::ioctl(directory.get(), _IOR('X', 125, std::uint32_t), &kWithoutFlush) == 0;
}

TEST_P(DataFileGrow, SurvivesAPowerCut) {
  if (GetParam() != Place::disk) GTEST_SKIP() << "needs a disk";
  test::with_private_mounts([&] {
    const std::filesystem::path disk = file("disk");
    if (!test::mount_ext4(disk, "64m")) GTEST_SKIP() << "no ext4 in a file here";
    const std::string head(4096, 'h');
    const DataFile::Image::Piece piece = {0, reinterpret_cast<const std::byte*>(head.data()),
                                          head.size()};
    ASSERT_TRUE(DataFile::create(disk / "db",
                                 {.size_bytes = kMiB, .pieces = &piece, .piece_count = 1}, false));
    {
      DataFile data{disk / "db", Access::read_write, false};
      data.map(0);
      data.write_base()[4096] = byte_of('l');
      EXPECT_FALSE(data.flush_log(4096, 1));
      data.write_base()[8192] = byte_of('p');
      EXPECT_FALSE(data.flush_pages(8192, 1));
      data.write_base()[0] = byte_of('u');  // never flushed
      EXPECT_FALSE(data.grow(8 * kMiB));    // the last: its flush alone makes the size durable
      ASSERT_TRUE(cut_power(disk));
    }
    ASSERT_TRUE(test::run_command("umount " + disk.string()));
    ASSERT_TRUE(test::run_command("mount -o loop " + disk.string() + ".image " + disk.string()));
    const std::string bytes = read_file(disk / "db");
    ASSERT_EQ(bytes.size(), 8 * kMiB);
    EXPECT_EQ(bytes[0], 'h');
    EXPECT_EQ(bytes[4096], 'l');
    EXPECT_EQ(bytes[8192], 'p');
    EXPECT_GE(block_bytes(disk / "db"), 8 * kMiB);
  });
}

QUIRE_ON_EACH_FILESYSTEM(DataFileGrow);

}  // namespace
}  // namespace quire::storage
