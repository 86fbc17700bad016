// A program that maps the same file and writes into it what an input says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "fuzz/session.h"

namespace quire::fuzz {

class HostileWriter {
 public:
  explicit HostileWriter(const std::filesystem::path& path) : path_(path) {}

  // Takes one edit from the program: done at once, or at one of the flushes to come.
  void read(Program& program);

  void at_flush();

 private:
  struct Edit {
    std::uint32_t flushes_left;
    std::uint32_t kind;
    std::uint32_t page;
    std::uint32_t other_page;
    std::uint32_t offset;
    std::uint64_t number;
  };
  void apply(const Edit& edit) const;

  std::filesystem::path path_;
  std::vector<Edit> pending_;
};

}  // namespace quire::fuzz
