#include "shared/futex.h"

#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace quire::shared {

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::microseconds timeout) noexcept {
  constexpr long kNanosPerMicro = 1000;
  constexpr long kMicrosPerSecond = 1'000'000;
  const timespec limit{timeout.count() / kMicrosPerSecond,
                       timeout.count() % kMicrosPerSecond * kNanosPerMicro};
  syscall(SYS_futex, &word, FUTEX_WAIT, expected, &limit, nullptr, 0);
}

void futex_wake_all(std::atomic<std::uint32_t>& word) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace quire::shared
