#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  bool is_json = false;
};

// A database that is too damaged to be opened has failed its check as well.
quire::CheckReport report_on(const DatabaseArguments& arguments) {
  try {
    return quire::check(open_to_read(arguments));
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

void set_keys(Json& json, const quire::AffectedKeys& keys) {
  set_json_bytes(json, "table", keys.table);
  if (keys.first) {
    set_json_bytes(json, "first_key", *keys.first);
  }
  if (keys.limit) {
    set_json_bytes(json, "limit_key", *keys.limit);
  }
}

Json to_json(const quire::Fault& fault) {
  Json json = {{"page", fault.page}, {"reason", fault.reason}};
  if (fault.keys) {
    set_keys(json, *fault.keys);
  }
  return json;
}

Json to_json(const quire::CheckReport& report) {
  Json faults = Json::array();
  for (const quire::Fault& fault : report.faults) {
    faults.push_back(to_json(fault));
  }
  return {{"ok", report.ok()},
          {"txn", report.txn},
          {"page_count", report.page_count},
          {"entry_count", report.entry_count},
          {"fault_count", report.fault_count},
          {"faults", faults}};
}

void write_for_people(Output& output, const quire::CheckReport& report) {
  for (const quire::Fault& fault : report.faults) {
    const std::string page = fault.page == 0 ? "" : "page " + std::to_string(fault.page) + ": ";
    output.write(page + escaped(fault.reason) + "\n");
  }
  if (report.fault_count > report.faults.size()) {
    output.write("and " + grouped(report.fault_count - report.faults.size()) + " more\n");
  }
  output.write((report.ok() ? output.green("ok") : output.red("damaged")) + ": " +
               counted(report.page_count, "page", "pages") + ", " +
               counted(report.entry_count, "entry", "entries") + ", commit " + grouped(report.txn) +
               ", " + counted(report.fault_count, "fault", "faults") + "\n");
}

ExitCode check(const Arguments& arguments, Output& output) {
  const quire::CheckReport report = report_on(arguments.database);
  const ExitCode verdict = report.ok() ? ExitCode::done : ExitCode::negative;
  try {
    if (arguments.is_json) {
      output.write(json_document(to_json(report)));
    } else {
      write_for_people(output, report);
    }
    output.flush();
  } catch (const OutputClosed&) {
    return verdict;  // the exit code tells it even when nobody reads on
  }
  return verdict;
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
