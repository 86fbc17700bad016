#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

// Steps without the end coming lower: others fill the file as fast as it is emptied.
constexpr int kIdleStepsMax = 16;

struct Arguments {
  DatabaseArguments database;
  std::uint64_t step_mib = 16;
  bool is_json = false;
};

struct Outcome {
  std::uint64_t before_bytes = 0;
  std::uint64_t used_bytes = 0;
};

Outcome compact_all(quire::Database& database, const Arguments& arguments) {
  Outcome outcome;
  Progress progress(!arguments.is_json);
  int idle_steps = 0;
  for (bool is_first = true;; is_first = false) {
    const auto start = std::chrono::steady_clock::now();
    const quire::CompactReport report = quire::compact(database, arguments.step_mib << 20);
    if (is_first) outcome = {report.used_bytes, report.used_bytes};
    idle_steps = report.used_bytes < outcome.used_bytes || is_first ? 0 : idle_steps + 1;
    outcome.used_bytes = std::min(outcome.used_bytes, report.used_bytes);
    if (report.is_done || idle_steps == kIdleStepsMax) return outcome;
    progress.update_of(outcome.before_bytes - outcome.used_bytes,
                       outcome.before_bytes - std::min(outcome.before_bytes, report.wanted_bytes));
    // Half of the time belongs to other writers.
    std::this_thread::sleep_for(std::chrono::steady_clock::now() - start);
  }
}

ExitCode run(const Arguments& arguments, Output& output) {
  Outcome outcome;
  std::uint64_t before_bytes = 0;
  std::uint64_t others = 0;
  {
    quire::Database database = open_to_change(arguments.database);
    before_bytes = std::filesystem::file_size(arguments.database.file);
    outcome = compact_all(database, arguments);
    others = quire::stat(database).process_count - 1;
  }
  const std::uint64_t after_bytes = std::filesystem::file_size(arguments.database.file);
  if (arguments.is_json) {
    output.write(json_document({{"file_bytes_before", before_bytes},
                                {"file_bytes", after_bytes},
                                {"used_bytes", outcome.used_bytes},
                                {"other_process_count", others}}));
    return ExitCode::done;
  }
  output.write(human_bytes(before_bytes) + " before, " + human_bytes(after_bytes) + " now\n");
  if (others > 0) {
    output.write(counted(others, "process has", "processes have") + " it open: when the last one " +
                 "closes it, it is cut to about " + human_bytes(outcome.used_bytes) + "\n");
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("--step", arguments->step_mib, "MiB moved at once; writers wait for one step")
      ->check(CLI::Range(1, 1024))
      ->type_name("MIB")
      ->capture_default_str();
  command.add_flag("--json", arguments->is_json, "Report as one JSON object, sizes in bytes");
  return [arguments](Output& output) { return run(*arguments, output); };
}

}  // namespace

const Command kCompact = {
    "compact", "Make a file smaller while others read and write it",
    "Moves what stands at its end to free pages before, in small steps. The file is cut when the\n"
    "last process closes it. For pages that are full as well, use kvtool copy.\n\n"
    "Example:\n"
    "  kvtool compact people.quire",
    declare};

}  // namespace kvtool
