#include <memory>
#include <vector>

#include "columns.h"
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

Json to_json(const quire::ReaderInfo& reader) {
  Json json = {{"txn", reader.txn},
               {"commits_behind", reader.commits_behind},
               {"age_seconds", reader.age_seconds},
               {"pinned_bytes", reader.pinned_bytes},
               {"pid", reader.pid},
               {"pid_namespace", reader.pid_namespace},
               {"thread", reader.thread}};
  set_json_bytes(json, "command", reader.command);
  return json;
}

// "7 s", "12 min", "3 h", "41 d": what is left out does not matter to whoever looks for slow ones.
std::string age(std::uint64_t seconds) {
  if (seconds < 100) return grouped(seconds) + " s";
  if (seconds < 100 * 60) return grouped(seconds / 60) + " min";
  if (seconds < std::uint64_t{100} * 3600) return grouped(seconds / 3600) + " h";
  return grouped(seconds / 86400) + " d";
}

std::string command_of(const quire::ReaderInfo& reader) {
  if (reader.pid == 0) return "read-only process";
  const std::string command = escaped(reader.command);
  if (reader.pid_namespace == 0) return command;
  return command + " in PID namespace " + std::to_string(reader.pid_namespace);
}

Row row_of(const quire::ReaderInfo& reader) {
  const bool is_known = reader.pid != 0;
  return {command_of(reader),
          is_known ? std::to_string(reader.pid) : "-",
          is_known ? std::to_string(reader.thread) : "-",
          is_known ? age(reader.age_seconds) : "-",
          grouped(reader.txn),
          grouped(reader.commits_behind),
          human_bytes(reader.pinned_bytes)};
}

ExitCode readers(const Arguments& arguments, Output& output) {
  const quire::Database database = open_to_read(arguments.database);
  const std::vector<quire::ReaderInfo> readers = quire::readers(database);
  if (arguments.is_json) {
    Json list = Json::array();
    for (const quire::ReaderInfo& reader : readers) list.push_back(to_json(reader));
    output.write(json_document(list));
    return ExitCode::done;
  }
  if (readers.empty()) {
    output.write("no snapshot is open\n");
    return ExitCode::done;
  }
  std::vector<Row> rows = {{"command", "process", "thread", "age", "commit", "behind", "pins"}};
  for (const quire::ReaderInfo& reader : readers) rows.push_back(row_of(reader));
  write_columns(output, rows);
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "As a JSON list, sizes in bytes");
  return [arguments](Output& output) { return readers(*arguments, output); };
}

}  // namespace

const Command kReaders = {
    "readers", "Show who has snapshots open, and what they keep",
    "One line per snapshot, oldest first: process, thread, age, the commit that it shows and how\n"
    "many commits it is behind, and about how much of the file it keeps from being used again.\n\n"
    "Example:\n"
    "  kvtool readers people.quire",
    declare};

}  // namespace kvtool
