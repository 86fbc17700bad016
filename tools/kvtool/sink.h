// Where text goes: to a file descriptor (output.h) or into a string.
#pragma once

#include <quire/options.h>

#include <string>

namespace kvtool {

using quire::Bytes;

class Sink {
 public:
  virtual void write(Bytes bytes) = 0;

 protected:
  ~Sink() = default;
};

class StringSink final : public Sink {
 public:
  void write(Bytes bytes) override { text_ += bytes; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace kvtool
