#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "end_signals.h"
#include "findings.h"
#include "json.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string target;
  bool is_json = false;
};

Json to_json(const quire::SalvageReport& report) {
  return {{"complete", report.is_complete()},
          {"table_count", report.table_count},
          {"entry_count", report.entry_count},
          {"missing_entry_count", report.missing_entry_count},
          {"loss_count", report.loss_count},
          {"losses", faults_json(report.losses)},
          {"doubts", report.doubts}};
}

void write_for_people(Output& output, const quire::SalvageReport& report) {
  write_faults(output, "lost: ", report.losses, report.loss_count);
  for (const std::string& doubt : report.doubts) {
    output.write("doubtful: " + doubt + "\n");
  }
  output.write((report.is_complete() ? output.green("all") : output.red("not all")) + ": " +
               counted(report.entry_count, "entry", "entries") + " in the default table and " +
               counted(report.table_count, "named one", "named ones") + "; " +
               counted(report.loss_count, "loss", "losses") + "\n");
}

quire::SalvageReport report_on(const Arguments& arguments) {
  quire::Options options = options_of(arguments.database);
  options.guard_sigbus = true;  // what the disk cannot read is one more loss
  const EndSignals signals;
  Progress progress(!arguments.is_json, std::nullopt, Progress::Unit::pages);
  return quire::salvage(arguments.database.file, arguments.target, options,
                        [&](std::uint64_t done, std::uint64_t total) {
                          EndSignals::require_none();
                          progress.update_of(done, total);
                        });
}

ExitCode salvage(const Arguments& arguments, Output& output) {
  const quire::SalvageReport report = report_on(arguments);
  const ExitCode verdict = report.is_complete() ? ExitCode::done : ExitCode::negative;
  return deliver(output, verdict, [&] {
    if (arguments.is_json) {
      output.write(json_document(to_json(report)));
    } else {
      write_for_people(output, report);
    }
  });
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("TARGET", arguments->target, "File to create; must not exist")->required();
  add_page_size(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "As one JSON object");
  return [arguments](Output& output) { return salvage(*arguments, output); };
}

}  // namespace

const Command kSalvage = {
    "salvage", "Copy what can still be read of a damaged database into a new one",
    "Works on files that cannot be opened any more, and never writes to FILE. Copies what its\n"
    "checksums prove, goes around what is damaged, and lists what is lost: pages, tables, keys.\n"
    "A table whose name is lost comes out as salvaged-NUMBER. Exit code 1 when something is lost\n"
    "or doubtful, 3 when nothing could be done.\n\n"
    "Example:\n"
    "  kvtool salvage broken.quire mended.quire && kvtool check mended.quire",
    declare};

}  // namespace kvtool
