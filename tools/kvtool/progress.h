// How far `load` is, on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace kvtool {

// One line on stderr, redrawn a few times a second and removed by the destructor; nothing when
// stderr is no terminal.
class Progress {
 public:
  // `total_bytes` is the size of the input where it is known.
  explicit Progress(std::optional<std::uint64_t> total_bytes);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Cheap enough to call for every entry.
  void update(std::uint64_t read_bytes, std::uint64_t entry_count);

  // Replaces the bar by a line that stays.
  void finish(std::uint64_t entry_count);

 private:
  using Clock = std::chrono::steady_clock;

  double seconds() const;
  void clear();

  bool is_shown_;
  bool is_drawn_ = false;
  std::optional<std::uint64_t> total_bytes_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_at_ = start_;
};

}  // namespace kvtool
