// Standard output: buffered, checked, and aware of terminals.
#pragma once

#include <string>

#include "sink.h"

namespace kvtool {

// Thrown when whoever read the output has gone (`kvtool list ... | head`): a reason to stop, not to
// complain.
struct OutputClosed {};

// Whether a terminal is there that takes escape sequences.
bool is_screen(int descriptor);

// The same, and its user has not set NO_COLOR.
bool is_styled_terminal(int descriptor);

// Bytes on their way to a file descriptor. Throws OutputClosed, or Failure with the system's
// reason.
class Output final : public Sink {
 public:
  explicit Output(int descriptor);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(Bytes bytes) override;

  // Hands over what is buffered; nothing is written when an Output is destroyed.
  void flush();

  bool is_terminal() const { return is_terminal_; }

  // Whether that terminal can be cleared and drawn anew.
  bool is_screen() const { return kvtool::is_screen(descriptor_); }

  // The text as a terminal shows it emphasised; unchanged when the output is no terminal, or the
  // user has set NO_COLOR.
  std::string bold(const std::string& text) const { return styled("1", text); }
  std::string green(const std::string& text) const { return styled("32", text); }
  std::string red(const std::string& text) const { return styled("31", text); }

 private:
  std::string styled(const char* code, const std::string& text) const;
  void write_through(Bytes bytes);

  int descriptor_;
  bool is_terminal_;
  bool is_coloured_;
  std::string buffer_;
};

}  // namespace kvtool
