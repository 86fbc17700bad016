// How far a long command is, on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace kvtool {

// One line on stderr with a bar, the rate and the time left, redrawn a few times a second (or every
// so many milliseconds as KVTOOL_PROGRESS_MS says) and removed by the destructor. No line when
// stderr is no terminal, or one that is to be kept plain (NO_COLOR, a dumb one).
class Progress {
 public:
  enum class Unit { bytes, entries, pages };

  // Silent unless `is_wanted`. `total` is how much there is to do, where it is known.
  explicit Progress(bool is_wanted, std::optional<std::uint64_t> total = std::nullopt,
                    Unit unit = Unit::bytes);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Cheap enough to call for every entry. Entries are shown, and their rate, if there are any.
  void update(std::uint64_t done, std::uint64_t entry_count = 0);

  // The same where the total is known only now.
  void update_of(std::uint64_t done, std::uint64_t total);

  // Replaces the bar by a line that stays, also on a plain terminal.
  void finish(std::uint64_t entry_count);

 private:
  using Clock = std::chrono::steady_clock;

  double seconds() const;
  void clear();
  void draw(std::uint64_t done, std::uint64_t entry_count);

  bool is_heard_;  // somebody sits there
  bool is_shown_;  // and the bar can be drawn
  std::chrono::milliseconds redraw_interval_;
  bool is_drawn_ = false;
  std::optional<std::uint64_t> total_;
  Unit unit_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_at_ = start_;
};

}  // namespace kvtool
