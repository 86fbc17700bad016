#include "progress.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include <unistd.h>

#include "text.h"

namespace kvtool {

namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::size_t kBarColumns = 30;

}  // namespace

Progress::Progress(std::optional<std::uint64_t> total_bytes)
    : is_shown_(::isatty(STDERR_FILENO) == 1), total_bytes_(total_bytes) {}

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

void Progress::update(std::uint64_t read_bytes, std::uint64_t entry_count) {
  if (!is_shown_ || Clock::now() - drawn_at_ < kRedraw) {
    return;
  }
  drawn_at_ = Clock::now();
  std::string line;
  if (total_bytes_ && *total_bytes_ > 0) {
    const double part =
        std::min(1.0, static_cast<double>(read_bytes) / static_cast<double>(*total_bytes_));
    const auto filled = static_cast<std::size_t>(part * double{kBarColumns});
    line += "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '.') + "] " +
            std::to_string(static_cast<int>(part * 100)) + " %  ";
  }
  const double rate = static_cast<double>(entry_count) / std::max(seconds(), 0.001);
  line += grouped(entry_count) + " entries, " + human_bytes(read_bytes) + ", " +
          grouped(static_cast<std::uint64_t>(rate)) + "/s";
  clear();
  std::fputs(line.c_str(), stderr);
  is_drawn_ = true;
}

void Progress::finish(std::uint64_t entry_count) {
  clear();
  if (is_shown_) {
    std::fprintf(stderr, "%s entries in %.1f s\n", grouped(entry_count).c_str(), seconds());
  }
}

}  // namespace kvtool
