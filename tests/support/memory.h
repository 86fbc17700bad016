// How much memory of its own this process takes, not counting pages of files.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

namespace quire::test {

// Now, in bytes.
inline std::uint64_t private_bytes() {
  std::ifstream status{"/proc/self/status"};
  for (std::string word; status >> word;) {
    if (word != "RssAnon:") continue;
    std::uint64_t kib = 0;
    status >> kib;
    return kib * 1024;
  }
  return 0;
}

// Samples until it ends, every millisecond.
class PeakMemory {
 public:
  PeakMemory() : first_bytes_(private_bytes()), sampler_([this] { sample(); }) {}
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;
  ~PeakMemory() {
    if (sampler_.joinable()) stop();
  }

  // The most that was seen, above what there was at the start, in bytes.
  std::uint64_t stop() {
    stop_ = true;
    sampler_.join();
    return peak_bytes_ > first_bytes_ ? peak_bytes_ - first_bytes_ : 0;
  }

 private:
  void sample() {
    while (!stop_) {
      peak_bytes_ = std::max<std::uint64_t>(peak_bytes_, private_bytes());
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }

  std::uint64_t first_bytes_;
  std::atomic<std::uint64_t> peak_bytes_{0};
  std::atomic<bool> stop_{false};
  std::thread sampler_;
};

}  // namespace quire::test
