#include <quire/quire.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "columns.h"
#include "command.h"
#include "database_arguments.h"
#include "end_signals.h"
#include "json.h"
#include "numbers.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr std::size_t kReadersShown = 10;
constexpr std::size_t kBarColumns = 30;
constexpr std::chrono::milliseconds kPiece{50};  // a signal ends the command as soon as that

struct Arguments {
  DatabaseArguments database;
  double interval_seconds = 1;
  std::uint64_t count = 0;  // 0: without end
  bool is_once = false;
  bool is_json = false;
};

using Clock = std::chrono::steady_clock;

struct Sample {
  quire::Statistics statistics;
  std::vector<quire::ReaderInfo> readers;
  Clock::time_point at = Clock::now();
};

// What has happened between two samples.
struct Change {
  double commits_per_second = 0;
  std::int64_t grown_bytes = 0;
};

Change between(const Sample& before, const Sample& now) {
  const double seconds = std::max(std::chrono::duration<double>(now.at - before.at).count(), 0.001);
  return {static_cast<double>(now.statistics.txn - before.statistics.txn) / seconds,
          static_cast<std::int64_t>(now.statistics.file_bytes) -
              static_cast<std::int64_t>(before.statistics.file_bytes)};
}

std::uint64_t oldest_age(const Sample& sample) {
  std::uint64_t age = 0;
  for (const quire::ReaderInfo& reader : sample.readers) age = std::max(age, reader.age_seconds);
  return age;
}

std::string bar(std::uint64_t part, std::uint64_t whole) {
  const auto filled =
      static_cast<std::size_t>(whole == 0 ? 0 : std::min(part, whole) * kBarColumns / whole);
  return "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '.') + "]";
}

Json to_json(const Sample& sample, const Change& change) {
  const quire::Statistics& statistics = sample.statistics;
  return {{"txn", statistics.txn},
          {"commits_per_second", change.commits_per_second},
          {"file_bytes", statistics.file_bytes},
          {"grown_bytes", change.grown_bytes},
          {"used_pages", statistics.used_pages},
          {"pending_pages", statistics.pending_pages},
          {"free_pages", statistics.free_pages},
          {"log_bytes", statistics.log_bytes},
          {"log_used_bytes", statistics.log_used_bytes},
          {"checkpoint_number", statistics.checkpoint_number},
          {"process_count", statistics.process_count},
          {"reader_count", sample.readers.size()},
          {"oldest_reader_seconds", oldest_age(sample)}};
}

std::string rate(double commits_per_second) {
  return grouped(static_cast<std::uint64_t>(commits_per_second + 0.5)) + "/s";
}

std::string growth(std::int64_t bytes) {
  if (bytes == 0) return "";
  const auto size = static_cast<std::uint64_t>(bytes < 0 ? -bytes : bytes);
  return std::string(bytes < 0 ? ", -" : ", +") + human_bytes(size);
}

// One line, for pipes and files.
void write_line(Output& output, const Sample& sample, const Change& change) {
  const quire::Statistics& statistics = sample.statistics;
  output.write("commit " + grouped(statistics.txn) + "  " + rate(change.commits_per_second) +
               "  file " + human_bytes(statistics.file_bytes) + growth(change.grown_bytes) +
               "  log " + human_bytes(statistics.log_used_bytes) + " of " +
               human_bytes(statistics.log_bytes) + "  " +
               counted(statistics.process_count, "process", "processes") + "  " +
               counted(sample.readers.size(), "snapshot", "snapshots") + "\n");
}

void write_screen(Output& output, const std::string& file, const Sample& sample,
                  const Change& change) {
  const quire::Statistics& statistics = sample.statistics;
  const auto pages = [&](std::uint64_t count) {
    return human_bytes(count * statistics.page_size_bytes);
  };
  output.write("\033[H\033[2J" + output.bold(escaped(file)) + "   ^C ends\n\n");
  output.write("  commits    " + rate(change.commits_per_second) + ", newest " +
               grouped(statistics.txn) + ", checkpoint " + grouped(statistics.checkpoint_number) +
               " holds " + grouped(statistics.checkpoint_txn) + "\n");
  output.write("  log        " + bar(statistics.log_used_bytes, statistics.log_bytes) + " " +
               human_bytes(statistics.log_used_bytes) + " of " + human_bytes(statistics.log_bytes) +
               "\n");
  output.write("  file       " +
               bar(statistics.used_pages * statistics.page_size_bytes, statistics.file_bytes) +
               " " + pages(statistics.used_pages) + " used of " +
               human_bytes(statistics.file_bytes) + growth(change.grown_bytes) + "; " +
               pages(statistics.pending_pages) + " pending, " + pages(statistics.free_pages) +
               " free\n");
  output.write("  processes  " + grouped(statistics.process_count) + "\n");
  output.write("  snapshots  " + grouped(sample.readers.size()) + ", oldest " +
               grouped(oldest_age(sample)) + " s\n\n");
  if (sample.readers.empty()) return;
  std::vector<Row> rows = {{"command", "process", "age", "behind", "pins"}};
  for (const quire::ReaderInfo& reader : sample.readers) {
    if (rows.size() > kReadersShown) break;
    rows.push_back({reader.pid == 0 ? "read-only process" : escaped(reader.command),
                    reader.pid == 0 ? "" : std::to_string(reader.pid),
                    grouped(reader.age_seconds) + " s", grouped(reader.commits_behind),
                    human_bytes(reader.pinned_bytes)});
  }
  write_columns(output, rows);
}

void wait(double seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!EndSignals::is_asked_to_end() && Clock::now() < end) std::this_thread::sleep_for(kPiece);
}

ExitCode run(const Arguments& arguments, Output& output) {
  const EndSignals signals;
  const quire::Database database = open_to_read(arguments.database);
  Sample before{quire::stat(database), quire::readers(database)};
  for (std::uint64_t number = 1; !EndSignals::is_asked_to_end(); ++number) {
    wait(arguments.interval_seconds);
    Sample now{quire::stat(database), quire::readers(database)};
    const Change change = between(before, now);
    if (arguments.is_json) {
      output.write(to_json(now, change).dump() + "\n");
    } else if (output.is_screen()) {
      write_screen(output, arguments.database.file, now, change);
    } else {
      write_line(output, now, change);
    }
    output.flush();
    if (number == arguments.count) break;
    before = std::move(now);
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("--interval", arguments->interval_seconds, "Seconds between two looks")
      ->check(CLI::Range(0.05, 86400.0))
      ->type_name("SECONDS")
      ->capture_default_str();
  CLI::Option* count =
      command.add_option("--count", arguments->count, "End after so many; without it, with ^C")
          ->check(above_zero())
          ->type_name("COUNT");
  command.add_flag("--once", arguments->is_once, "The same as --count 1")->excludes(count);
  command.add_flag("--json", arguments->is_json, "One JSON object per line, sizes in bytes");
  return [arguments](Output& output) {
    if (arguments->is_once) arguments->count = 1;
    return run(*arguments, output);
  };
}

}  // namespace

const Command kTop = {"top", "Show live what happens to a database",
                      "Commits per second, log, file, processes, and the oldest snapshots. On a "
                      "terminal it\nfills the screen, otherwise it prints a line each time.\n\n"
                      "Examples:\n"
                      "  kvtool top people.quire\n"
                      "  kvtool top people.quire --json --count 10",
                      declare};

}  // namespace kvtool
