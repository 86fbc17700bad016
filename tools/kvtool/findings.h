// What check, doctor and salvage find, for people and for programs.
#pragma once

#include <quire/inspect.h>

#include <cstdint>
#include <string>
#include <vector>

#include "failure.h"
#include "json.h"
#include "output.h"

namespace kvtool {

// A line for each, and one for those that were counted but not kept.
void write_faults(Output& output, const std::string& label, const std::vector<quire::Fault>& faults,
                  std::uint64_t fault_count);

// "page", "reason", and where the fault touches keys "table", "first_key" and "limit_key".
Json faults_json(const std::vector<quire::Fault>& faults);

// Writes the report and returns the verdict, also when nobody reads it.
template <typename Write>
ExitCode deliver(Output& output, ExitCode verdict, const Write& write) {
  try {
    write();
    output.flush();
  } catch (const OutputClosed&) {
    // The exit code tells it all the same.
  }
  return verdict;
}

}  // namespace kvtool
