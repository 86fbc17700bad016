#include <quire/backup.h>

#include <iostream>
#include <memory>
#include <optional>

#include <unistd.h>

#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string target;
  std::optional<std::uint64_t> since;
  bool is_json = false;
};

std::string to_json(const quire::BackupReport& report) {
  return json_document({{"txn", report.txn},
                        {"page_count", report.page_count},
                        {"written_bytes", report.written_bytes}});
}

void write_report(Output& output, const quire::BackupReport& report, bool is_json) {
  if (is_json) {
    output.write(to_json(report));
  } else {
    output.write("commit " + std::to_string(report.txn) + ", " + human_bytes(report.written_bytes) +
                 "\n");
  }
}

quire::BackupOptions options_with(Progress& progress, const DatabaseArguments& database) {
  return {.on_progress = [&progress](std::uint64_t done,
                                     std::uint64_t total) { progress.update_of(done, total); },
          .allow_any_filesystem = database.any_filesystem};
}

ExitCode backup(const Arguments& arguments, Output& output) {
  const bool is_to_stdout = arguments.target == "-";
  if (is_to_stdout && output.is_terminal()) {
    throw Failure(ExitCode::usage, "a backup is not for terminals; redirect the output");
  }
  const quire::Database database = open_to_read(arguments.database);
  const quire::Snapshot now = database.snapshot();
  Progress progress(!arguments.is_json);
  const quire::BackupOptions options = options_with(progress, arguments.database);
  const auto write = [&](const auto& target) {
    return arguments.since ? quire::backup_since(now, *arguments.since, target, options)
                           : quire::backup(now, target, options);
  };
  if (is_to_stdout) {
    const quire::BackupReport report = write(STDOUT_FILENO);
    if (arguments.is_json) std::cerr << to_json(report);
    return ExitCode::done;
  }
  write_report(output, write(std::filesystem::path(arguments.target)), arguments.is_json);
  return ExitCode::done;
}

Run declare_backup(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command
      .add_option("TARGET", arguments->target,
                  "File to create, which must not exist; - is standard output")
      ->required();
  command
      .add_option("--since", arguments->since,
                  "Only what is younger than this commit, for kvtool apply")
      ->type_name("COMMIT");
  command.add_flag("--json", arguments->is_json,
                   "Report as one JSON object; to standard error when TARGET is -");
  return [arguments](Output& output) { return backup(*arguments, output); };
}

ExitCode apply(const Arguments& arguments, Output& output) {
  Progress progress(!arguments.is_json);
  const quire::BackupOptions options = options_with(progress, arguments.database);
  const quire::BackupReport report =
      arguments.target == "-"
          ? quire::apply_increment(arguments.database.file, STDIN_FILENO, options)
          : quire::apply_increment(arguments.database.file, std::filesystem::path(arguments.target),
                                   options);
  write_report(output, report, arguments.is_json);
  return ExitCode::done;
}

Run declare_apply(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command
      .add_option("INCREMENT", arguments->target,
                  "What kvtool backup --since has written; - is standard input")
      ->required();
  command.add_flag("--json", arguments->is_json, "Report as one JSON object");
  return [arguments](Output& output) { return apply(*arguments, output); };
}

}  // namespace

const Command kBackup = {
    "backup", "Write one commit, or what is younger than another, while others go on",
    "A backup is a database: open it, or apply increments to it. It prints the commit that it\n"
    "holds, which the next increment begins from.\n\n"
    "Examples:\n"
    "  kvtool backup people.quire monday.quire\n"
    "  kvtool backup people.quire tuesday.increment --since 4711\n"
    "  kvtool backup people.quire - | ssh elsewhere 'cat > people.quire'",
    declare_backup};

const Command kApply = {
    "apply", "Bring a backup up to date with an increment",
    "Verifies everything first; if anything is wrong, or the increment does not begin from the\n"
    "commit that the backup holds, the backup stays as it was. Nobody may have it open, and it\n"
    "must not have been written to.\n\n"
    "Example:\n"
    "  kvtool apply monday.quire tuesday.increment",
    declare_apply};

}  // namespace kvtool
