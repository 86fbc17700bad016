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

ExitCode tables(const Arguments& arguments, Output& output) {
  const quire::Database database = open_to_read(arguments.database);
  const quire::Snapshot snapshot = database.snapshot();
  Json list = Json::array();
  for (const std::string& name : snapshot.tables()) {
    if (arguments.is_json) {
      Json table;
      set_json_bytes(table, "name", name);
      const bool is_multimap = snapshot.is_multimap(name);
      table["is_multimap"] = is_multimap;
      table["entry_count"] =
          is_multimap ? snapshot.multimap(name).size() : snapshot.table(name).size();
      list.push_back(table);
    } else {
      output.write(escaped(name) + "\n");
    }
  }
  if (arguments.is_json) {
    output.write(json_document(list));
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "As a JSON list, with the number of entries");
  return [arguments](Output& output) { return tables(*arguments, output); };
}

}  // namespace

const Command kTables = {"tables", "Print the names of the tables",
                         "One name per line, escaped as in list --format text; the default table "
                         "has none.\n\n"
                         "Example:\n"
                         "  kvtool tables people.quire",
                         declare};

}  // namespace kvtool
