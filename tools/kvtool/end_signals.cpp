#include "end_signals.h"

#include "failure.h"

namespace kvtool {

namespace {

volatile std::sig_atomic_t is_asked = 0;

}  // namespace

EndSignals::EndSignals() {
  is_asked = 0;
  struct sigaction action = {};
  action.sa_handler = [](int) { is_asked = 1; };
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

EndSignals::~EndSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
}

bool EndSignals::is_asked_to_end() noexcept { return is_asked != 0; }

void EndSignals::ask_to_end() noexcept { is_asked = 1; }

void EndSignals::require_none() {
  if (is_asked_to_end()) throw Failure(ExitCode::refused, "ended by a signal");
}

}  // namespace kvtool
