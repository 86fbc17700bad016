// Opening a data file: what it refuses, how it says so, and which file it has in the end.
#include <set>

#include <linux/magic.h>

#include "storage/byte_lock.h"
#include "storage_test.h"

namespace quire::storage {
namespace {

class DataFileOpen : public StorageTest {
 protected:
  Failure failure_of_opening(const std::filesystem::path& path,
                             Access access = Access::read_write) const {
    return failure_of([&] { const DataFile data{path, access, false}; });
  }
};

// Descriptors of this process that are open on the path.
std::set<int> descriptors_of(const std::filesystem::path& path) {
  std::set<int> found;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == path) {
      found.insert(std::stoi(entry.path().filename().string()));
    }
  }
  return found;
}

TEST_F(DataFileOpen, HoldsFourDescriptionsThatEndAtExec) {
  make_file();
  {
    const DataFile data{path_, Access::read_write, false};
    const std::set<int> descriptors = descriptors_of(path_);
    EXPECT_EQ(descriptors.size(), 4U);
    EXPECT_EQ(descriptors.count(data.lock_descriptor()), 1U);
    for (const int descriptor : descriptors) {
      EXPECT_EQ(::fcntl(descriptor, F_GETFD), FD_CLOEXEC);
      EXPECT_EQ(::fcntl(descriptor, F_GETFL) & O_ACCMODE, O_RDWR);
    }
  }
  EXPECT_TRUE(descriptors_of(path_).empty());
}

TEST_F(DataFileOpen, DescriptorClosesOnceAndEndsAtExec) {
  make_file();
  Descriptor file = open_file(path_, O_RDONLY);
  EXPECT_EQ(::fcntl(file.get(), F_GETFD), FD_CLOEXEC);
  Descriptor moved{std::move(file)};
  EXPECT_EQ(descriptors_of(path_), std::set<int>{moved.get()});
  moved = open_file(path_, O_RDONLY);
  EXPECT_EQ(descriptors_of(path_), std::set<int>{moved.get()});
  moved.close();
  EXPECT_TRUE(descriptors_of(path_).empty());
}

TEST_F(DataFileOpen, ReadOnlyAccessOpensReadWriteWhereAllowed) {
  make_file();
  DataFile data{path_, Access::read_only, false};
  EXPECT_TRUE(data.is_opened_for_writing());
  EXPECT_EQ(::fcntl(data.lock_descriptor(), F_GETFL) & O_ACCMODE, O_RDWR);
  data.map(0);
  EXPECT_EQ(data.read_base()[kFileBytes - 1], byte_of('q'));
  EXPECT_EQ(data.write_base(), nullptr);
}

TEST_F(DataFileOpen, ReadOnlyAccessTakesWhatItMayRead) {
  make_file();
  std::filesystem::permissions(path_, std::filesystem::perms{0444});
  test::run_in_child([&] {
    drop_root();
    DataFile data{path_, Access::read_only, false};
    EXPECT_FALSE(data.is_opened_for_writing());
    data.map(0);
    EXPECT_EQ(data.read_base()[kFileBytes - 1], byte_of('q'));
    std::byte first;
    EXPECT_EQ(data.read(0, &first, 1), 1U);
    EXPECT_TRUE(try_lock_byte(data.lock_descriptor(), 1, LockMode::shared));

    const Failure failure = failure_of_opening(path_);
    EXPECT_EQ(failure.code, Errc::io);
    EXPECT_TRUE(failure.says(path_.string() + ": open: Permission denied (check the permissions"))
        << failure.text;
  });
}

TEST_F(DataFileOpen, AbsentFileIsAnError) {
  const Failure failure = failure_of_opening(path_);
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says(path_.string() + ": open: No such file or directory")) << failure.text;
  EXPECT_FALSE(failure.says("does not exist")) << failure.text;
}

TEST_F(DataFileOpen, MissingDirectoryIsNamed) {
  const Failure failure = failure_of_opening(file("nowhere") / "db");
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says("the directory " + file("nowhere").string() + " does not exist"))
      << failure.text;
}

TEST_F(DataFileOpen, DirectoryIsRefused) {
  for (const Access access : {Access::read_write, Access::read_only}) {
    const Failure failure = failure_of_opening(directory_.path(), access);
    EXPECT_EQ(failure.code, Errc::io);
    EXPECT_TRUE(failure.says("directory")) << failure.text;
  }
}

TEST_F(DataFileOpen, NamedPipeIsRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0444), 0);
  test::run_in_child([&] {
    drop_root();
    const Failure failure = failure_of_opening(path_, Access::read_only);
    EXPECT_EQ(failure.code, Errc::io);
    EXPECT_TRUE(failure.says("named pipe, not a regular file")) << failure.text;
  });
}

TEST_F(DataFileOpen, DeviceIsRefused) {
  const Failure failure = failure_of_opening("/dev/null");
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says("not a regular file")) << failure.text;
}

TEST_F(DataFileOpen, TooManyOpenFilesIsAnErrorThatLeavesNoneOpen) {
  make_file();
  static int left = 0;
  left = 2;
  system.openat = [](int directory, const char* path, int flags, mode_t mode) {
    if (left-- <= 0) {
      errno = EMFILE;
      return -1;
    }
    return ::openat(directory, path, flags, mode);
  };
  const Failure failure = failure_of_opening(path_);
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says("ulimit -n")) << failure.text;
  EXPECT_TRUE(descriptors_of(path_).empty());
}

TEST_F(DataFileOpen, SymlinkIsTheSameFileWithTheSamePath) {
  make_file();
  std::filesystem::create_symlink("db", file("first"));
  std::filesystem::create_symlink(file("first"), file("second"));
  const DataFile data{path_, Access::read_write, false};
  const DataFile linked{file("second"), Access::read_write, false};
  EXPECT_EQ(linked.identity(), data.identity());
  EXPECT_EQ(linked.path(), data.path());
  EXPECT_FALSE(linked.is_replaced());
}

TEST_F(DataFileOpen, RelativePathOutlivesAChangeOfDirectory) {
  make_file();
  test::run_in_child([&] {
    ASSERT_EQ(::chdir(directory_.path().c_str()), 0);
    const DataFile data{"db", Access::read_write, false};
    ASSERT_EQ(::chdir("/"), 0);
    EXPECT_EQ(data.path(), path_);
    EXPECT_FALSE(data.is_replaced());
  });
}

TEST_F(DataFileOpen, NoticesThatItsPathNamesAnotherFile) {
  make_file();
  const DataFile data{path_, Access::read_write, false};
  EXPECT_FALSE(data.is_replaced());
  std::filesystem::rename(path_, file("elsewhere"));
  EXPECT_FALSE(data.is_replaced()) << "renamed, and nobody has taken its place";
  make_file();
  EXPECT_TRUE(data.is_replaced()) << "another file of that name";
  std::filesystem::rename(file("elsewhere"), path_);
  EXPECT_FALSE(data.is_replaced());
  std::filesystem::remove(path_);
  EXPECT_TRUE(data.is_replaced());
}

std::filesystem::path replaced_path;
int replacements = 0;

TEST_F(DataFileOpen, FileReplacedMeanwhileIsOpenedWhole) {
  make_file();
  replaced_path = path_;
  replacements = 3;
  system.openat = [](int directory, const char* path, int flags, mode_t mode) {
    const int descriptor = ::openat(directory, path, flags, mode);
    if (replacements-- > 0) {
      write_file(replaced_path.string() + ".new", std::string(100, 'n'));
      std::filesystem::rename(replaced_path.string() + ".new", replaced_path);
    }
    return descriptor;
  };
  const DataFile data{path_, Access::read_write, false};
  EXPECT_FALSE(data.is_replaced());
  EXPECT_EQ(data.size_bytes(), 100U);
  for (const int descriptor : descriptors_of(path_)) {
    struct stat status = {};
    ASSERT_EQ(::fstat(descriptor, &status), 0);
    EXPECT_EQ(status.st_ino, data.identity().inode);
  }
}

TEST_F(DataFileOpen, UnsupportedFilesystemIsRefusedUnlessWanted) {
  make_file();
  system.fstatfs = [](int, struct statfs* status) {
    status->f_type = NFS_SUPER_MAGIC;
    return 0;
  };
  const Failure failure = failure_of_opening(path_);
  EXPECT_EQ(failure.code, Errc::unsupported_filesystem);
  EXPECT_TRUE(failure.says(path_.string() + ": open: on the file system \"NFS\"")) << failure.text;
  const DataFile data{path_, Access::read_write, true};
  EXPECT_EQ(data.filesystem().name, "NFS");
}

TEST_F(DataFileOpen, ReadsWhatThereIs) {
  make_file(1000);
  const DataFile data{path_, Access::read_write, false};
  std::vector<std::byte> bytes(4096);
  EXPECT_EQ(data.read(0, bytes.data(), bytes.size()), 1000U);
  EXPECT_EQ(data.read(900, bytes.data(), bytes.size()), 100U);
  EXPECT_EQ(data.read(1000, bytes.data(), bytes.size()), 0U);
  EXPECT_EQ(bytes[99], byte_of('q'));
}

TEST_F(DataFileOpen, ReadErrorsNameTheOffset) {
  make_file(1000);
  const DataFile data{path_, Access::read_write, false};
  system.pread = [](int, void*, size_t, off_t) {
    errno = EIO;
    return ssize_t{-1};
  };
  const Failure failure = failure_of([&] {
    std::byte byte;
    (void)data.read(512, &byte, 1);
  });
  EXPECT_EQ(failure.code, Errc::io);
  EXPECT_TRUE(failure.says("read at 512")) << failure.text;
}

TEST_F(DataFileOpen, FlushesItsDirectory) {
  make_file();
  DataFile data{path_, Access::read_write, false};
  EXPECT_FALSE(data.flush_name());
  static bool is_directory = false;
  system.fsync = [](int descriptor) {
    struct stat status = {};
    is_directory = ::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
    errno = EIO;
    return -1;
  };
  EXPECT_EQ(data.flush_name().value(), EIO);
  EXPECT_TRUE(is_directory);
}

}  // namespace
}  // namespace quire::storage
