// Flushing by role (rule 6), and dropping the cache so that the disk decides.
#include "storage_test.h"

namespace quire::storage {
namespace {

struct Flush {
  std::byte* address;
  std::size_t size_bytes;
};
std::vector<Flush> flushes;

int record_msync(void* address, size_t bytes, int flags) {
  EXPECT_EQ(flags, MS_SYNC);
  flushes.push_back({static_cast<std::byte*>(address), bytes});
  return ::msync(address, bytes, flags);
}

int fail_msync(void*, size_t, int) {
  errno = EIO;
  return -1;
}

class DataFileFlush : public StorageOnEachTest {
 protected:
  DataFileFlush() : page_bytes_(system_page_bytes()) {
    make_file();
    data_.emplace(path_, Access::read_write, false);
    flushes.clear();
  }

  std::size_t page_bytes_;
  std::optional<DataFile> data_;
};

TEST_P(DataFileFlush, LogGoesThroughTheWritingWindow) {
  data_->map(0);
  system.msync = record_msync;
  EXPECT_FALSE(data_->flush_log(2 * page_bytes_ + 10, page_bytes_));
  ASSERT_EQ(flushes.size(), 1U);
  EXPECT_EQ(flushes[0].address, data_->write_base() + 2 * page_bytes_);
  EXPECT_EQ(flushes[0].size_bytes, page_bytes_ + 10);
}

TEST_P(DataFileFlush, PagesGoThroughTheReadingWindow) {
  data_->map(0);
  system.msync = record_msync;
  EXPECT_FALSE(data_->flush_pages(page_bytes_, 1));
  ASSERT_EQ(flushes.size(), 1U);
  EXPECT_EQ(flushes[0].address, data_->read_base() + page_bytes_);
  EXPECT_EQ(flushes[0].size_bytes, 1U);
}

TEST_P(DataFileFlush, GrowthGoesThroughAWindowOfItsOwnAndCoversWhatIsNew) {
  data_->map(0);
  system.msync = record_msync;
  EXPECT_FALSE(data_->grow(kFileBytes + 16 * page_bytes_));
  ASSERT_EQ(flushes.size(), 1U);
  EXPECT_EQ(flushes[0].size_bytes, 16 * page_bytes_);
  const auto address = reinterpret_cast<std::uintptr_t>(flushes[0].address);
  const std::byte* const bases[] = {data_->read_base(), data_->write_base()};
  for (const std::byte* base : bases) {
    const auto first = reinterpret_cast<std::uintptr_t>(base);
    EXPECT_TRUE(address < first || address >= first + data_->reserved_bytes());
  }
}

TEST_P(DataFileFlush, EachRoleHasADescriptionOfItsOwn) {
  data_->map(0);
  static std::vector<int> descriptors;
  descriptors.clear();
  system.fdatasync = [](int descriptor) {
    descriptors.push_back(descriptor);
    return 0;
  };
  EXPECT_FALSE(data_->flush_all());       // pages
  EXPECT_FALSE(data_->grow(kFileBytes));  // growth, nothing to add
  ASSERT_EQ(descriptors.size(), 2U);
  EXPECT_NE(descriptors[0], descriptors[1]);
  EXPECT_NE(descriptors[0], data_->lock_descriptor());
}

TEST_P(DataFileFlush, NothingIsNoCall) {
  data_->map(0);
  system.msync = fail_msync;
  EXPECT_FALSE(data_->flush_log(100, 0));
  EXPECT_FALSE(data_->flush_pages(100, 0));
}

TEST_P(DataFileFlush, ErrorsAreReturned) {
  data_->map(0);
  system.msync = fail_msync;
  system.fdatasync = [](int) {
    errno = EIO;
    return -1;
  };
  const std::error_code expected{EIO, std::generic_category()};
  EXPECT_EQ(data_->flush_log(0, 1), expected);
  EXPECT_EQ(data_->flush_pages(0, 1), expected);
  EXPECT_EQ(data_->flush_all(), expected);
}

TEST_P(DataFileFlush, SignalsDoNotInterruptIt) {
  data_->map(0);
  static int interruptions = 0;
  interruptions = 2;
  system.msync = [](void* address, size_t bytes, int flags) {
    if (interruptions-- > 0) {
      errno = EINTR;
      return -1;
    }
    return ::msync(address, bytes, flags);
  };
  EXPECT_FALSE(data_->flush_log(0, 1));
  EXPECT_LT(interruptions, 0);
}

TEST_P(DataFileFlush, CacheIsDroppedWhenNobodyMapsTheFile) {
  // The file was just written: its pages are dirty.
  EXPECT_TRUE(data_->drop_cache());
  std::byte last;
  EXPECT_EQ(data_->read(kFileBytes - 1, &last, 1), 1U);
  EXPECT_EQ(last, byte_of('q'));
}

TEST_P(DataFileFlush, CacheStaysWhileAnotherProcessMapsTheFile) {
  if (data_->filesystem().is_memory) GTEST_SKIP() << "nothing to drop in memory";
  test::Child other{[&](test::Link& link) {
    DataFile own{path_, Access::read_only, false};
    own.map(0);
    link.send(static_cast<std::uint64_t>(own.read_base()[page_bytes_]));
    link.receive();
  }};
  ASSERT_TRUE(other.receive());
  EXPECT_FALSE(data_->drop_cache());
  other.kill();
  EXPECT_TRUE(data_->drop_cache());
}

TEST_P(DataFileFlush, DroppingTheCacheShowsTheDisk) {
  if (data_->filesystem().is_memory) GTEST_SKIP() << "nothing to drop in memory";
  static int drops = 0;
  drops = 0;
  system.fadvise = [](int descriptor, off_t offset, off_t bytes, int advice) {
    EXPECT_EQ(advice, POSIX_FADV_DONTNEED);
    ++drops;
    return ::posix_fadvise(descriptor, offset, bytes, advice);
  };
  std::vector<unsigned char> resident(kFileBytes / page_bytes_, 0);
  ASSERT_TRUE(data_->drop_cache());
  EXPECT_GE(drops, 1);
  Mapping view;
  const Descriptor file = open_file(path_, O_RDONLY);
  ASSERT_EQ(view.map(file.get(), Mapping::Mode::read_only, 0, kFileBytes), 0);
  ASSERT_EQ(::mincore(view.base(), kFileBytes, resident.data()), 0);
  for (const unsigned char page : resident) EXPECT_EQ(page & 1, 0);
}

TEST_P(DataFileFlush, MemoryIsNotDropped) {
  if (!data_->filesystem().is_memory) GTEST_SKIP() << "a disk";
  system.fadvise = [](int, off_t, off_t, int) { return EINVAL; };
  EXPECT_TRUE(data_->drop_cache());
}

TEST_P(DataFileFlush, FailureToDropIsAnError) {
  if (data_->filesystem().is_memory) GTEST_SKIP() << "nothing to drop in memory";
  system.fadvise = [](int, off_t, off_t, int) { return EINVAL; };
  EXPECT_EQ(failure_of([&] { (void)data_->drop_cache(); }).code, Errc::io);
}

QUIRE_ON_EACH_FILESYSTEM(DataFileFlush);

}  // namespace
}  // namespace quire::storage
