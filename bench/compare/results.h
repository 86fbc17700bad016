// What was measured: samples of series, their medians, tables and files of them.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace compare {

enum class Unit : std::uint8_t { nanoseconds, bytes, microseconds };
const char* name_of(Unit unit) noexcept;

// One figure of one peer, in one repetition. Less is better in every series.
struct Sample {
  std::string series;  // "get-hit/16+100/1M", "put-durable/16+100/1M:p50"
  std::string peer;
  Unit unit = Unit::nanoseconds;
  double value = 0;
};

struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
  std::size_t sample_count = 0;
};

// Samples in the order in which series and peers came up first.
class Results {
 public:
  void add(Sample sample);
  void note(std::string line) { notes_.push_back(std::move(line)); }

  const std::vector<std::string>& series() const noexcept { return series_; }
  const std::vector<std::string>& peers() const noexcept { return peers_; }
  Unit unit(const std::string& series) const;
  std::optional<Spread> spread(const std::string& series, const std::string& peer) const;

  // A column of medians for each peer, below it how many times better quire is.
  void print_table(std::ostream& out) const;

  // One sample a line; notes are lines that begin with '#'.
  void write(const std::filesystem::path& file) const;
  void read(const std::filesystem::path& file);

 private:
  std::vector<Sample> samples_;
  std::vector<std::string> series_;
  std::vector<std::string> peers_;
  std::vector<std::string> notes_;
};

// "1.23 us", "180 MB"
std::string readable(double value, Unit unit);

}  // namespace compare
