// The robust mutex between processes, as far as the writer lock uses it. It is left free by an
// owner that dies; who died in the middle of what, others note.
//
// Threads: any.
#pragma once

#include <pthread.h>

namespace quire::shared {

// False where the owner cannot be seen: there the mutex is of no use, and is not used.
#ifdef __GLIBC__
inline constexpr bool kMutexIsUsable = true;
#else
inline constexpr bool kMutexIsUsable = false;
#endif

// Throws Errc::io when the system has no such mutexes.
void initialise_mutex(pthread_mutex_t& mutex);

// True when some thread of any process has it; only looks. An owner that has died has it no more.
bool is_owned(const pthread_mutex_t& mutex) noexcept;

// Throw Errc::io when the mutex was overwritten. A wake-up that a killed process owed to whoever
// sleeps in `lock_mutex` comes at most 50 ms late.
void lock_mutex(pthread_mutex_t& mutex);
bool try_lock_mutex(pthread_mutex_t& mutex);
void unlock_mutex(pthread_mutex_t& mutex) noexcept;

}  // namespace quire::shared
