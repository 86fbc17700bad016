#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "findings.h"
#include "json.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  bool is_json = false;
};

// A database that is too damaged to be opened has failed its check as well.
quire::CheckReport report_on(const Arguments& arguments) {
  Progress progress(!arguments.is_json);
  try {
    const quire::Database database = open_to_read(arguments.database);
    const std::uint64_t page_size_bytes = database.page_size_bytes();
    return quire::check(database, [&](std::uint64_t done_pages, std::uint64_t total_pages) {
      progress.update_of(done_pages * page_size_bytes, total_pages * page_size_bytes);
    });
  } catch (const quire::Error& error) {
    if (error.code() != quire::Errc::corrupt) {
      throw;
    }
    quire::CheckReport report;
    report.faults.push_back({.page = 0, .reason = reason_of(error), .keys = {}});
    report.fault_count = 1;
    return report;
  }
}

Json to_json(const quire::CheckReport& report) {
  return {{"ok", report.ok()},
          {"txn", report.txn},
          {"page_count", report.page_count},
          {"entry_count", report.entry_count},
          {"fault_count", report.fault_count},
          {"faults", faults_json(report.faults)}};
}

void write_for_people(Output& output, const quire::CheckReport& report) {
  write_faults(output, "", report.faults, report.fault_count);
  output.write((report.ok() ? output.green("ok") : output.red("damaged")) + ": " +
               counted(report.page_count, "page", "pages") + ", " +
               counted(report.entry_count, "entry", "entries") + ", commit " + grouped(report.txn) +
               ", " + counted(report.fault_count, "fault", "faults") + "\n");
}

ExitCode check(const Arguments& arguments, Output& output) {
  const quire::CheckReport report = report_on(arguments);
  const ExitCode verdict = report.ok() ? ExitCode::done : ExitCode::negative;
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
  command.add_flag("--json", arguments->is_json, "As one JSON object");
  return [arguments](Output& output) { return check(*arguments, output); };
}

}  // namespace

const Command kCheck = {
    "check", "Verify every page, checksum and entry of a database",
    "Reads the whole file. Exit code 1 when it finds damage, which it lists, with the table and\n"
    "the keys whose entries it may have damaged or hidden: with --json as \"table\",\n"
    "\"first_key\" and \"limit_key\" (the first key behind them).\n"
    "\nExample:\n"
    "  kvtool check people.quire && echo all is well",
    declare};

}  // namespace kvtool
