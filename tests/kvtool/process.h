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

}  // namespace quire::test
