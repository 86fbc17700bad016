// The writer lock's mutex where the system loses a wake-up.
#include "shared/robust_mutex.h"

#include <atomic>
#include <cstddef>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <unistd.h>

namespace quire::shared {
namespace {

#ifdef __GLIBC__

bool is_asleep(pid_t thread) {
  std::string line;
  std::getline(std::ifstream("/proc/self/task/" + std::to_string(thread) + "/stat"), line);
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string::npos && line.substr(name_end, 4) == ") S ";
}

// Whoever is woken and killed before it has taken the mutex hands the wake-up on only if nobody
// else has it by then. Somebody who came without sleeping, and so has not noted that others sleep,
// lets them lie when it is done. Here their note is taken away instead.
TEST(RobustMutex, LetsNobodySleepForEverWhoseWakeUpWasLost) {
  pthread_mutex_t mutex;
  initialise_mutex(mutex);
  const auto word = [&] { return __atomic_load_n(&mutex.__data.__lock, __ATOMIC_SEQ_CST); };
  for (int round = 0; round < 3; ++round) {
    lock_mutex(mutex);
    std::atomic<bool> has_it = false;
    std::atomic<pid_t> thread = 0;
    std::thread sleeper([&] {
      thread = ::gettid();
      lock_mutex(mutex);
      has_it = true;
      unlock_mutex(mutex);
    });
    while ((static_cast<unsigned>(word()) & FUTEX_WAITERS) == 0) std::this_thread::yield();
    while (!is_asleep(thread)) std::this_thread::yield();
    __atomic_and_fetch(&mutex.__data.__lock, static_cast<int>(~FUTEX_WAITERS), __ATOMIC_SEQ_CST);
    EXPECT_FALSE(has_it);
    unlock_mutex(mutex);
    sleeper.join();
    EXPECT_TRUE(has_it);
  }
  pthread_mutex_destroy(&mutex);
}

#endif

}  // namespace
}  // namespace quire::shared
