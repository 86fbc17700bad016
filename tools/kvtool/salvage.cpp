#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string target;
  bool is_json = false;
};

Json to_json(const quire::Fault& loss) {
  Json json = {{"page", loss.page}, {"reason", escaped(loss.reason)}};
  if (loss.keys) {
    set_json_bytes(json, "table", loss.keys->table);
    if (loss.keys->first) {
      set_json_bytes(json, "first_key", *loss.keys->first);
    }
    if (loss.keys->limit) {
      set_json_bytes(json, "limit_key", *loss.keys->limit);
    }
  }
  return json;
}

Json to_json(const quire::SalvageReport& report) {
  Json losses = Json::array();
  for (const quire::Fault& loss : report.losses) {
    losses.push_back(to_json(loss));
  }
  return {{"complete", report.is_complete()},
          {"table_count", report.table_count},
          {"entry_count", report.entry_count},
          {"missing_entry_count", report.missing_entry_count},
          {"loss_count", report.loss_count},
          {"losses", losses},
          {"doubts", report.doubts}};
}

void write_for_people(Output& output, const quire::SalvageReport& report) {
  for (const quire::Fault& loss : report.losses) {
    const std::string page = loss.page == 0 ? "" : "page " + std::to_string(loss.page) + ": ";
    output.write("lost: " + page + escaped(loss.reason) + "\n");
  }
  if (report.loss_count > report.losses.size()) {
    output.write("and " + grouped(report.loss_count - report.losses.size()) + " more\n");
  }
  for (const std::string& doubt : report.doubts) {
    output.write("doubtful: " + doubt + "\n");
  }
  output.write((report.is_complete() ? output.green("all") : output.red("not all")) + ": " +
               counted(report.entry_count, "entry", "entries") + " in the default table and " +
               counted(report.table_count, "named one", "named ones") + "; " +
               counted(report.loss_count, "loss", "losses") + "\n");
}

ExitCode salvage(const Arguments& arguments, Output& output) {
  quire::Options options = options_of(arguments.database);
  options.guard_sigbus = true;  // what the disk cannot read is one more loss
  const quire::SalvageReport report =
      quire::salvage(arguments.database.file, arguments.target, options);
  const ExitCode verdict = report.is_complete() ? ExitCode::done : ExitCode::negative;
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
