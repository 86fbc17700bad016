// What the processes of a storm share beside the database, in memory that outlives each of them:
// which crash points there are, who dies where, what was promised and what was seen.
//
// Threads: any; the words are atomics.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quire::storm {

inline constexpr std::size_t kPointsMax = 128;
inline constexpr std::size_t kIdsMax = std::size_t{1} << 20;
inline constexpr std::size_t kFailureBytes = 600;

struct Point {
  std::array<char, 48> name;
  std::atomic<std::uint64_t> reached;
  std::atomic<std::uint64_t> kills;
};

// What one value of the ledger's count stood for: each attempt to reach it has a number of its own.
struct Attempts {
  std::atomic<std::uint64_t> seen;     // the one that somebody saw committed; 0 = none yet
  std::atomic<std::uint64_t> undone;   // the newest one that a later writer found undone
  std::atomic<std::uint64_t> running;  // the one whose writer has not been heard of since
};

struct World {
  std::atomic<std::uint64_t> point_count;
  std::array<Point, kPointsMax> points;

  std::atomic<std::uint64_t> next_attempt;
  std::atomic<std::uint64_t> promised;     // highest count whose full commit has returned
  std::atomic<std::uint64_t> seen_count;   // highest count that a snapshot has shown
  std::atomic<std::uint64_t> seen_txn;     // highest transaction that a snapshot has shown
  std::array<Attempts, kIdsMax> attempts;  // by count

  std::atomic<std::uint64_t> commits;
  std::atomic<std::uint64_t> snapshots;
  std::atomic<std::uint64_t> checks;
  std::atomic<std::uint32_t> has_failed;
  std::array<char, kFailureBytes> failure;

  // The entry of a crash point, made on first sight; null when there are too many.
  Point* point(std::string_view name) noexcept;
};

// In memory that forked children share with their parent.
World* make_world();

}  // namespace quire::storm
