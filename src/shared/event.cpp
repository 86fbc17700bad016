#include "shared/event.h"

#include <cerrno>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/test_points.h"

namespace quire::shared {
namespace {

constexpr std::uint32_t kSomebodySleeps = 1;
constexpr std::uint32_t kOneSignal = 2;

}  // namespace

std::uint32_t event_count(const EventWord& word) noexcept { return word.load() & ~kSomebodySleeps; }

bool event_wait(EventWord& word, std::uint32_t seen, std::chrono::microseconds limit) noexcept {
  std::uint32_t current = seen;
  if (!word.compare_exchange_strong(current, seen | kSomebodySleeps) &&
      current != (seen | kSomebodySleeps))
    return true;
  crash_point("event: sleep marked");
  constexpr long kNanosPerMicro = 1000;
  constexpr long kMicrosPerSecond = 1'000'000;
  const timespec timeout{limit.count() / kMicrosPerSecond,
                         limit.count() % kMicrosPerSecond * kNanosPerMicro};
  return syscall(SYS_futex, &word, FUTEX_WAIT, seen | kSomebodySleeps, &timeout, nullptr, 0) == 0 ||
         errno != ETIMEDOUT;
}

void event_signal(EventWord& word) noexcept {
  std::uint32_t current = word.load();
  while (!word.compare_exchange_weak(current, (current & ~kSomebodySleeps) + kOneSignal)) {
  }
  crash_point("event: counted");
  if ((current & kSomebodySleeps) != 0) {
    syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
}

}  // namespace quire::shared
