#include "key_range.h"

#include <algorithm>

#include "key_argument.h"

namespace kvtool {

namespace {

// The first key behind all that begin with `prefix`; nothing when there is none.
std::optional<std::string> end_of_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') {
    prefix.pop_back();
  }
  if (prefix.empty()) {
    return std::nullopt;
  }
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace

void add_key_range(CLI::App& command, KeyRange& range) {
  const auto add = [&](const char* name, std::optional<std::string>& bound, const char* what) {
    command
        .add_option_function<std::string>(
            name, [&bound](const std::string& key) { bound = key; }, what)
        ->type_name("KEY");
  };
  add("--prefix", range.prefix, "Only keys that begin so");
  add("--from", range.from, "Only this key and those behind it");
  add("--to", range.to, "Only keys before this one");
}

KeyBounds bounds_of(const KeyRange& range, bool is_hex) {
  const std::string prefix = argument_bytes(range.prefix.value_or(""), is_hex);
  KeyBounds bounds;
  bounds.first = std::max(argument_bytes(range.from.value_or(""), is_hex), prefix);
  bounds.limit = end_of_prefix(prefix);
  if (range.to) {
    const std::string to = argument_bytes(*range.to, is_hex);
    if (!bounds.limit || to < *bounds.limit) bounds.limit = to;
  }
  return bounds;
}

}  // namespace kvtool
