#include "progress.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::size_t kBarColumns = 24;
constexpr std::size_t kUsualColumns = 80;

std::string bar(double part) {
  const auto filled = static_cast<std::size_t>(part * double{kBarColumns});
  return "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '.') + "] " +
         std::to_string(static_cast<int>(part * 100)) + " %  ";
}

std::string time_left(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole < 100) return std::to_string(whole) + " s left";
  if (whole < 100 * 60) return std::to_string(whole / 60) + " min left";
  return std::to_string(whole / 3600) + " h left";
}

// One less than the terminal has: a line that fills it could not be cleared by its own beginning.
std::size_t line_columns() {
  winsize size = {};
  const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (is_known ? size.ws_col : kUsualColumns) - 1;
}

std::chrono::milliseconds redraw_interval() {
  const char* chosen = std::getenv("KVTOOL_PROGRESS_MS");
  if (chosen == nullptr) return kRedraw;
  const std::string_view text = chosen;
  std::uint32_t interval = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), interval);
  const bool is_number = error == std::errc{} && end == text.data() + text.size();
  return is_number ? std::chrono::milliseconds(interval) : kRedraw;
}

}  // namespace

Progress::Progress(bool is_wanted, std::optional<std::uint64_t> total, Unit unit)
    : is_heard_(is_wanted && ::isatty(STDERR_FILENO) == 1),
      is_shown_(is_heard_ && is_styled_terminal(STDERR_FILENO)),
      redraw_interval_(redraw_interval()),
      total_(total),
      unit_(unit) {}

Progress::~Progress() { clear(); }

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Progress::clear() {
  if (is_drawn_) {
    std::fputs("\r\033[K", stderr);
    is_drawn_ = false;
  }
}

void Progress::update(std::uint64_t done, std::uint64_t entry_count) {
  if (!is_shown_ || Clock::now() - drawn_at_ < redraw_interval_) {
    return;
  }
  drawn_at_ = Clock::now();
  draw(done, entry_count);
}

void Progress::update_of(std::uint64_t done, std::uint64_t total) {
  total_ = total;
  update(done);
}

void Progress::draw(std::uint64_t done, std::uint64_t entry_count) {
  const double elapsed = std::max(seconds(), 0.001);
  const auto per_second = [&](std::uint64_t count) {
    return static_cast<std::uint64_t>(static_cast<double>(count) / elapsed);
  };
  std::string line;
  const bool has_total = total_ && *total_ > 0;
  if (has_total) {
    line += bar(std::min(1.0, static_cast<double>(done) / static_cast<double>(*total_)));
  }
  if (unit_ != Unit::bytes) {
    line += (unit_ == Unit::pages ? counted(done, "page", "pages")
                                  : counted(done, "entry", "entries")) +
            ", " + grouped(per_second(done)) + "/s";
  } else if (entry_count > 0) {
    line += counted(entry_count, "entry", "entries") + ", " + human_bytes(done) + ", " +
            grouped(per_second(entry_count)) + "/s";
  } else {
    line += human_bytes(done) + ", " + human_bytes(per_second(done)) + "/s";
  }
  if (has_total && done > 0 && done <= *total_) {
    line +=
        ", " + time_left(elapsed * static_cast<double>(*total_ - done) / static_cast<double>(done));
  }
  line.resize(std::min(line.size(), line_columns()));
  clear();
  std::fputs(line.c_str(), stderr);
  is_drawn_ = true;
}

void Progress::finish(std::uint64_t entry_count) {
  clear();
  if (is_heard_) {
    std::fprintf(stderr, "%s in %.1f s\n", counted(entry_count, "entry", "entries").c_str(),
                 seconds());
  }
}

}  // namespace kvtool
