// Creating a data file: all or nothing, seen by everybody else only when complete.
#include <array>

#include <linux/fs.h>
#include <linux/magic.h>

#include "storage_test.h"
#include "support/mounts.h"

namespace quire::storage {
namespace {

using Piece = DataFile::Image::Piece;

const std::string kHead(4096, 'h');
const std::string kTail(100, 't');
constexpr std::uint64_t kImageBytes = 1 << 20;
constexpr std::uint64_t kZeroedBytes = 512 << 10;

Piece piece(std::uint64_t offset, const std::string& bytes) {
  return {offset, reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

bool create(const std::filesystem::path& path, bool allow_any = false) {
  const std::array<Piece, 2> pieces = {piece(0, kHead), piece(kImageBytes - 100, kTail)};
  return DataFile::create(path,
                          {.size_bytes = kImageBytes,
                           .pieces = pieces.data(),
                           .piece_count = pieces.size(),
                           .zeroed_offset = 64 << 10,
                           .zeroed_bytes = kZeroedBytes},
                          allow_any);
}

std::string expected_contents() {
  return kHead + std::string(kImageBytes - kHead.size() - kTail.size(), '\0') + kTail;
}

// As on file systems that cannot make a file without a name.
int openat_without_tmpfile(int directory, const char* path, int flags, mode_t mode) {
  if ((flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return ::openat(directory, path, flags, mode);
}

class DataFileCreate : public StorageOnEachTest {
 protected:
  // Runs the test body once without a name for the unfinished file and once with a temporary one.
  template <typename Body>
  void both_ways(Body&& body) {
    const System original = system;
    body();
    system = original;
    std::filesystem::remove(path_);
    system.openat = openat_without_tmpfile;
    body();
  }

  void expect_nothing_left(const Failure& failure, Errc code, const std::string& part) const {
    EXPECT_EQ(failure.code, code) << failure.text;
    EXPECT_TRUE(failure.says(path_.string() + ": " + part)) << failure.text;
    EXPECT_EQ(file_count(directory_.path()), 0U);
  }
};

TEST_P(DataFileCreate, WritesTheWholeImage) {
  both_ways([&] {
    EXPECT_TRUE(create(path_));
    EXPECT_EQ(read_file(path_), expected_contents());
    EXPECT_GE(block_bytes(path_), kImageBytes);
    EXPECT_EQ(file_count(directory_.path()), 1U);
  });
}

TEST_P(DataFileCreate, LeavesAnExistingFileAlone) {
  both_ways([&] {
    write_file(path_, "mine");
    EXPECT_FALSE(create(path_));
    EXPECT_EQ(read_file(path_), "mine");
    EXPECT_EQ(file_count(directory_.path()), 1U);
  });
}

TEST_P(DataFileCreate, ModeFollowsTheUmask) {
  both_ways([&] {
    const mode_t before = ::umask(027);
    EXPECT_TRUE(create(path_));
    ::umask(before);
    EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms{0640});
  });
}

TEST_P(DataFileCreate, FollowsASymlinkToNowhere) {
  std::filesystem::create_directory(file("far"));
  std::filesystem::create_symlink("far/target", file("link"));
  std::filesystem::create_symlink(file("link"), path_);
  EXPECT_TRUE(create(path_));
  EXPECT_EQ(read_file(file("far/target")), expected_contents());
  EXPECT_FALSE(create(path_));
}

TEST_P(DataFileCreate, MissingDirectoryIsNamed) {
  const Failure failure = failure_of([&] { create(file("nowhere") / "db"); });
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says("the directory " + file("nowhere").string() + " does not exist"))
      << failure.text;
}

TEST_P(DataFileCreate, PathWithoutAFileNameIsRefused) {
  const Failure failure = failure_of([&] { create(directory_.path() / ""); });
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says("name a file, not a directory")) << failure.text;
}

TEST_P(DataFileCreate, UnsupportedFilesystemIsLeftEmpty) {
  system.fstatfs = [](int, struct statfs* status) {
    status->f_type = FUSE_SUPER_MAGIC;
    return 0;
  };
  expect_nothing_left(failure_of([&] { create(path_); }), Errc::unsupported_filesystem, "open");
  EXPECT_TRUE(create(path_, true));
}

TEST_P(DataFileCreate, FullDiskLeavesNothing) {
  both_ways([&] {
    system.fallocate = [](int, int, off_t, off_t) {
      errno = ENOSPC;
      return -1;
    };
    expect_nothing_left(failure_of([&] { create(path_); }), Errc::no_space,
                        "create with 1048576 bytes: No space left on device");
  });
}

TEST_P(DataFileCreate, FailedWriteLeavesNothing) {
  both_ways([&] {
    system.pwrite = [](int, const void*, size_t, off_t) {
      errno = EIO;
      return ssize_t{-1};
    };
    expect_nothing_left(failure_of([&] { create(path_); }), Errc::io, "create");
  });
}

TEST_P(DataFileCreate, FailedFlushLeavesNothing) {
  both_ways([&] {
    system.fsync = [](int) {
      errno = EIO;
      return -1;
    };
    expect_nothing_left(failure_of([&] { create(path_); }), Errc::io, "flush: Input/output error");
  });
}

TEST_P(DataFileCreate, FailedLinkLeavesNothing) {
  both_ways([&] {
    system.linkat = [](int, const char*, int, const char*, int) {
      errno = EMLINK;
      return -1;
    };
    expect_nothing_left(failure_of([&] { create(path_); }), Errc::io, "create: Too many links");
  });
}

TEST_P(DataFileCreate, KilledCreatorLeavesNothing) {
  test::Child child{[&](test::Link&) {
    system.fsync = [](int) { return ::raise(SIGKILL); };
    create(path_);
  }};
  EXPECT_EQ(child.wait(), -SIGKILL);
  EXPECT_EQ(file_count(directory_.path()), 0U);
}

TEST_P(DataFileCreate, FlushesTheFileBeforeItIsNamedAndTheNameAfterwards) {
  static std::vector<std::string> calls;
  both_ways([&] {
    calls.clear();
    system.fsync = [](int descriptor) {
      struct stat status = {};
      EXPECT_EQ(::fstat(descriptor, &status), 0);
      calls.push_back(S_ISDIR(status.st_mode) ? "flush directory" : "flush file");
      return ::fsync(descriptor);
    };
    system.linkat = [](int from_directory, const char* from, int to_directory, const char* to,
                       int flags) {
      calls.emplace_back("link");
      return ::linkat(from_directory, from, to_directory, to, flags);
    };
    EXPECT_TRUE(create(path_));
    EXPECT_EQ(calls, (std::vector<std::string>{"flush file", "link", "flush directory"}));
  });
}

TEST_P(DataFileCreate, ZerosAreWrittenInSmallWrites) {
  static std::uint64_t zero_bytes = 0;
  static std::size_t largest_bytes = 0;
  zero_bytes = 0;
  system.pwrite = [](int descriptor, const void* bytes, size_t count, off_t offset) {
    if (offset >= 64 << 10 && offset < (64 << 10) + static_cast<off_t>(kZeroedBytes)) {
      zero_bytes += count;
      largest_bytes = std::max(largest_bytes, count);
    }
    return ::pwrite(descriptor, bytes, count, offset);
  };
  EXPECT_TRUE(create(path_));
  EXPECT_EQ(zero_bytes, kZeroedBytes);
  EXPECT_EQ(largest_bytes, 4096U);
}

TEST_P(DataFileCreate, WorksWithoutFallocate) {
  system.fallocate = [](int, int, off_t, off_t) {
    errno = EOPNOTSUPP;
    return -1;
  };
  EXPECT_TRUE(create(path_));
  EXPECT_EQ(read_file(path_), expected_contents());
}

TEST_P(DataFileCreate, SignalsAndShortWritesDoNotDamageTheImage) {
  static int calls = 0;
  calls = 0;
  system.pwrite = [](int descriptor, const void* bytes, size_t count, off_t offset) {
    if (++calls % 3 == 0) {
      errno = EINTR;
      return ssize_t{-1};
    }
    return ::pwrite(descriptor, bytes, std::min<size_t>(count, 1000), offset);
  };
  EXPECT_TRUE(create(path_));
  EXPECT_EQ(read_file(path_), expected_contents());
}

TEST_P(DataFileCreate, OneOfManyCreatorsWins) {
  constexpr int kCreators = 4;
  for (int round = 0; round < 20; ++round) {
    std::vector<test::Child> creators;
    creators.reserve(kCreators);
    for (int i = 0; i < kCreators; ++i) {
      creators.emplace_back([&](test::Link& link) {
        if (i % 2 == 1) system.openat = openat_without_tmpfile;
        link.receive();
        const bool is_winner = create(path_);
        EXPECT_EQ(read_file(path_), expected_contents());
        link.send(is_winner ? 1 : 0);
      });
    }
    for (test::Child& creator : creators) creator.send(1);
    std::uint64_t winners = 0;
    for (test::Child& creator : creators) {
      winners += creator.receive().value_or(1000);
      EXPECT_EQ(creator.wait(), 0);
    }
    EXPECT_EQ(winners, 1U);
    EXPECT_EQ(file_count(directory_.path()), 1U);
    std::filesystem::remove(path_);
  }
}

TEST_P(DataFileCreate, KeepsItsPlaceOnBtrfs) {
  static int flags_set = 0;
  flags_set = 0;
  system.fstatfs = [](int, struct statfs* status) {
    status->f_type = BTRFS_SUPER_MAGIC;
    return 0;
  };
  system.ioctl = [](int descriptor, unsigned long request, int* flags) {
    struct stat status = {};
    EXPECT_EQ(::fstat(descriptor, &status), 0);
    EXPECT_EQ(status.st_size, 0) << "later it has no effect";
    if (request == FS_IOC_SETFLAGS) flags_set = *flags;
    if (request == FS_IOC_GETFLAGS) *flags = FS_NOATIME_FL;
    return 0;
  };
  EXPECT_TRUE(create(path_));
  EXPECT_EQ(flags_set, FS_NOCOW_FL | FS_NOATIME_FL);
}

TEST_P(DataFileCreate, ReallyFullDiskLeavesNothing) {
  test::with_private_mounts([&] {
    const std::filesystem::path small = file("small");
    if (!test::mount_tmpfs(small, "512k")) GTEST_SKIP() << "no small file system here";
    const Failure failure = failure_of([&] { create(small / "db"); });
    EXPECT_EQ(failure.code, Errc::no_space);
    EXPECT_EQ(file_count(small), 0U);
  });
}

QUIRE_ON_EACH_FILESYSTEM(DataFileCreate);

}  // namespace
}  // namespace quire::storage
