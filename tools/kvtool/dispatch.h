// From words to a command and its end.
#pragma once

#include <string>
#include <vector>

#include "command.h"

namespace kvtool {

// All commands, in the order of the help.
const std::vector<const Command*>& commands();

// Runs the command that the words say (without the program's name). Prints its output, and if need
// be one line of complaint on stderr.
ExitCode run_words(const std::vector<std::string>& words);

}  // namespace kvtool
