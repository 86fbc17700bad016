// What options that take numbers refuse. Any thread.
#pragma once

#include <CLI/CLI.hpp>

namespace kvtool {

// For `check`: texts that are not numbers are refused as well.
CLI::Validator above_zero();
CLI::Validator not_below_zero();

}  // namespace kvtool
