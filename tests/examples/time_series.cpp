// Readings of sensors by time: the key is (room, time), so that the readings of a room in a span of
// time lie side by side.
#include <quire/quire.h>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <string_view>
#include <tuple>

namespace {

using Time = std::chrono::sys_seconds;
using Key = std::tuple<std::string_view, Time>;
constexpr quire::TableDef<Key, double> kReadings{"readings"};

using std::chrono::hours;

double mean(const quire::RangeOf<Key, double>& readings) {
  double sum = 0;
  int count = 0;
  for (auto [key, celsius] : readings) {
    sum += celsius;
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

}  // namespace

int main() {
  quire::Database db{"weather.quire"};
  const Time midnight{std::chrono::sys_days{std::chrono::year{2024} / 2 / 29}};

  db.write([&](quire::Transaction& tx) {
    auto readings = tx.table(kReadings);
    for (int hour = 0; hour < 24; ++hour) {
      readings.put({"attic", midnight + hours(hour)}, 10 + hour / 2.0);
      readings.put({"cellar", midnight + hours(hour)}, 12);
    }
  });

  const quire::Snapshot now = db.snapshot();
  const auto readings = now.table(kReadings);
  std::cout << std::fixed << std::setprecision(1);
  std::cout << "attic, all day: " << mean(readings.prefix("attic")) << '\n';
  std::cout << "attic, 6 to 12: "
            << mean(readings.range({"attic", midnight + hours(6)}, {"attic", midnight + hours(12)}))
            << '\n';
  const auto [key, newest] = *std::ranges::prev(readings.prefix("attic").end());
  std::cout << std::get<0>(key) << ", newest: " << newest << '\n';
}

// Prints:
// attic, all day: 15.8
// attic, 6 to 12: 14.2
// attic, newest: 21.5
