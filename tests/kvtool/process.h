// Running a program the way a shell does, and looking at what it did.
#pragma once

#include <string>
#include <vector>

namespace quire::test {

struct Finished {
  int exit_code = 0;  // or minus the signal that ended it
  std::string out;
  std::string err;
};

// Runs `arguments[0]` to its end with `input` as standard input. Neither size matters: nothing
// blocks.
Finished run(const std::vector<std::string>& arguments, const std::string& input = {});

// The same with a standard output that nobody reads any more.
Finished run_unread(const std::vector<std::string>& arguments);

// The same with a terminal as standard output and error, whose text is in `out`; its line feeds
// arrive as \r\n.
Finished run_on_terminal(const std::vector<std::string>& arguments, const std::string& input = {},
                         const std::vector<std::string>& environment = {});

// A program at a terminal of its own that the test types at. Killed when it outlives the object.
class TerminalSession {
 public:
  TerminalSession(const std::vector<std::string>& arguments,
                  const std::vector<std::string>& environment);
  TerminalSession(const TerminalSession&) = delete;
  TerminalSession& operator=(const TerminalSession&) = delete;
  ~TerminalSession();

  // Once the program has taken the terminal out of line mode, as an editor of lines does: what is
  // typed before, the system would take for its own.
  void type(const std::string& keys);

  // Waits until the text comes behind what earlier calls have found. False when the program ends
  // before, or shows nothing for two minutes.
  bool shows(const std::string& text);

  // Waits for its end; its exit code, or minus the signal that ended it.
  int end();

  // All that it has shown, for complaints.
  const std::string& screen() const { return screen_; }

 private:
  bool read_on();

  int terminal_;
  int child_;
  std::string screen_;
  std::size_t found_bytes_ = 0;
};

}  // namespace quire::test
