#include <quire/quire.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>

#include <sys/utsname.h>
#include <unistd.h>

#include "columns.h"
#include "command.h"
#include "end_signals.h"
#include "json.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr std::size_t kKeyBytes = 16;
constexpr std::uint64_t kBatch = 1000;

struct Arguments {
  std::string directory;
  double seconds = 1;
  std::uint64_t entries = 1'000'000;
  std::uint64_t value_bytes = 100;
  bool is_json = false;
};

struct Result {
  std::string what;
  std::uint64_t count = 0;
  double seconds = 0;
  std::vector<double> latencies = {};  // of each operation, in seconds, where they were taken

  double rate() const { return static_cast<double>(count) / std::max(seconds, 1e-9); }
  // In microseconds.
  double percentile(std::size_t percent) const {
    if (latencies.empty()) return 0;
    return latencies[std::min(latencies.size() - 1, latencies.size() * percent / 100)] * 1e6;
  }
};

std::uint64_t mixed(std::uint64_t number) noexcept {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

// Of entry `number`: spread over all keys, the same each time.
std::string key_of(std::uint64_t number) {
  const std::uint64_t words[2] = {mixed(number + 1), number};
  std::string key(kKeyBytes, '\0');
  std::memcpy(key.data(), words, sizeof words);
  return key;
}

std::string line_of(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t text = line.find_first_not_of(" \t:", name.size());
    return text == std::string::npos ? "" : line.substr(text);
  }
  return "";
}

// Gone with the object.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& directory)
      : path_(std::filesystem::path(directory) /
              ("kvtool-bench-" + std::to_string(::getpid()) + ".quire")) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
    path_ += ".lock";
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class Bench {
 public:
  explicit Bench(const Arguments& arguments)
      : arguments_(arguments), file_(arguments.directory), database_(file_.path()) {}

  std::vector<Result> run() {
    load();
    commits("durable commits of one put", 1, quire::Durability::full);
    commits("durable commits of 1000 puts", kBatch, quire::Durability::full);
    commits("relaxed commits of one put", 1, quire::Durability::relaxed);
    gets();
    gets_together();
    scan();
    return std::move(results_);
  }

  Json facts() const {
    const quire::FileFacts file = quire::look_at(file_.path());
    utsname system = {};
    ::uname(&system);
    return {{"processor", line_of("/proc/cpuinfo", "model name")},
            {"processors", std::thread::hardware_concurrency()},
            {"memory", line_of("/proc/meminfo", "MemTotal")},
            {"system", std::string(system.sysname) + " " + system.release},
            {"file_system", file.filesystem},
            {"version", quire::version()},
            {"entries", arguments_.entries},
            {"key_bytes", kKeyBytes},
            {"value_bytes", arguments_.value_bytes}};
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  // Repeats a step, which says how many operations it was, for the time asked for.
  void measure(const std::string& what, bool takes_latencies,
               const std::function<std::uint64_t()>& step) {
    Result result{.what = what};
    const auto start = Clock::now();
    do {
      EndSignals::require_none();
      const auto before = Clock::now();
      result.count += step();
      if (takes_latencies) result.latencies.push_back(since(before));
      result.seconds = since(start);
    } while (result.seconds < arguments_.seconds);
    std::sort(result.latencies.begin(), result.latencies.end());
    results_.push_back(std::move(result));
  }

  std::string value_of(std::uint64_t number) const {
    std::string value(arguments_.value_bytes, '.');
    const std::uint64_t word = mixed(number);
    std::memcpy(value.data(), &word, std::min(sizeof word, value.size()));
    return value;
  }

  void load() {
    const auto start = Clock::now();
    for (std::uint64_t at = 0; at < arguments_.entries; at += kBatch) {
      EndSignals::require_none();
      database_.write([&](quire::Transaction& transaction) {
        quire::Table table = transaction.table();
        for (std::uint64_t i = at; i < std::min(at + kBatch, arguments_.entries); ++i) {
          table.put(key_of(i), value_of(i));
        }
      });
    }
    results_.push_back({.what = "load, durable commits of 1000 puts",
                        .count = arguments_.entries,
                        .seconds = since(start)});
  }

  void commits(const char* what, std::uint64_t puts, quire::Durability durability) {
    measure(what, true, [&] {
      quire::Transaction transaction = database_.begin();
      quire::Table table = transaction.table();
      for (std::uint64_t i = 0; i < puts; ++i) {
        table.put(key_of(next_entry()), value_of(step_));
      }
      transaction.commit(durability);
      return puts;
    });
    database_.sync();
  }

  std::uint64_t next_entry() noexcept { return mixed(++step_) % arguments_.entries; }

  void gets() {
    const quire::Snapshot now = database_.snapshot();
    const quire::TableView table = now.table();
    measure("gets, one after the other", false, [&] {
      for (std::uint64_t i = 0; i < kBatch; ++i) require(table.get(key_of(next_entry())));
      return kBatch;
    });
  }

  void gets_together() {
    constexpr std::size_t kTogether = 64;
    const quire::Snapshot now = database_.snapshot();
    const quire::TableView table = now.table();
    std::vector<std::string> keys(kTogether);
    std::vector<Bytes> views(kTogether);
    std::vector<std::optional<Bytes>> values(kTogether);
    measure("gets, 64 together", false, [&] {
      for (std::size_t i = 0; i < kTogether; ++i) views[i] = keys[i] = key_of(next_entry());
      table.get_many(views, values);
      for (const auto& value : values) require(value);
      return kTogether;
    });
  }

  void scan() {
    const quire::Snapshot now = database_.snapshot();
    measure("entries in order", false, [&] {
      std::uint64_t count = 0;
      for (const auto [key, value] : now.table()) count += value.size() <= value.max_size();
      return count;
    });
  }

  static void require(const std::optional<Bytes>& value) {
    if (!value) throw Failure(ExitCode::refused, "an entry is missing");
  }

  const Arguments& arguments_;
  ScratchFile file_;
  quire::Database database_;
  std::vector<Result> results_;
  std::uint64_t step_ = 0;
};

std::string text_of(const Json& fact) {
  return fact.is_string() ? fact.get<std::string>() : fact.dump();
}

void write_text(Output& output, const Json& facts, const std::vector<Result>& results) {
  for (const auto& [name, fact] : facts.items()) {
    output.write("  " + name + std::string(14 - name.size(), ' ') + escaped(text_of(fact)) + "\n");
  }
  output.write("\n");
  std::vector<Row> rows = {{"what", "per second", "p50 us", "p99 us"}};
  for (const Result& result : results) {
    const auto microseconds = [&](std::size_t percent) {
      return result.latencies.empty()
                 ? std::string()
                 : grouped(static_cast<std::uint64_t>(result.percentile(percent) + 0.5));
    };
    rows.push_back({result.what, grouped(static_cast<std::uint64_t>(result.rate())),
                    microseconds(50), microseconds(99)});
  }
  write_columns(output, rows);
}

ExitCode run(const Arguments& arguments, Output& output) {
  const EndSignals signals;
  Bench bench(arguments);
  const std::vector<Result> results = bench.run();
  Json facts = bench.facts();
  if (!arguments.is_json) {
    write_text(output, facts, results);
    return ExitCode::done;
  }
  facts["results"] = Json::array();
  for (const Result& result : results) {
    Json json = {{"what", result.what}, {"count", result.count}, {"seconds", result.seconds}};
    if (!result.latencies.empty()) {
      json["p50_us"] = result.percentile(50);
      json["p99_us"] = result.percentile(99);
    }
    facts["results"].push_back(json);
  }
  output.write(json_document(facts));
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("DIRECTORY", arguments->directory, "Where to make a database for it")
      ->required()
      ->check(CLI::ExistingDirectory);
  command.add_option("--seconds", arguments->seconds, "For each measurement but the load")
      ->check(CLI::Range(0.01, 3600.0))
      ->type_name("SECONDS")
      ->capture_default_str();
  command.add_option("--entries", arguments->entries, "Entries to load")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->type_name("COUNT")
      ->capture_default_str();
  command.add_option("--value", arguments->value_bytes, "Bytes of each value")
      ->check(CLI::Range(0, 1 << 20))
      ->type_name("BYTES")
      ->capture_default_str();
  command.add_flag("--json", arguments->is_json, "As one JSON object");
  return [arguments](Output& output) { return run(*arguments, output); };
}

}  // namespace

const Command kBench = {"bench", "Measure what this machine and disk do with a database",
                        "One process, one thread, random keys of 16 bytes; the file is removed "
                        "afterwards. What\nanother process does at the same time counts.\n\n"
                        "Example:\n"
                        "  kvtool bench /var/lib --entries 100000",
                        declare};

}  // namespace kvtool
