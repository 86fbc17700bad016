#include "shared/locks.h"

#include <quire/error.h>

#include <cerrno>
#include <string>

#include "storage/byte_lock.h"

namespace quire::shared {

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

void ByteMutex::lock_for(std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{1};
  threads_.lock();
  try {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (
        !storage::try_lock_byte(region_.lock_descriptor(), byte_, storage::LockMode::exclusive) &&
        std::chrono::steady_clock::now() < end) {
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

WriterLock::Taken WriterLock::lock() {
  if (held_by_this_thread()) {
    throw Error(Errc::misuse,
                "this thread has a transaction already; end it before the next begins");
  }
  bytes_.lock();
  return lock_mutex();
}

WriterLock::Taken WriterLock::try_lock() {
  if (held_by_this_thread()) {
    throw Error(Errc::misuse,
                "this thread has a transaction already; end it before the next begins");
  }
  return bytes_.try_lock() ? lock_mutex() : Taken::no;
}

WriterLock::Taken WriterLock::lock_mutex() {
  pthread_mutex_t& mutex = region_.control().writer_mutex;
  const int result = pthread_mutex_lock(&mutex);
  if (result == EOWNERDEAD) {
    // Consistent first: should the repair die too, its successor is told again.
    pthread_mutex_consistent(&mutex);
  } else if (result != 0) {
    bytes_.unlock();
    throw Error(Errc::io,
                region_.path() + ": the writer lock fails with error " + std::to_string(result));
  }
  owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  return result == EOWNERDEAD ? Taken::after_death : Taken::yes;
}

void WriterLock::unlock() noexcept {
  owner_.store({}, std::memory_order_relaxed);
  pthread_mutex_unlock(&region_.control().writer_mutex);
  bytes_.unlock();
}

bool WriterLock::held_by_this_thread() const noexcept {
  return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

}  // namespace quire::shared
