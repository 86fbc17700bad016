#include "shared/locks.h"

#include <quire/error.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include <unistd.h>

#include "base/test_points.h"
#include "shared/process.h"
#include "storage/byte_lock.h"

namespace quire::shared {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kYieldFor = std::chrono::microseconds(100);
constexpr std::chrono::nanoseconds kSleepMin = std::chrono::microseconds(20);
constexpr std::chrono::nanoseconds kSleepMax = std::chrono::milliseconds(2);

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

std::uint64_t WriterLock::this_thread() const noexcept {
  return pack_thread(process_, static_cast<std::uint32_t>(::gettid()));
}

// Of all who wait awake one tries: trying costs a system call, and disturbs the one who unlocks.
bool WriterLock::claim(std::uint64_t thread) noexcept {
  std::uint64_t nobody = 0;
  auto& writer = region_.control().writer;
  return writer.load(std::memory_order_relaxed) == 0 &&
         writer.compare_exchange_strong(nobody, thread);
}

WriterLock::Taken WriterLock::lock() {
  require_not_held();
  const std::uint64_t thread = this_thread();
  // Most transactions end within microseconds, less than it takes to fall asleep and be woken.
  const auto patience_ends = steady_clock::now() + kYieldFor;
  do {
    if (claim(thread)) {
      if (bytes_.try_lock()) return lock_mutex(thread);
      break;
    }
    std::this_thread::yield();
  } while (steady_clock::now() < patience_ends);
  bytes_.lock();
  return lock_mutex(thread);
}

WriterLock::Taken WriterLock::lock_for(std::chrono::nanoseconds patience) {
  require_not_held();
  const auto begin = steady_clock::now();
  for (std::chrono::nanoseconds waited{0};; waited = steady_clock::now() - begin) {
    if (bytes_.try_lock()) return lock_mutex(this_thread());
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
  return bytes_.try_lock() ? lock_mutex(this_thread()) : Taken::no;
}

WriterLock::Taken WriterLock::lock_mutex(std::uint64_t thread) {
  pthread_mutex_t& mutex = region_.control().writer_mutex;
  crash_point("writer: byte taken");
  const int result = pthread_mutex_lock(&mutex);
  crash_point("writer: mutex taken");
  if (result == EOWNERDEAD) {
    // Consistent first: should the repair die too, its successor is told again.
    pthread_mutex_consistent(&mutex);
  } else if (result != 0) {
    bytes_.unlock();
    throw Error(Errc::io,
                region_.path() + ": the writer lock fails with error " + std::to_string(result));
  }
  owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  thread_ = thread;
  Control& control = region_.control();
  control.writer_since.store(coarse_nanos(), std::memory_order_relaxed);
  control.writer.store(thread, std::memory_order_relaxed);
  return result == EOWNERDEAD ? Taken::after_death : Taken::yes;
}

void WriterLock::unlock() noexcept {
  owner_.store({}, std::memory_order_relaxed);
  std::uint64_t mine = thread_;
  pthread_mutex_unlock(&region_.control().writer_mutex);
  crash_point("writer: mutex given back");
  bytes_.unlock();
  region_.control().writer.compare_exchange_strong(mine, 0);
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
