// A child that can be killed after any number of its instructions.
#pragma once

#include <cstdint>

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "support/child.h"

namespace quire::test {

// In the child: asks to be stepped from here on.
inline bool begin_stepping() {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return false;
  ::raise(SIGSTOP);
  return true;
}

// In the child: steps end here, at the latest.
inline void end_stepping() { ::raise(SIGSTOP); }

// In the parent: lets the child run `steps` instructions from where it began, or up to where
// stepping ends, and returns how many it ran. The child then stands still.
inline std::uint64_t step(Child& child, std::uint64_t steps) {
  int status = 0;
  ::waitpid(child.pid(), &status, 0);
  for (std::uint64_t done = 0; done < steps; ++done) {
    if (::ptrace(PTRACE_SINGLESTEP, child.pid(), nullptr, nullptr) != 0) return done;
    ::waitpid(child.pid(), &status, 0);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) return done;
  }
  return steps;
}

}  // namespace quire::test
