// Processes in PID namespaces of their own, as containers have them: each is process 1 there, with
// thread 1, and sees nobody else.
#pragma once

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/child.h"

namespace quire::test {

// The child is the first process of a new PID namespace; `pid()` is its number here. Requires
// `with_containers`.
template <typename Body>
Child container(Body&& body) {
  const int own = ::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(::unshare(CLONE_NEWPID), 0);
  Child child{[&](Link& link) {
    EXPECT_EQ(::getpid(), 1);
    EXPECT_EQ(::gettid(), 1);
    body(link);
  }};
  EXPECT_EQ(::setns(own, CLONE_NEWPID), 0);
  ::close(own);
  return child;
}

// Runs the body in a process that may make containers, with a /proc that knows them; skips, saying
// so, where the kernel refuses that.
template <typename Body>
void with_containers(Body&& body) {
  run_in_child([&] {
    const int flags = CLONE_NEWPID | CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
    if (::unshare(flags) != 0) GTEST_SKIP() << "the kernel refuses PID namespaces to this user";
    run_in_child([&] {
      if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("proc", "/proc", "proc", 0, nullptr) != 0) {
        GTEST_SKIP() << "the kernel refuses a /proc of one's own";
      }
      body();
    });
  });
}

// The letter that /proc shows; 0 when the process is gone.
inline char state_of(pid_t pid) {
  std::string line;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), line);
  const std::size_t state = line.rfind(") ");
  return state == std::string::npos ? '\0' : line[state + 2];
}

// True when the process waits for something.
inline bool is_asleep(pid_t pid) { return state_of(pid) == 'S'; }

// True when a child has ended and was not waited for yet.
inline bool has_ended(pid_t pid) { return state_of(pid) == 'Z'; }

}  // namespace quire::test
