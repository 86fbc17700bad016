#include "shared/robust_mutex.h"

#include <quire/error.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <string>

#include <linux/futex.h>

namespace quire::shared {
namespace {

constexpr long kSleepNanos = 50'000'000;
constexpr long kNanosPerSecond = 1'000'000'000;

timespec sleep_end() noexcept {
  timespec end = {};
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_nsec += kSleepNanos;
  end.tv_sec += end.tv_nsec / kNanosPerSecond;
  end.tv_nsec %= kNanosPerSecond;
  return end;
}

// True when it was taken. Consistent at once: nobody else asks the mutex who died.
bool is_taken(int result, pthread_mutex_t& mutex) {
  if (result == 0) return true;
  if (result == EOWNERDEAD) return pthread_mutex_consistent(&mutex) == 0;
  if (result == EBUSY || result == ETIMEDOUT) return false;
  throw Error(Errc::io, "the writer lock fails with error " + std::to_string(result) +
                            "; close the database everywhere, then open it again");
}

}  // namespace

void initialise_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  int failed = pthread_mutexattr_init(&attributes);
  failed |= pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  failed |= pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  failed |= pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  failed |= pthread_mutex_init(&mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (failed != 0) throw Error(Errc::io, "the system has no robust process-shared mutexes");
}

// The library keeps the word that the system's robust futexes define at a place of its own.
bool is_owned(const pthread_mutex_t& mutex) noexcept {
#ifdef __GLIBC__
  const int word = __atomic_load_n(&mutex.__data.__lock, __ATOMIC_SEQ_CST);
  return (static_cast<unsigned>(word) & FUTEX_TID_MASK) != 0;
#else
  static_cast<void>(mutex);
  return false;
#endif
}

// Nobody sleeps for long without looking, unless the clock is set back meanwhile: a wake-up may be
// lost. Who is killed between being woken and taking the mutex hands it on only while the mutex is
// free. If somebody was quicker who came by and never slept, the word does not say any more that
// others sleep, and nobody wakes them.
void lock_mutex(pthread_mutex_t& mutex) {
  if (try_lock_mutex(mutex)) return;
  timespec end = sleep_end();
  while (!is_taken(pthread_mutex_timedlock(&mutex, &end), mutex)) end = sleep_end();
}

bool try_lock_mutex(pthread_mutex_t& mutex) {
  return is_taken(pthread_mutex_trylock(&mutex), mutex);
}

void unlock_mutex(pthread_mutex_t& mutex) noexcept { pthread_mutex_unlock(&mutex); }

}  // namespace quire::shared
