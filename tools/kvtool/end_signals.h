// Commands that run until somebody ends them.
#pragma once

#include <array>
#include <csignal>

namespace kvtool {

// While it lives, signals that would end the process only ask for that, so that it leaves the file
// as every other command does. Those that the process ignores (nohup) stay ignored. One at a time.
class EndSignals {
 public:
  EndSignals();
  ~EndSignals();
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  // Since it has been there.
  static bool is_asked_to_end() noexcept;
  static void ask_to_end() noexcept;
  // For those who leave nothing behind when they throw: a Failure, once they are asked.
  static void require_none();

 private:
  static constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

  std::array<struct sigaction, kSignals.size()> before_ = {};
};

}  // namespace kvtool
