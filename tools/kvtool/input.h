// Reading files and standard input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "sink.h"

namespace kvtool {

// A file read from its beginning; the name "-" is standard input. Throws Failure: usage when it
// cannot be opened, refused when reading fails.
class Input {
 public:
  explicit Input(std::string name);

  // The next line without its line feed, valid until the next call; nothing at the end.
  std::optional<Bytes> next_line();

  // Everything that is left.
  std::string rest();

  std::uint64_t line_number() const { return line_number_; }
  std::uint64_t read_bytes() const { return read_bytes_; }

  // Nothing when it cannot be known beforehand (a pipe).
  std::optional<std::uint64_t> size_bytes() const;

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Freer {
    void operator()(char* memory) const;
  };

  [[noreturn]] void fail_reading(int error) const;

  std::string name_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::unique_ptr<char, Freer> line_;  // getline's buffer
  std::size_t line_capacity_ = 0;
  std::uint64_t line_number_ = 0;
  std::uint64_t read_bytes_ = 0;
};

}  // namespace kvtool
