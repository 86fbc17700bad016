// What a hostile file may lead to: success or an `Error`. Everything else ends the process, which
// is what a fuzzer calls a finding.
#pragma once

#include <quire/error.h>
#include <quire/inspect.h>

#include <exception>
#include <string>
#include <utility>

namespace quire::fuzz {

// Ends the process with these words.
[[noreturn]] void finding(const std::string& what);

// An error that a hostile file may cause: Errc::corrupt names a page, a log position or the meta,
// and gives a reason.
void judge(const Error& error);

// Of check().
void judge(const CheckReport& report);

// Runs `step`. True when it succeeded, false when it threw an error that it may throw.
template <typename Step>
bool allowed(Step&& step) {
  try {
    std::forward<Step>(step)();
    return true;
  } catch (const Error& error) {
    judge(error);
  } catch (const std::exception& error) {
    finding(std::string("an exception that is no quire::Error: ") + error.what());
  }
  return false;
}

}  // namespace quire::fuzz
