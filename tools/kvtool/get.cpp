#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "key_argument.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string key;
  bool is_hex = false;
  bool is_json = false;
};

[[noreturn]] void refuse(const Arguments& arguments) {
  throw Failure(ExitCode::negative, "no key " + arguments.key + " in " + arguments.database.file);
}

ExitCode get_values(const Arguments& arguments, const quire::MultimapView& multimap,
                    const std::string& key, Output& output) {
  if (!multimap.contains(key)) {
    refuse(arguments);
  }
  for (const Bytes value : multimap.values(key)) {
    if (arguments.is_json) {
      write_json_entry(output, key, value);
    } else {
      output.write(value);
      output.write("\n");
    }
  }
  output.flush();
  return ExitCode::done;
}

ExitCode get(const Arguments& arguments, Output& output) {
  const std::string key = argument_bytes(arguments.key, arguments.is_hex);
  const quire::Database database = open_to_read(arguments.database);
  const quire::Snapshot snapshot = database.snapshot();
  if (snapshot.is_multimap(arguments.database.table)) {
    return get_values(arguments, snapshot.multimap(arguments.database.table), key, output);
  }
  const auto value = snapshot.table(arguments.database.table).get(key);
  if (!value) {
    refuse(arguments);
  }
  if (arguments.is_json) {
    write_json_entry(output, key, *value);
    output.flush();
    return ExitCode::done;
  }
  output.write(*value);
  if (output.is_terminal() && !value->ends_with('\n')) {
    output.write("\n");
  }
  // While the snapshot lives: the value points into it.
  output.flush();
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("KEY", arguments->key, "Key")->required();
  add_table(command, arguments->database);
  command.add_flag("--hex", arguments->is_hex, "KEY is hexadecimal");
  command.add_flag("--json", arguments->is_json,
                   "Key and value as a JSON object, of a multimap one per line");
  return [arguments](Output& output) { return get(*arguments, output); };
}

}  // namespace

const Command kGet = {"get", "Print the value of a key",
                      "Prints the bytes of the value and nothing else; on a terminal a line feed "
                      "follows.\nOf a multimap all values, each followed by a line feed.\n"
                      "Exit code 1 when the key is absent.\n\n"
                      "Examples:\n"
                      "  kvtool get people.quire ada\n"
                      "  kvtool get people.quire ada.png --table portraits > ada.png",
                      declare};

}  // namespace kvtool
