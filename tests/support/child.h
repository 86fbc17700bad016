// Child processes of a test: forked, bounded in time, killed with the test.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quire::test {

// Two pipes, one each way, that carry numbers.
class Link {
 public:
  Link(int in, int out) noexcept : in_(in), out_(out) {}
  Link(Link&& other) noexcept
      : in_(std::exchange(other.in_, -1)), out_(std::exchange(other.out_, -1)) {}
  Link& operator=(Link&&) = delete;
  ~Link() {
    if (in_ >= 0) ::close(in_);
    if (out_ >= 0) ::close(out_);
  }

  // False when nobody reads any more.
  bool send(std::uint64_t number) noexcept {
    return ::write(out_, &number, sizeof number) == sizeof number;
  }

  // Waits; nothing when the other side is gone.
  std::optional<std::uint64_t> receive() noexcept {
    std::uint64_t number = 0;
    ssize_t got = 0;
    do {
      got = ::read(in_, &number, sizeof number);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof number) return std::nullopt;
    return number;
  }

 private:
  int in_;
  int out_;
};

inline constexpr unsigned kChildSecondsMax = 240;
inline constexpr int kSkippedCode = 77;

// Expectations that have failed so far in the running test.
inline int failure_count() {
  const ::testing::TestResult& result =
      *::testing::UnitTest::GetInstance()->current_test_info()->result();
  int failed = 0;
  for (int i = 0; i < result.total_part_count(); ++i) {
    failed += result.GetTestPartResult(i).failed() ? 1 : 0;
  }
  return failed;
}

// Runs `body(link)` in a forked child. GoogleTest's expectations work there: the exit code tells
// whether all held.
class Child {
 public:
  template <typename Body>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): no body is a Child
  explicit Child(Body&& body) : Child(make_pipe(), make_pipe(), std::forward<Body>(body)) {}
  Child(Child&& other) noexcept
      : link_(std::move(other.link_)), pid_(std::exchange(other.pid_, -1)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { kill(); }

  pid_t pid() const noexcept { return pid_; }
  Link& link() noexcept { return link_; }
  bool send(std::uint64_t number) noexcept { return link_.send(number); }
  std::optional<std::uint64_t> receive() noexcept { return link_.receive(); }

  // SIGKILL, and waits for the end.
  void kill() noexcept {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  // Waits for the end. Exit code (0: every expectation held), or minus the signal that ended it.
  int wait() noexcept {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  struct Pipe {
    int read_end;
    int write_end;
  };

  static Pipe make_pipe() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    return {ends[0], ends[1]};
  }

  template <typename Body>
  Child(Pipe down, Pipe up, Body&& body) : link_(up.read_end, down.write_end) {
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      ::close(up.read_end);
      ::close(down.write_end);
      run(Link{down.read_end, up.write_end}, body);
    }
    ::close(down.read_end);
    ::close(up.write_end);
  }

  template <typename Body>
  [[noreturn]] static void run(Link link, Body& body) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    ::alarm(kChildSecondsMax);
    const int failures_of_parent = failure_count();
    int code = 0;
    try {
      body(link);
      code = failure_count() > failures_of_parent ? 1
             : ::testing::Test::IsSkipped()       ? kSkippedCode
                                                  : 0;
    } catch (const std::exception& error) {
      std::printf("child %d: %s\n", static_cast<int>(::getpid()), error.what());
      code = 2;
    }
    std::fflush(nullptr);
    ::_exit(code);
  }

  Link link_;
  pid_t pid_ = -1;
};

// Runs the body in a child to its end; its failures become the test's, its skip the test's skip.
template <typename Body>
void run_in_child(Body&& body) {
  Child child{[&](Link&) { body(); }};
  const int code = child.wait();
  if (code == kSkippedCode) GTEST_SKIP() << "see above";
  EXPECT_EQ(code, 0) << "exit code of the child, or minus its signal";
}

}  // namespace quire::test
