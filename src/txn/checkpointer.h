// The thread of a process that makes its checkpoints, so that committers do not wait for the disk
// longer than for their own flush. Made when the first checkpoint is due; it sleeps in between.
//
// Threads: `ask` from any; the rest from the one that opens or closes the store.
#pragma once

#include <atomic>
#include <mutex>

#include <pthread.h>

#include "shared/event.h"

namespace quire::txn {

class Store;

class Checkpointer {
 public:
  explicit Checkpointer(Store& store) noexcept : store_(store) {}
  ~Checkpointer() { stop(); }
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // A checkpoint is due: wakes the thread and returns at once. False where the system has no thread
  // for it. What the checkpoint fails with meets the next transaction.
  bool ask() noexcept;

  // Waits for a checkpoint that it is in the middle of. No-one may ask any more.
  void stop() noexcept;

  // True from when it is stopped on: what takes long may end early.
  bool is_stopping() const noexcept { return is_stopping_.load(); }

  // In a forked child, which has no such thread.
  void abandon_after_fork() noexcept { is_running_.store(false); }

 private:
  bool start() noexcept;
  static void* run(void* self) noexcept;
  void checkpoint_when_possible();

  Store& store_;
  pthread_t thread_ = {};
  std::mutex starting_;
  std::atomic<bool> is_running_{false};
  std::atomic<bool> is_asked_{false};
  std::atomic<bool> is_stopping_{false};
  shared::EventWord event_{0};
};

}  // namespace quire::txn
