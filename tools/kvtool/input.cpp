#include "input.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "failure.h"

namespace kvtool {

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

void Input::Freer::operator()(char* memory) const { std::free(memory); }

Input::Input(std::string name) : name_(std::move(name)) {
  file_.reset(name_ == "-" ? stdin : std::fopen(name_.c_str(), "re"));
  if (!file_) {
    throw Failure(ExitCode::usage, "cannot open " + name_ + ": " + reason(errno));
  }
}

std::optional<Bytes> Input::next_line() {
  char* line = line_.release();  // getline may move it
  errno = 0;
  const ssize_t length = ::getline(&line, &line_capacity_, file_.get());
  const int error = errno;
  line_.reset(line);
  if (length < 0) {
    if (std::feof(file_.get()) == 0) {
      fail_reading(error);
    }
    return std::nullopt;
  }
  ++line_number_;
  read_bytes_ += static_cast<std::uint64_t>(length);
  Bytes text(line, static_cast<std::size_t>(length));
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  return text;
}

std::string Input::rest() {
  constexpr std::size_t kPartBytes = std::size_t{1} << 20;
  std::string all;
  all.reserve(size_bytes().value_or(0) + kPartBytes);
  for (;;) {
    const std::size_t before = all.size();
    all.resize(before + kPartBytes);
    const std::size_t count = std::fread(all.data() + before, 1, kPartBytes, file_.get());
    all.resize(before + count);
    if (count < kPartBytes) {
      if (std::ferror(file_.get()) != 0) {
        fail_reading(errno);
      }
      return all;
    }
  }
}

std::optional<std::uint64_t> Input::size_bytes() const {
  struct stat status {};
  if (::fstat(::fileno(file_.get()), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(status.st_size);
}

void Input::fail_reading(int error) const {
  throw Failure(ExitCode::refused,
                "cannot read " + (name_ == "-" ? "standard input" : name_) + ": " + reason(error));
}

}  // namespace kvtool
