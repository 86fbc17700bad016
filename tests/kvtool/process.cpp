#include "kvtool/process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace quire::test {

namespace {

int checked(int result, const char* call) {
  if (result < 0) {
    throw std::system_error(errno, std::generic_category(), call);
  }
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int number() const { return number_; }
  void close() {
    if (number_ >= 0) {
      ::close(number_);
    }
    number_ = -1;
  }

 private:
  int number_;
};

// A file without a name, in memory.
int memory_file() { return checked(::memfd_create("standard stream", MFD_CLOEXEC), "memfd"); }

int file_with(const std::string& bytes) {
  const int file = memory_file();
  for (std::size_t at = 0; at < bytes.size();) {
    at += static_cast<std::size_t>(
        checked(static_cast<int>(::write(file, bytes.data() + at,
                                         std::min<std::size_t>(bytes.size() - at, 1 << 24))),
                "write"));
  }
  checked(static_cast<int>(::lseek(file, 0, SEEK_SET)), "lseek");
  return file;
}

// Up to the end; a terminal that its last writer has closed says EIO.
std::string read_all(int file) {
  std::string bytes;
  std::array<char, 65536> part;
  for (;;) {
    const ssize_t count = ::read(file, part.data(), part.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return bytes;
    }
    bytes.append(part.data(), static_cast<std::size_t>(count));
  }
}

std::string content_of(int file) {
  checked(static_cast<int>(::lseek(file, 0, SEEK_SET)), "lseek");
  return read_all(file);
}

constexpr int kCannotRun = 126;
constexpr unsigned kSecondsMax = 240;

// The child's side: becomes the program.
[[noreturn]] void become(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& environment, int in, int out, int err) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(kSecondsMax);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  for (const std::string& variable : environment) {
    ::putenv(const_cast<char*>(variable.c_str()));
  }
  if (::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 &&
      ::dup2(err, STDERR_FILENO) >= 0) {
    ::execv(pointers[0], pointers.data());
  }
  ::_exit(kCannotRun);
}

pid_t start(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
            int in, int out, int err) {
  const pid_t child = checked(::fork(), "fork");
  if (child == 0) {
    become(arguments, environment, in, out, err);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

Finished run(const std::vector<std::string>& arguments, const std::string& input) {
  const Descriptor in(file_with(input));
  const Descriptor out(memory_file());
  const Descriptor err(memory_file());
  Finished finished;
  finished.exit_code = wait_for(start(arguments, {}, in.number(), out.number(), err.number()));
  finished.out = content_of(out.number());
  finished.err = content_of(err.number());
  return finished;
}

Finished run_unread(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends;
  checked(::pipe2(ends.data(), O_CLOEXEC), "pipe");
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  read_end.close();
  const Descriptor in(file_with({}));
  const Descriptor err(memory_file());
  Finished finished;
  finished.exit_code =
      wait_for(start(arguments, {}, in.number(), write_end.number(), err.number()));
  finished.err = content_of(err.number());
  return finished;
}

Finished run_on_terminal(const std::vector<std::string>& arguments, const std::string& input,
                         const std::vector<std::string>& environment) {
  int ours = -1;
  int theirs = -1;
  checked(::openpty(&ours, &theirs, nullptr, nullptr, nullptr), "openpty");
  const Descriptor terminal(ours);
  Descriptor child_end(theirs);
  ::fcntl(ours, F_SETFD, FD_CLOEXEC);
  const Descriptor in(file_with(input));
  const pid_t child = start(arguments, environment, in.number(), theirs, theirs);
  child_end.close();
  Finished finished;
  finished.out = read_all(terminal.number());
  finished.exit_code = wait_for(child);
  return finished;
}

TerminalSession::TerminalSession(const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& environment) {
  winsize size = {};
  size.ws_row = 50;
  size.ws_col = 200;
  int theirs = -1;
  checked(::openpty(&terminal_, &theirs, nullptr, nullptr, &size), "openpty");
  const Descriptor child_end(theirs);
  ::fcntl(terminal_, F_SETFD, FD_CLOEXEC);
  child_ = start(arguments, environment, theirs, theirs, theirs);
}

TerminalSession::~TerminalSession() {
  if (child_ != 0) {
    ::kill(child_, SIGKILL);
    wait_for(child_);
  }
  ::close(terminal_);
}

void TerminalSession::type(const std::string& keys) {
  constexpr int kPatienceMs = 120'000;
  termios mode = {};
  for (int waited_ms = 0; waited_ms < kPatienceMs; ++waited_ms) {
    checked(::tcgetattr(terminal_, &mode), "tcgetattr");
    if ((mode.c_lflag & ICANON) == 0) break;
    ::usleep(1000);
  }
  checked(static_cast<int>(::write(terminal_, keys.data(), keys.size())), "write");
}

bool TerminalSession::shows(const std::string& text) {
  for (;;) {
    const std::size_t at = screen_.find(text, found_bytes_);
    if (at != std::string::npos) {
      found_bytes_ = at + text.size();
      return true;
    }
    if (!read_on()) return false;
  }
}

int TerminalSession::end() {
  while (read_on()) {
  }
  const int code = wait_for(child_);
  child_ = 0;
  return code;
}

// False at the end, which a terminal that its last user has closed tells by EIO.
bool TerminalSession::read_on() {
  constexpr int kPatienceMs = 120'000;
  pollfd waiting = {.fd = terminal_, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, kPatienceMs) <= 0) return false;
  std::array<char, 4096> part;
  const ssize_t count = ::read(terminal_, part.data(), part.size());
  if (count <= 0) return false;
  screen_.append(part.data(), static_cast<std::size_t>(count));
  return true;
}

}  // namespace quire::test
