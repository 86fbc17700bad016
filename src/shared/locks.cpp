#include "shared/locks.h"

#include <quire/error.h>

#include <algorithm>
#include <string>

#include "base/test_points.h"
#include "shared/process.h"
#include "shared/robust_mutex.h"
#include "storage/byte_lock.h"

namespace quire::shared {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kYieldFor = std::chrono::microseconds(100);
constexpr int kLooksBetweenYields = 64;  // one to two microseconds
constexpr std::chrono::nanoseconds kSleepMin = std::chrono::microseconds(20);
constexpr std::chrono::nanoseconds kSleepMax = std::chrono::milliseconds(2);

// Tells the processor that its other thread may go first.
void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

}  // namespace

void ByteMutex::lock() {
  threads_.lock();
  try {
    storage::lock_byte(region_.lock_descriptor(), byte_, storage::LockMode::exclusive);
  } catch (...) {
    threads_.unlock();
    throw;
  }
}

bool ByteMutex::try_lock() {
  if (!threads_.try_lock()) return false;
  bool locked = false;
  try {
    locked = storage::try_lock_byte(region_.lock_descriptor(), byte_, storage::LockMode::exclusive);
  } catch (...) {
    threads_.unlock();
    throw;
  }
  if (!locked) threads_.unlock();
  return locked;
}

bool ByteMutex::lock_for(std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{1};
  threads_.lock();
  try {
    const auto end = steady_clock::now() + patience;
    for (;;) {
      if (storage::try_lock_byte(region_.lock_descriptor(), byte_, storage::LockMode::exclusive)) {
        return true;
      }
      if (steady_clock::now() >= end) return false;
      std::this_thread::sleep_for(kPause);
    }
  } catch (...) {
    threads_.unlock();
    throw;
  }
}

void ByteMutex::unlock() {
  storage::unlock_byte(region_.lock_descriptor(), byte_);
  threads_.unlock();
}

void WriterLock::require_not_held() const {
  if (!held_by_this_thread()) return;
  throw Error(Errc::misuse, "this thread has a transaction already; end it before the next begins");
}

bool WriterLock::are_namespaces_several() const noexcept {
  return region_.control().several_namespaces.load() != 0;
}

// Cheap: who waits awake looks again and again, and disturbs the one who unlocks only by trying.
bool WriterLock::looks_free() const noexcept {
  const Control& control = region_.control();
  return are_namespaces_several() ? control.writer.load(std::memory_order_relaxed) == 0
                                  : !is_owned(control.writer_mutex);
}

bool WriterLock::try_take() {
  pthread_mutex_t& mutex = region_.control().writer_mutex;
  if (!are_namespaces_several()) {
    if (!try_lock_mutex(mutex)) return false;
    has_mutex_ = !are_namespaces_several();
    if (has_mutex_) return true;
    unlock_mutex(mutex);
  }
  if (!bytes_.try_lock()) return false;
  // Of somebody who came before there were several. Only looked at: dying while it tries, a thread
  // would set free what another with the same id has.
  if (is_owned(mutex)) {
    bytes_.unlock();
    return false;
  }
  has_mutex_ = false;
  return true;
}

void WriterLock::take() {
  pthread_mutex_t& mutex = region_.control().writer_mutex;
  if (!are_namespaces_several()) {
    lock_mutex(mutex);
    has_mutex_ = !are_namespaces_several();
    if (has_mutex_) return;
    unlock_mutex(mutex);
  }
  bytes_.lock();
  while (is_owned(mutex)) std::this_thread::sleep_for(kSleepMin);
  has_mutex_ = false;
}

WriterLock::Taken WriterLock::lock() {
  require_not_held();
  if (looks_free() && try_take()) return entered();
  // Most transactions end within microseconds, less than it takes to fall asleep and be woken.
  const auto patience_ends = steady_clock::now() + kYieldFor;
  do {
    for (int look = 0; look < kLooksBetweenYields; ++look) {
      if (looks_free() && try_take()) return entered();
      pause();
    }
    std::this_thread::yield();
  } while (steady_clock::now() < patience_ends);
  take();
  return entered();
}

WriterLock::Taken WriterLock::lock_for(std::chrono::nanoseconds patience) {
  require_not_held();
  const auto begin = steady_clock::now();
  for (std::chrono::nanoseconds waited{0};; waited = steady_clock::now() - begin) {
    if (try_take()) return entered();
    if (waited >= patience) return Taken::no;
    if (waited < kYieldFor) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::clamp(waited / 4, kSleepMin, kSleepMax));
    }
  }
}

WriterLock::Taken WriterLock::try_lock() {
  require_not_held();
  return try_take() ? entered() : Taken::no;
}

WriterLock::Taken WriterLock::entered() noexcept {
  crash_point("writer: lock taken");
  Control& control = region_.control();
  owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  control.writer_since.store(coarse_nanos(), std::memory_order_relaxed);
  control.writer.store(pack_thread(process_, this_thread_id()), std::memory_order_relaxed);
  const bool has_died = control.writer_inside.load(std::memory_order_relaxed) != 0;
  control.writer_inside.store(1, std::memory_order_release);
  crash_point("writer: inside");
  return has_died ? Taken::after_death : Taken::yes;
}

void WriterLock::unlock() noexcept {
  Control& control = region_.control();
  const bool has_mutex = has_mutex_;
  owner_.store({}, std::memory_order_relaxed);
  control.writer.store(0, std::memory_order_relaxed);
  control.writer_inside.store(0, std::memory_order_release);
  crash_point("writer: left");
  if (has_mutex) {
    unlock_mutex(control.writer_mutex);
  } else {
    bytes_.unlock();
  }
  crash_point("writer: lock given back");
}

bool WriterLock::held_by_this_thread() const noexcept {
  return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

std::string WriterLock::holder() const {
  const std::uint64_t writer = region_.control().writer.load(std::memory_order_relaxed);
  if (writer == 0) return "somebody else each time";
  const std::uint64_t since = region_.control().writer_since.load(std::memory_order_relaxed);
  const std::uint64_t now = coarse_nanos();
  return text_of(thread_at(region_, writer)) + ", since " +
         std::to_string((now - std::min(now, since)) / kNanosPerSecond) + " s";
}

}  // namespace quire::shared
