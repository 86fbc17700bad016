// How a command ends, and how it says so.
#pragma once

#include <quire/error.h>

#include <stdexcept>
#include <string>

namespace kvtool {

enum class ExitCode : int {
  done = 0,
  negative = 1,  // no such key or table; the check found damage
  usage = 2,     // the command line or the input is wrong
  refused = 3    // the store, or the system, would not do it
};

// Ends the command: main prints the text as one line on stderr and exits with the code.
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

// What the store says, without the name of the code that std::system_error puts behind it.
std::string reason_of(const quire::Error& error);

}  // namespace kvtool
