#include "compare/results.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace compare {

namespace {

constexpr Unit kUnits[] = {Unit::nanoseconds, Unit::bytes, Unit::microseconds};
constexpr int kNameColumns = 40;
constexpr int kPeerColumns = 15;

void add_if_new(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

std::string with_digits(double value, const char* unit) {
  std::ostringstream text;
  text << std::fixed
       << std::setprecision(value < 10    ? 2
                            : value < 100 ? 1
                                          : 0)
       << value << ' ' << unit;
  return text.str();
}

}  // namespace

const char* name_of(Unit unit) noexcept {
  switch (unit) {
    case Unit::bytes:
      return "bytes";
    case Unit::microseconds:
      return "us";
    case Unit::nanoseconds:
      break;
  }
  return "ns";
}

std::string readable(double value, Unit unit) {
  if (unit == Unit::bytes) {
    if (value >= 1e6) return with_digits(value / 1e6, "MB");
    if (value >= 1e4) return with_digits(value / 1e3, "kB");
    return with_digits(value, "B");
  }
  if (unit == Unit::microseconds) value *= 1e3;
  if (value >= 1e9) return with_digits(value / 1e9, "s");
  if (value >= 1e6) return with_digits(value / 1e6, "ms");
  if (value >= 1e3) return with_digits(value / 1e3, "us");
  return with_digits(value, "ns");
}

void Results::add(Sample sample) {
  add_if_new(series_, sample.series);
  add_if_new(peers_, sample.peer);
  samples_.push_back(std::move(sample));
}

Unit Results::unit(const std::string& series) const {
  const auto found = std::find_if(samples_.begin(), samples_.end(),
                                  [&](const Sample& sample) { return sample.series == series; });
  return found == samples_.end() ? Unit::nanoseconds : found->unit;
}

std::optional<Spread> Results::spread(const std::string& series, const std::string& peer) const {
  std::vector<double> values;
  for (const Sample& sample : samples_) {
    if (sample.series == series && sample.peer == peer) values.push_back(sample.value);
  }
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return Spread{median, values.front(), values.back(), values.size()};
}

void Results::print_table(std::ostream& out) const {
  out << std::left << std::setw(kNameColumns) << "" << std::right;
  for (const auto& peer : peers_) out << std::setw(kPeerColumns) << peer;
  out << '\n';
  for (const auto& name : series_) {
    const auto ours = spread(name, "quire");
    std::ostringstream spreads;
    std::ostringstream ratios;
    out << std::left << std::setw(kNameColumns) << name << std::right;
    for (const auto& peer : peers_) {
      const auto theirs = spread(name, peer);
      out << std::setw(kPeerColumns) << (theirs ? readable(theirs->median, unit(name)) : "");
      std::ostringstream around;
      if (theirs && theirs->median > 0) {
        around << std::fixed << std::setprecision(0) << "-"
               << 100 * (theirs->median - theirs->low) / theirs->median << "+"
               << 100 * (theirs->high - theirs->median) / theirs->median << "%";
      }
      spreads << std::setw(kPeerColumns) << around.str();
      std::ostringstream ratio;
      if (ours && theirs && peer != "quire" && ours->median > 0) {
        ratio << std::fixed << std::setprecision(2) << "x" << theirs->median / ours->median;
      }
      ratios << std::setw(kPeerColumns) << ratio.str();
    }
    out << '\n'
        << std::setw(kNameColumns) << "lowest and highest" << spreads.str() << '\n'
        << std::setw(kNameColumns) << "quire is better by" << ratios.str() << '\n';
  }
}

void Results::write(const std::filesystem::path& file) const {
  std::ofstream out(file);
  for (const auto& note : notes_) out << "# " << note << '\n';
  out << "series,peer,unit,value\n" << std::setprecision(10);
  for (const Sample& sample : samples_) {
    out << sample.series << ',' << sample.peer << ',' << name_of(sample.unit) << ',' << sample.value
        << '\n';
  }
  out.flush();
  if (!out) throw std::runtime_error("cannot write " + file.string());
}

void Results::read(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("# ")) note(line.substr(2));
    if (line.empty() || line.front() == '#' || line == "series,peer,unit,value") continue;
    std::istringstream fields(line);
    Sample sample;
    std::string unit;
    std::getline(fields, sample.series, ',');
    std::getline(fields, sample.peer, ',');
    std::getline(fields, unit, ',');
    fields >> sample.value;
    if (!fields) throw std::runtime_error(file.string() + ": not a line of samples: " + line);
    for (const Unit known : kUnits) {
      if (unit == name_of(known)) sample.unit = known;
    }
    add(std::move(sample));
  }
}

}  // namespace compare
