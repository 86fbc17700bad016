// A stretch of keys, as separators leave it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quire::btree {

// Keys that may stand below a pointer: low <= key < high. Nothing means no limit.
struct KeyRange {
  std::optional<std::string> low;
  std::optional<std::string> high;

  bool contains(std::string_view key) const noexcept {
    return !(low && key < *low) && !(high && key >= *high);
  }
};

// The range that holds this key and no other: between a key and the key with a zero byte behind it
// there is none.
inline KeyRange only(std::string_view key) {
  return {std::string(key), std::string(key) + std::string(1, '\0')};
}

}  // namespace quire::btree
