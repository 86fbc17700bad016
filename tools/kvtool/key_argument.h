// Keys and values on the command line: text as it is, or hexadecimal with --hex.
#pragma once

#include <string>

#include "text.h"

namespace kvtool {

inline std::string argument_bytes(const std::string& argument, bool is_hex) {
  std::string bytes = argument;
  if (is_hex) {
    decode_hex(argument, bytes);
  }
  return bytes;
}

}  // namespace kvtool
