// What Options::verify costs: random gets among a million entries, the modes in turns, so that
// whatever else the machine does hits all of them. Prints the median of each and its ratio to
// `never`.
#include <quire/quire.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

constexpr std::uint64_t kEntryCount = 1'000'000;
constexpr std::uint64_t kGetsPerTurn = 200'000;
constexpr int kTurns = 15;

struct Mode {
  const char* name;
  quire::Verify verify;
  std::vector<double> nanoseconds = {};
};

std::uint64_t scattered(std::uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

std::string key_of(std::uint64_t number) {
  char key[17];
  std::snprintf(key, sizeof key, "%016llx", static_cast<unsigned long long>(scattered(number)));
  return key;
}

double nanoseconds_per_get(const quire::TableView& table, std::uint64_t first) {
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; i < kGetsPerTurn; ++i) {
    keys.push_back(key_of(scattered(first + i) % kEntryCount));
  }
  std::uint64_t found = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string& key : keys) found += table.get(key) ? 1 : 0;
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  if (found != kGetsPerTurn) std::puts("keys are missing");
  return took.count() / kGetsPerTurn;
}

void fill(const std::filesystem::path& file) {
  quire::Database db{file};
  db.write([](quire::Transaction& tx) {
    auto table = tx.table();
    for (std::uint64_t i = 0; i < kEntryCount; ++i) table.put(key_of(i), std::string(32, 'v'));
  });
}

}  // namespace

int main() {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("quire-bench-" + std::to_string(::getpid()));
  fill(file);
  Mode modes[] = {{"never", quire::Verify::never},
                  {"first_touch", quire::Verify::first_touch},
                  {"always", quire::Verify::always}};
  for (int turn = 0; turn < kTurns; ++turn) {
    for (Mode& mode : modes) {
      const quire::Database db{file, {.verify = mode.verify}};
      static const quire::Database kept{file};  // one store, so that touched pages stay touched
      const quire::Snapshot now = db.snapshot();
      const double took =
          nanoseconds_per_get(now.table(), scattered(static_cast<std::uint64_t>(turn)));
      if (turn > 0) mode.nanoseconds.push_back(took);  // the first turn touches the pages
    }
  }
  double never = 0;
  for (Mode& mode : modes) {
    std::sort(mode.nanoseconds.begin(), mode.nanoseconds.end());
    const double median = mode.nanoseconds[mode.nanoseconds.size() / 2];
    if (never == 0) never = median;
    std::printf("%-12s %6.0f ns per get, %.2f of never (fastest turn %.0f)\n", mode.name, median,
                median / never, mode.nanoseconds.front());
  }
  std::filesystem::remove(file);
  std::filesystem::remove(file.string() + ".lock");
}
