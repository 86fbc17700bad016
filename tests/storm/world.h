// What the processes of a storm share beside the database, in memory that outlives each of them:
// which crash points there are, who dies and who stands still where, what was promised and what was
// seen.
//
// Threads: any; the words are atomics.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include <sys/mman.h>

namespace quire::storm {

enum class Role : std::uint8_t { writer, reader, checker };
inline constexpr std::size_t kRoleCount = 3;

inline constexpr std::size_t kPointsMax = 256;
inline constexpr std::size_t kIdsMax = std::size_t{1} << 20;
inline constexpr std::size_t kFailureBytes = 600;

struct Point {
  std::array<char, 64> name;
  std::array<std::atomic<std::uint64_t>, kRoleCount> reached;
  std::atomic<std::uint64_t> kills;
  std::atomic<std::uint64_t> nested_kills;  // those of a process that was clearing up after another
  std::atomic<std::uint64_t> stops;         // until others had gone on

  std::uint64_t reached_by_all() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& count : reached) sum += count.load();
    return sum;
  }
};

// A process that stands still until others have gone on. One at a time: two could wait for each
// other's work.
struct Held {
  std::atomic<std::uint32_t> pid;  // 0: nobody
  std::atomic<const char*> point;
  std::atomic<std::uint64_t> snapshots_wanted;  // until the world has seen so many ...
  std::atomic<std::uint64_t> commits_wanted;    // ... and so many full ones
};

struct World {
  std::atomic<std::uint64_t> point_count;
  std::array<Point, kPointsMax> points;
  Held held;

  std::atomic<std::uint64_t> commits;
  std::atomic<std::uint64_t> full_commits;
  std::atomic<std::uint64_t> snapshots;
  std::atomic<std::uint64_t> checks;
  std::atomic<std::uint64_t> thread_ends;  // inside a transaction, as the next two
  std::atomic<std::uint64_t> forks;
  std::atomic<std::uint64_t> execs;
  std::atomic<std::uint64_t> forked_kills;  // of processes forked inside a transaction
  std::atomic<std::uint32_t> has_failed;
  std::array<char, kFailureBytes> failure;

  // The entry of a crash point, made on first sight; null when there are too many.
  Point* point(std::string_view name) noexcept;

  // Only the first failure is kept.
  void fail(std::string_view what) noexcept;
};

// What one value of the ledger's count stood for: each attempt to reach it has a number of its own.
struct Attempts {
  std::atomic<std::uint64_t> seen;     // the one that somebody saw committed; 0 = none yet
  std::atomic<std::uint64_t> undone;   // the newest one that a later writer found undone
  std::atomic<std::uint64_t> running;  // the one whose writer has not been heard of since
};

// What was promised about one database file, and what was seen of it.
struct Ledger {
  std::atomic<std::uint64_t> next_attempt;
  std::atomic<std::uint64_t> promised;     // highest count whose commit has returned
  std::atomic<std::uint64_t> seen_count;   // highest count that a snapshot has shown
  std::atomic<std::uint64_t> seen_txn;     // highest transaction that a snapshot has shown
  std::array<Attempts, kIdsMax> attempts;  // by count

  // Hash over all tables: by attempt, published before the commit; by transaction, as it was first
  // seen or acknowledged.
  std::array<std::atomic<std::uint64_t>, kIdsMax> hash_of_attempt;
  std::array<std::atomic<std::uint64_t>, kIdsMax> hash_of_txn;

  bool is_nearly_full() const noexcept {
    return next_attempt.load() > kIdsMax / 2 || seen_txn.load() > kIdsMax / 2;
  }
};

// A T of zero bytes in memory that forked children share with their parent.
template <typename T>
class Shared {
 public:
  Shared()
      : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::runtime_error("no memory to share");
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(memory_, sizeof(T)); }

  T& operator*() const noexcept { return *static_cast<T*>(memory_); }
  T* operator->() const noexcept { return static_cast<T*>(memory_); }

 private:
  void* memory_;
};

// A word that only grows.
inline void raise_to(std::atomic<std::uint64_t>& word, std::uint64_t value) noexcept {
  std::uint64_t current = word.load();
  while (current < value && !word.compare_exchange_weak(current, value)) {
  }
}

}  // namespace quire::storm
