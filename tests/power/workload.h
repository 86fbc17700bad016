// The processes that work while the power is cut, and what they say about how far they came.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include "power/history.h"
#include "support/child.h"

namespace quire::test {

// Shared with the processes: survives their deaths.
struct Progress {
  std::atomic<std::uint64_t> attempted{0};
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<bool> is_cut{false};  // from now on everything may fail

  static Progress& make_shared() {
    void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap failed");
    return *new (memory) Progress;
  }

  static void raise(std::atomic<std::uint64_t>& word, std::uint64_t value) noexcept {
    std::uint64_t current = word.load();
    while (current < value && !word.compare_exchange_weak(current, value)) {
    }
  }
};

// Commits until it is killed or the disk is gone.
class PowerWriter {
 public:
  PowerWriter(const std::filesystem::path& file, const Options& options, Progress& progress,
              std::uint64_t seed)
      : progress_(progress), random_(seed), db_(file, options) {}

  void run_until(std::uint64_t transactions) {
    for (; transactions > 0; --transactions) {
      if (random_.one_in(30)) leave_one_open();
      commit_one();
      if (random_.one_in(25)) db_.checkpoint();
      if (random_.one_in(15)) sync();
    }
  }

 private:
  void commit_one() {
    const bool is_full = !random_.one_in(3);
    Transaction tx = db_.begin();
    const std::uint64_t number = history::advance(tx);
    Progress::raise(progress_.attempted, number);
    tx.commit(is_full ? Durability::full : Durability::relaxed);
    if (is_full) Progress::raise(progress_.acknowledged, number);
    newest_ = number;
  }

  void leave_one_open() {
    Transaction tx = db_.begin();
    history::advance(tx);
    tx.table("left open").put("big", pattern(random_.below(200'000), 1));
  }

  void sync() {
    db_.sync();
    Progress::raise(progress_.acknowledged, newest_);
  }

  Progress& progress_;
  Random random_;
  Database db_;
  std::uint64_t newest_ = 0;
};

// Runs the body as one of the processes: errors are failures unless the power is cut.
template <typename Body>
Child start_worker(Progress& progress, Body body) {
  return Child{[&progress, body](Link&) {
    try {
      body();
    } catch (const Error& error) {
      EXPECT_TRUE(progress.is_cut.load()) << "before the cut: " << error.what();
    }
  }};
}

// Goes on looking at snapshots: the history never goes back.
inline void read_for_ever(const std::filesystem::path& file, const Options& options) {
  const Database db{file, options};
  for (std::uint64_t seen = 0; !::testing::Test::HasFailure();) {
    const Snapshot now = db.snapshot();
    const std::uint64_t count = history::count_in(now.table());
    EXPECT_GE(count, seen);
    const std::optional<Bytes> value = now.table().get(big_endian(count % history::kKeys));
    EXPECT_EQ(value.has_value(), count > 0 && count % 13 != 0) << count;
    if (value) {
      EXPECT_TRUE(*value == history::value_of(count)) << count;
    }
    seen = count;
    std::this_thread::sleep_for(std::chrono::microseconds{300});
  }
}

}  // namespace quire::test
