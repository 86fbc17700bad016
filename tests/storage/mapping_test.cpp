// The two windows: how large, how they see each other, what a forked child sees of them.
#include <csignal>
#include <sstream>

#include <sys/resource.h>

#include "storage/byte_lock.h"
#include "storage_test.h"

namespace quire::storage {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// One line of /proc/self/smaps and its flags.
struct Window {
  std::uint64_t first = 0;
  std::uint64_t size_bytes = 0;
  std::string permissions;
  std::string flags;

  bool has(const std::string& flag) const { return flags.find(" " + flag + " ") != flags.npos; }
};

std::vector<Window> windows_on(const std::filesystem::path& path) {
  std::vector<Window> found;
  std::ifstream maps{"/proc/self/smaps"};
  bool is_ours = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ') && line.find(':') > line.find(' ')) {
      is_ours = line.ends_with(path.string());
      if (!is_ours) continue;
      Window window;
      char dash = 0;
      std::uint64_t limit = 0;
      std::istringstream fields{line};
      fields >> std::hex >> window.first >> dash >> limit >> window.permissions;
      window.size_bytes = limit - window.first;
      found.push_back(window);
    } else if (is_ours && line.starts_with("VmFlags:")) {
      found.back().flags = line + " ";
    }
  }
  return found;
}

class DataFileMap : public StorageOnEachTest {
 protected:
  DataFileMap() {
    make_file();
    data_.emplace(path_, Access::read_write, false);
  }

  // Each window is still one piece: flushes and advice go by pieces.
  void expect_whole_windows() const {
    const std::vector<Window> windows = windows_on(path_);
    ASSERT_EQ(windows.size(), kSingleMapping ? 1U : 2U);
    for (const Window& window : windows) {
      EXPECT_EQ(window.size_bytes, data_->reserved_bytes());
      const bool is_writing = window.first == reinterpret_cast<std::uintptr_t>(data_->write_base());
      EXPECT_EQ(window.permissions, is_writing ? "rw-s" : "r--s");
      EXPECT_EQ(window.has("rr"), is_writing) << "MADV_RANDOM";
      EXPECT_TRUE(window.has("dc")) << "MADV_DONTFORK";
    }
  }

  std::optional<DataFile> data_;
};

TEST_P(DataFileMap, ReservesFarMoreThanTheFileHas) {
  data_->map(0);
  EXPECT_GE(data_->reserved_bytes(), 64 * kGiB);
  EXPECT_EQ(data_->size_bytes(), kFileBytes);
  expect_whole_windows();
}

TEST_P(DataFileMap, ReservesWhatIsAskedForButAtLeastTheFile) {
  data_->map(kGiB);
  EXPECT_EQ(data_->reserved_bytes(), kGiB);
  DataFile small{path_, Access::read_write, false};
  small.map(1);
  EXPECT_EQ(small.reserved_bytes(), kFileBytes);
}

TEST_P(DataFileMap, ImpossibleReserveIsHalvedUntilItFits) {
  data_->map(~std::uint64_t{0});
  EXPECT_GE(data_->reserved_bytes(), 64 * kGiB);
  expect_whole_windows();
}

TEST_P(DataFileMap, LimitOfAddressSpaceHalvesIt) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs more addresses than the limit";
  test::run_in_child([&] {
    const struct rlimit limit = {8 * kGiB, 8 * kGiB};
    ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
    data_->map(0);
    EXPECT_GE(data_->reserved_bytes(), kGiB);
    EXPECT_LE(data_->reserved_bytes(), 4 * kGiB);
    EXPECT_EQ(data_->read_base()[0], byte_of('q'));
  });
}

TEST_P(DataFileMap, FileBeyondTheLimitOfAddressSpaceIsAnError) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs more addresses than the limit";
  std::filesystem::resize_file(path_, 16 * kGiB);
  test::run_in_child([&] {
    const struct rlimit limit = {8 * kGiB, 8 * kGiB};
    ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
    const Failure failure = failure_of([&] { data_->map(0); });
    EXPECT_EQ(failure.code, Errc::no_space);
    EXPECT_TRUE(failure.says("no address space for 17179869184 bytes")) << failure.text;
    EXPECT_TRUE(windows_on(path_).empty());
  });
}

TEST_P(DataFileMap, StoresAreSeenThroughBothWindowsAndByOthers) {
  data_->map(0);
  DataFile other{path_, Access::read_only, false};
  other.map(0);
  data_->write_base()[5000] = byte_of('x');
  EXPECT_EQ(data_->read_base()[5000], byte_of('x'));
  EXPECT_EQ(other.read_base()[5000], byte_of('x'));
  EXPECT_EQ(data_->read_base() == data_->write_base(), kSingleMapping);
}

TEST_P(DataFileMap, ReadingWindowCannotBeWritten) {
  if (kSingleMapping) GTEST_SKIP() << "one mapping for both";
  data_->map(0);
  test::Child child{[&](test::Link&) {
    ::signal(SIGSEGV, SIG_DFL);
    DataFile own{path_, Access::read_write, false};
    own.map(0);
    *const_cast<volatile std::byte*>(own.read_base()) = byte_of('x');
  }};
  EXPECT_EQ(child.wait(), -SIGSEGV);
}

TEST_P(DataFileMap, StaysOnePieceWhateverIsDone) {
  data_->map(0);
  data_->write_base()[0] = byte_of('x');
  EXPECT_FALSE(data_->flush_log(0, 1));
  EXPECT_FALSE(data_->grow(4 * kFileBytes));
  data_->write_zeros(kFileBytes, kFileBytes);
  EXPECT_FALSE(data_->flush_pages(kFileBytes, kFileBytes));
  EXPECT_FALSE(data_->flush_all());
  expect_whole_windows();
}

TEST_P(DataFileMap, APrivateViewChangesNothingOfTheFile) {
  const std::string before = read_file(path_);
  DataFile own{path_, Access::private_view, false};
  own.map(0);
  EXPECT_TRUE(own.is_private());
  own.write_base()[5000] = byte_of('x');
  EXPECT_FALSE(own.grow(4 * kFileBytes));
  EXPECT_EQ(own.size_bytes(), 4 * kFileBytes);
  EXPECT_EQ(own.read_base()[4 * kFileBytes - 1], byte_of('\0'));
  own.write_base()[4 * kFileBytes - 1] = byte_of('y');
  own.write_zeros(0, 4096);
  EXPECT_FALSE(own.flush_log(0, 4096));
  EXPECT_FALSE(own.flush_pages(4096, 8192));
  EXPECT_FALSE(own.flush_all());
  EXPECT_EQ(own.read_base()[5000], byte_of('x'));
  EXPECT_EQ(own.read_base()[4 * kFileBytes - 1], byte_of('y'));
  EXPECT_EQ(own.read_base()[0], byte_of('\0'));
  EXPECT_EQ(read_file(path_), before);
}

TEST_P(DataFileMap, APrivateViewShowsTheFileWhereNothingWasStored) {
  data_->map(0);
  DataFile own{path_, Access::private_view, false};
  own.map(0);
  own.write_base()[0] = byte_of('x');
  data_->write_base()[0] = byte_of('o');
  data_->write_base()[8192] = byte_of('o');
  EXPECT_EQ(own.read_base()[0], byte_of('x'));
  EXPECT_EQ(own.read_base()[8192], byte_of('o'));
}

TEST_P(DataFileMap, APrivateViewOfAFileThatWasCutEndsWhereItEndsNow) {
  DataFile own{path_, Access::private_view, false};
  EXPECT_TRUE(data_->shrink(kFileBytes / 2));
  own.limit_view(kFileBytes);
  own.map(0);
  EXPECT_EQ(own.size_bytes(), kFileBytes / 2);
  EXPECT_FALSE(own.grow(kFileBytes));
  own.write_base()[kFileBytes / 2] = byte_of('x');  // memory, or SIGBUS
  EXPECT_EQ(own.read_base()[kFileBytes / 2], byte_of('x'));
}

TEST_P(DataFileMap, APrivateViewOfAFileThatIsAboutToBeCutEndsWhereItWill) {
  DataFile own{path_, Access::private_view, false};
  own.limit_view(kFileBytes / 2);
  own.map(0);
  EXPECT_TRUE(data_->shrink(kFileBytes / 2));
  EXPECT_EQ(own.size_bytes(), kFileBytes / 2);
  own.write_base()[kFileBytes - 1] = byte_of('x');
  EXPECT_EQ(own.read_base()[kFileBytes - 1], byte_of('x'));
}

TEST_P(DataFileMap, ForkedChildDoesNotHaveIt) {
  data_->map(0);
  const std::byte* const bases[] = {data_->read_base(), data_->write_base()};
  for (const std::byte* base : bases) {
    test::Child child{[&](test::Link&) {
      ::signal(SIGSEGV, SIG_DFL);
      const std::byte first = *const_cast<const volatile std::byte*>(base);
      std::printf("read %d\n", static_cast<int>(first));
    }};
    EXPECT_EQ(child.wait(), -SIGSEGV);
  }
}

TEST_P(DataFileMap, ForkedChildAbandonsWithoutTouchingAnything) {
  data_->map(0);
  lock_byte(data_->lock_descriptor(), 7, LockMode::exclusive);
  test::run_in_child([&] {
    // Something of the child's own where the window stood.
    std::byte* base = data_->write_base();
    ASSERT_EQ(::mmap(base, 4096, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              base);
    base[0] = byte_of('c');
    data_->abandon_after_fork();
    EXPECT_EQ(data_->read_base(), nullptr);
    EXPECT_EQ(data_->write_base(), nullptr);
    EXPECT_EQ(data_->lock_descriptor(), -1);
    data_.reset();
    EXPECT_EQ(base[0], byte_of('c'));

    DataFile own{path_, Access::read_write, false};
    own.map(0);
    EXPECT_EQ(own.read_base()[0], byte_of('q'));
    EXPECT_TRUE(is_byte_locked(own.lock_descriptor(), 7, LockMode::exclusive));
  });
  EXPECT_EQ(data_->read_base()[0], byte_of('q'));
  DataFile other{path_, Access::read_write, false};
  EXPECT_TRUE(is_byte_locked(other.lock_descriptor(), 7, LockMode::exclusive));
  data_.reset();
  EXPECT_FALSE(is_byte_locked(other.lock_descriptor(), 7, LockMode::exclusive));
}

TEST_P(DataFileMap, RefusesToRunWithoutDontfork) {
  system.madvise = [](void*, size_t, int) {
    errno = EINVAL;
    return -1;
  };
  EXPECT_EQ(failure_of([&] { data_->map(0); }).code, Errc::io);
  EXPECT_TRUE(windows_on(path_).empty());
}

QUIRE_ON_EACH_FILESYSTEM(DataFileMap);

}  // namespace
}  // namespace quire::storage
