// Small file systems for tests: mounted in a private mount namespace of a child process, gone with
// it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/child.h"

namespace quire::test {

// Gives this process mounts that nobody else sees. False when the system refuses.
inline bool make_mounts_private() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Mounts a tmpfs of that size at a new directory.
inline bool mount_tmpfs(const std::filesystem::path& at, const std::string& size) {
  std::filesystem::create_directory(at);
  return ::mount("tmpfs", at.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
}

inline bool run_command(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

// Makes an ext4 of that size in a file and mounts it through a loop device at a new directory.
inline bool mount_ext4(const std::filesystem::path& at, const std::string& size) {
  std::filesystem::create_directory(at);
  const std::string image = at.string() + ".image";
  return run_command("truncate -s " + size + " " + image) &&
         run_command("PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -m 0 " + image) &&
         run_command("mount -o loop " + image + " " + at.string());
}

// Runs the body in a child with private mounts; skips, saying so, where that is refused.
template <typename Body>
void with_private_mounts(Body&& body) {
  run_in_child([&] {
    if (!make_mounts_private()) GTEST_SKIP() << "no private mount namespace (needs root)";
    body();
  });
}

}  // namespace quire::test
