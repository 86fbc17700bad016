// The handler of SIGBUS: what it takes for itself, what it passes on, what a forked child has of
// it.
#include "storage/fault_guard.h"

#include <csignal>

#include "storage_test.h"

namespace quire::storage {
namespace {

volatile std::sig_atomic_t foreign_faults = 0;
Descriptor* short_file = nullptr;

// The program's own handler: makes the page be there, so that the fault does not come again.
void lengthen(int, siginfo_t*, void*) {
  foreign_faults = foreign_faults + 1;
  (void)!::ftruncate(short_file->get(), 1 << 20);
}

class FaultGuardTest : public StorageTest {
 protected:
  FaultGuardTest() : page_bytes_(system_page_bytes()) {
    make_file(16 * page_bytes_);
    file_ = open_file(path_, O_RDWR);
  }

  void cut(std::size_t pages) const {
    EXPECT_EQ(::ftruncate(file_.get(), static_cast<off_t>(pages * page_bytes_)), 0);
  }
  std::size_t page_bytes_;
  Descriptor file_;
};

TEST_F(FaultGuardTest, NotesTheFirstPageThatIsMissingAndShowsZeros) {
  test::run_in_child([&] {
    Mapping window;
    ASSERT_EQ(window.map(file_.get(), Mapping::Mode::read_write, 0, 16 * page_bytes_), 0);
    FaultGuard guard;
    guard.cover(window.base(), window.size_bytes());
    EXPECT_FALSE(guard.is_lost());
    cut(5);
    EXPECT_EQ(window.base()[4 * page_bytes_], byte_of('q'));
    EXPECT_FALSE(guard.is_lost());
    EXPECT_EQ(window.base()[7 * page_bytes_ + 9], std::byte{0});
    EXPECT_TRUE(guard.is_lost());
    EXPECT_EQ(guard.lost_offset(), 7 * page_bytes_);
    static_cast<volatile std::byte*>(window.base())[6 * page_bytes_] = std::byte{1};
    EXPECT_EQ(guard.lost_offset(), 7 * page_bytes_) << "the first one";
    EXPECT_EQ(window.base()[4 * page_bytes_], byte_of('q')) << "the others stay the file's";
  });
}

TEST_F(FaultGuardTest, TouchFindsEveryMissingPageOfSomeBytes) {
  test::run_in_child([&] {
    Mapping window;
    ASSERT_EQ(window.map(file_.get(), Mapping::Mode::read_only, 0, 16 * page_bytes_), 0);
    const char* bytes = reinterpret_cast<const char*>(window.base());
    FaultGuard guard;
    guard.cover(window.base(), window.size_bytes());
    cut(8);
    touch(bytes, 0);
    touch(bytes + 100, 8 * page_bytes_ - 100);
    EXPECT_FALSE(guard.is_lost());
    touch(bytes + 100, 8 * page_bytes_ - 99);
    EXPECT_TRUE(guard.is_lost());
  });
}

TEST_F(FaultGuardTest, OtherFaultsGoToTheHandlerBefore) {
  test::run_in_child([&] {
    short_file = &file_;
    struct sigaction own = {};
    own.sa_sigaction = lengthen;
    own.sa_flags = SA_SIGINFO;
    ASSERT_EQ(::sigaction(SIGBUS, &own, nullptr), 0);
    Mapping covered;
    Mapping foreign;
    ASSERT_EQ(covered.map(file_.get(), Mapping::Mode::read_only, 0, 16 * page_bytes_), 0);
    ASSERT_EQ(foreign.map(file_.get(), Mapping::Mode::read_only, 0, 16 * page_bytes_), 0);
    FaultGuard guard;
    guard.cover(covered.base(), covered.size_bytes());
    cut(1);
    (void)*static_cast<volatile std::byte*>(foreign.base() + 3 * page_bytes_);
    EXPECT_EQ(foreign_faults, 1);
    EXPECT_FALSE(guard.is_lost());
    cut(1);
    (void)*static_cast<volatile std::byte*>(covered.base() + 3 * page_bytes_);
    EXPECT_EQ(foreign_faults, 1);
    EXPECT_TRUE(guard.is_lost());
    ::raise(SIGBUS);
    EXPECT_EQ(foreign_faults, 2) << "a signal that somebody sends is not ours either";
  });
}

TEST_F(FaultGuardTest, FaultsOfNobodyEndTheProcessAsEver) {
  for (const bool is_sent : {false, true}) {
    test::Child child{[&](test::Link&) {
      std::signal(SIGBUS, SIG_DFL);
      Mapping covered;
      Mapping foreign;
      ASSERT_EQ(covered.map(file_.get(), Mapping::Mode::read_only, 0, 16 * page_bytes_), 0);
      ASSERT_EQ(foreign.map(file_.get(), Mapping::Mode::read_only, 0, 16 * page_bytes_), 0);
      FaultGuard guard;
      guard.cover(covered.base(), covered.size_bytes());
      cut(1);
      if (is_sent) ::raise(SIGBUS);
      (void)*static_cast<volatile std::byte*>(foreign.base() + 3 * page_bytes_);
    }};
    EXPECT_EQ(child.wait(), -SIGBUS);
  }
}

TEST_F(FaultGuardTest, EndsWithTheObject) {
  test::Child child{[&](test::Link& link) {
    std::signal(SIGBUS, SIG_DFL);
    Mapping window;
    ASSERT_EQ(window.map(file_.get(), Mapping::Mode::read_only, 0, 16 * page_bytes_), 0);
    for (int i = 0; i < 100; ++i) FaultGuard{}.cover(window.base(), window.size_bytes());
    cut(1);
    link.send(1);
    (void)*static_cast<volatile std::byte*>(window.base() + 3 * page_bytes_);
  }};
  EXPECT_EQ(child.receive(), 1u);
  EXPECT_EQ(child.wait(), -SIGBUS);
}

// Where the parent's window was, a child may map something else.
TEST_F(FaultGuardTest, AChildThatGaveUpItsWindowsDiesOfForeignFaults) {
  test::Child parent{[&](test::Link&) {
    std::signal(SIGBUS, SIG_DFL);
    Mapping window;
    ASSERT_EQ(window.map(file_.get(), Mapping::Mode::read_only, 0, 16 * page_bytes_), 0);
    FaultGuard guard;
    guard.cover(window.base(), window.size_bytes());
    test::Child child{[&](test::Link&) {
      guard.abandon_after_fork();
      void* foreign = ::mmap(window.base(), 16 * page_bytes_, PROT_READ, MAP_FIXED | MAP_SHARED,
                             file_.get(), 0);
      ASSERT_EQ(foreign, static_cast<void*>(window.base()));
      cut(1);
      (void)*static_cast<volatile std::byte*>(window.base() + 3 * page_bytes_);
    }};
    EXPECT_EQ(child.wait(), -SIGBUS);
    (void)*static_cast<volatile std::byte*>(window.base() + 3 * page_bytes_);
    EXPECT_TRUE(guard.is_lost());
  }};
  EXPECT_EQ(parent.wait(), 0);
}

}  // namespace
}  // namespace quire::storage
