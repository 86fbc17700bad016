#include "txn/checkpointer.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>

#include "base/test_points.h"
#include "txn/checkpoint.h"

namespace quire::txn {
namespace {

constexpr std::chrono::microseconds kPauseMin{50};
constexpr std::chrono::microseconds kPauseMax{10'000};
constexpr std::chrono::microseconds kSleep = std::chrono::hours(1);

// The program's signals are for the program's threads; a fault is for the thread that has it.
sigset_t signals_of_the_program() noexcept {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    sigdelset(&signals, fault);
  }
  return signals;
}

}  // namespace

bool Checkpointer::ask() noexcept {
  if (is_asked_.load(std::memory_order_relaxed)) return true;
  if (!is_running_.load(std::memory_order_acquire) && !start()) return false;
  if (!is_asked_.exchange(true)) shared::event_signal(event_);
  return true;
}

bool Checkpointer::start() noexcept {
  try {
    const std::lock_guard lock(starting_);
    if (is_running_.load(std::memory_order_relaxed)) return true;
    const sigset_t blocked = signals_of_the_program();
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const bool is_made = pthread_create(&thread_, nullptr, run, this) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (is_made) {
      pthread_setname_np(thread_, "checkpoint");
      is_running_.store(true, std::memory_order_release);
    }
    return is_made;
  } catch (const std::exception&) {
    return false;
  }
}

void Checkpointer::stop() noexcept {
  if (!is_running_.load(std::memory_order_acquire)) return;
  is_stopping_.store(true);
  shared::event_signal(event_);
  pthread_join(thread_, nullptr);
  is_running_.store(false);
}

void* Checkpointer::run(void* self) noexcept {
  auto& checkpointer = *static_cast<Checkpointer*>(self);
  for (;;) {
    const std::uint32_t seen = shared::event_count(checkpointer.event_);
    if (checkpointer.is_stopping_.load()) return nullptr;
    if (!checkpointer.is_asked_.load()) {
      shared::event_wait(checkpointer.event_, seen, kSleep);
      continue;
    }
    try {
      checkpointer.checkpoint_when_possible();
    } catch (const std::exception&) {
      // The commits stand. Whatever stops the checkpoint meets the next transaction, which can
      // report it as its own.
    }
    checkpointer.is_asked_.store(false);
  }
}

// Takes the writer lock only when it is free: at the end it would otherwise have to wait for
// somebody else's transaction, however long that takes.
void Checkpointer::checkpoint_when_possible() {
  crash_point("checkpointer: asked");
  std::chrono::microseconds pause = kPauseMin;
  while (!is_stopping_.load() && !checkpoint_if_due(store_)) {
    shared::event_wait(event_, shared::event_count(event_), pause);
    pause = std::min(pause * 2, kPauseMax);
  }
}

}  // namespace quire::txn
