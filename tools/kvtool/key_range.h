// The part of the command line that says which keys: those that begin so, or from one to another.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

namespace kvtool {

struct KeyRange {
  std::optional<std::string> prefix;
  std::optional<std::string> from;
  std::optional<std::string> to;

  bool is_given() const { return prefix || from || to; }
};

// Keys with first <= key < limit; nothing: no limit.
struct KeyBounds {
  std::string first;
  std::optional<std::string> limit;
};

void add_key_range(CLI::App& command, KeyRange& range);

// What all parts of the range have in common. Throws Failure (usage) for bad hexadecimal.
KeyBounds bounds_of(const KeyRange& range, bool is_hex);

}  // namespace kvtool
