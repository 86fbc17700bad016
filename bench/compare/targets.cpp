#include "compare/targets.h"

#include <iomanip>
#include <ostream>
#include <span>
#include <sstream>
#include <string>

namespace compare {

namespace {

enum class Relation : std::uint8_t {
  faster,   // quire's figure goes at least `bound` times into the other's
  at_most,  // quire's figure is at most `bound` times the other's
  below     // quire's figure is at most `bound`, whatever others reach
};

struct Target {
  const char* series;
  Relation relation;
  double bound;
  const char* peer = "";      // whose figure is the other one
  const char* series_2 = "";  // of the other figure, where it is another series
};

constexpr Target kTargets[] = {
    {"get-hit/16+100/1M", Relation::faster, 2.0, "lmdb"},
    {"get-hit/16+100/10M", Relation::faster, 2.0, "lmdb"},
    {"get-hit-each/16+100/1M", Relation::faster, 1.8, "lmdb", "get-hit/16+100/1M"},
    {"get-miss/16+100/1M", Relation::faster, 2.0, "lmdb"},
    {"get-miss/16+100/10M", Relation::faster, 2.0, "lmdb"},
    {"get-many-32/16+100/1M", Relation::faster, 6.0, "lmdb", "get-hit/16+100/1M"},
    {"get-many-32/16+100/10M", Relation::faster, 6.0, "lmdb", "get-hit/16+100/10M"},
    {"get-hit/url+100/1M", Relation::faster, 1.8, "lmdb"},
    {"get-hit/int+100/1M", Relation::faster, 1.8, "lmdb"},
    {"scan/16+100/1M", Relation::faster, 1.6, "lmdb"},
    {"scan/16+100/10M", Relation::faster, 1.6, "lmdb"},
    {"scan/16+100/1M", Relation::faster, 1.1, "wiredtiger"},
    {"range-100/16+100/1M", Relation::faster, 1.5, "lmdb"},
    {"range-100/16+100/10M", Relation::faster, 1.5, "lmdb"},
    {"scan-back/16+100/1M", Relation::faster, 1.4, "lmdb"},
    {"scan-back/16+100/10M", Relation::faster, 1.4, "lmdb"},
    {"readers-2/16+100/1M", Relation::faster, 1.9, "quire", "readers-1/16+100/1M"},
    {"readers-1-and-writer/16+100/1M", Relation::at_most, 1.1, "quire", "readers-1/16+100/1M"},
    {"put-durable/16+100/1M:p50", Relation::at_most, 1.15, "msync"},
    {"put-durable/16+100/1M", Relation::faster, 3.0, "lmdb"},
    {"put-durable/16+100/1M", Relation::faster, 1.0, "wiredtiger"},
    {"committers-8-threads/16+100/1M", Relation::faster, 1.2, "leveldb"},
    {"committers-8-processes/16+100/1M", Relation::faster, 1.2, "berkeleydb"},
    {"put-1000-durable/16+100/1M", Relation::faster, 10.0, "lmdb"},
    {"put-1000-durable/16+100/1M", Relation::faster, 1.0, "leveldb"},
    {"put-relaxed/16+100/1M", Relation::faster, 1.8, "lmdb-writemap"},
    {"put-relaxed/16+100/1M", Relation::faster, 1.2, "leveldb"},
    {"put-relaxed/16+100/10M", Relation::faster, 5.0, "lmdb-writemap"},
    {"put-1000-relaxed/16+100/1M", Relation::faster, 1.4, "lmdb-writemap"},
    {"put-relaxed/16+100/1M/shm", Relation::faster, 1.8, "lmdb-writemap"},
    {"put-1000-relaxed/16+100/1M/shm", Relation::faster, 1.4, "lmdb-writemap"},
    {"load-random/16+100/1M", Relation::faster, 1.8, "lmdb"},
    {"load-random/16+100/10M", Relation::faster, 3.0, "lmdb"},
    {"load-random/16+100/10M", Relation::faster, 1.0, "leveldb"},
    {"load-sorted/16+100/1M", Relation::faster, 2.0, "lmdb"},
    {"load-sorted/16+100/10M", Relation::faster, 2.0, "lmdb"},
    {"load-random/16+100/1M:size", Relation::at_most, 0.88, "lmdb"},
    {"load-batches/16+100/10M", Relation::faster, 3.0, "lmdb"},
    {"load-batches/16+100/10M:size", Relation::at_most, 0.4, "lmdb"},
    {"load-random/16+100/10M:size", Relation::at_most, 0.4, "lmdb"},
    {"load-sorted/16+100/1M:size", Relation::at_most, 1.0, "lmdb"},
    {"load-sorted/16+100/10M:size", Relation::at_most, 1.0, "lmdb"},
    {"churn/16+100/1M:size", Relation::at_most, 1.3, "quire", "load-random/16+100/1M:size"},
    {"device-put-durable/16+100/1M", Relation::below, 9000},
    {"device-put-1000-durable/16+100/1M", Relation::below, 600},
    {"put-large/16+1Mi/128", Relation::faster, 0.8, "memcpy"},
    {"get-large/16+1Mi/128", Relation::faster, 0.95, "memcpy"},
    {"open-close/16+100/10M", Relation::below, 1e6},
    {"snapshot/16+100/1M", Relation::below, 25},
    {"allocate-run/16+100/4", Relation::below, 20e3},
    {"recover/16+100/1M", Relation::below, 1e9 / 300'000},
};

std::string fixed(double value) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << value;
  return text.str();
}

struct Verdict {
  std::string wanted;
  std::string found;
  bool holds = false;
  double shortfall = 1;  // how many times too little or too much
};

std::optional<Verdict> judge(const Results& results, const Target& target) {
  const auto ours = results.spread(target.series, "quire");
  if (!ours || ours->median <= 0) return std::nullopt;
  const Unit unit = results.unit(target.series);
  if (target.relation == Relation::below) {
    return Verdict{"at most " + readable(target.bound, unit), readable(ours->median, unit),
                   ours->median <= target.bound, ours->median / target.bound};
  }
  const std::string other_series = *target.series_2 != 0 ? target.series_2 : target.series;
  const auto theirs = results.spread(other_series, target.peer);
  if (!theirs || theirs->median <= 0) return std::nullopt;
  std::string other = target.peer;
  if (*target.series_2 != 0) other += " at " + other_series;
  if (target.relation == Relation::at_most) {
    const double ratio = ours->median / theirs->median;
    return Verdict{"at most " + fixed(target.bound) + " times " + other, fixed(ratio),
                   ratio <= target.bound, ratio / target.bound};
  }
  const double ratio = theirs->median / ours->median;
  return Verdict{fixed(target.bound) + " times as fast as " + other, fixed(ratio),
                 ratio >= target.bound, target.bound / ratio};
}

}  // namespace

void print_targets(const Results& results, std::ostream& out) {
  int held = 0;
  int count = 0;
  for (const Target& target : kTargets) {
    const auto verdict = judge(results, target);
    if (!verdict) continue;
    ++count;
    held += verdict->holds ? 1 : 0;
    out << (verdict->holds ? "holds   " : "MISSED  ") << std::left << std::setw(38) << target.series
        << std::right << std::setw(10) << verdict->found << "  wanted " << verdict->wanted;
    if (!verdict->holds) out << " (short by " << fixed(verdict->shortfall) << ")";
    out << '\n';
  }
  out << held << " of " << count << " targets measured hold\n";
}

}  // namespace compare
