#include "output.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <unistd.h>

#include "failure.h"

namespace kvtool {

namespace {

constexpr std::size_t kBufferBytes = 65536;

}  // namespace

bool is_screen(int descriptor) {
  const char* terminal = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && terminal != nullptr && Bytes(terminal) != "dumb";
}

bool is_styled_terminal(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return is_screen(descriptor) && (no_colour == nullptr || *no_colour == '\0');
}

Output::Output(int descriptor)
    : descriptor_(descriptor),
      is_terminal_(::isatty(descriptor) == 1),
      is_coloured_(is_styled_terminal(descriptor)) {
  buffer_.reserve(kBufferBytes);
}

void Output::write(Bytes bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    flush();
  }
  if (bytes.size() > kBufferBytes) {
    write_through(bytes);
  } else {
    buffer_ += bytes;
  }
}

void Output::flush() {
  // Emptied first: bytes that could not be written are not tried again.
  std::string pending;
  pending.swap(buffer_);
  write_through(pending);
  pending.clear();
  buffer_.swap(pending);
}

void Output::write_through(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw OutputClosed{};
    } else if (errno != EINTR) {
      throw Failure(ExitCode::refused,
                    "cannot write the output: " + std::generic_category().message(errno));
    }
  }
}

std::string Output::styled(const char* code, const std::string& text) const {
  return is_coloured_ ? std::string("\033[") + code + "m" + text + "\033[0m" : text;
}

}  // namespace kvtool
