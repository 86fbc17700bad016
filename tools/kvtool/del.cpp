#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "key_argument.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string key;
  bool is_hex = false;
};

ExitCode del(const Arguments& arguments) {
  const std::string key = argument_bytes(arguments.key, arguments.is_hex);
  quire::Database database = open_to_change(arguments.database);
  const bool was_there = database.write([&](quire::Transaction& transaction) {
    quire::Table table = transaction.table(arguments.database.table);
    return table.erase(key);
  });
  if (!was_there) {
    throw Failure(ExitCode::negative, "no key " + arguments.key + " in " + arguments.database.file);
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("KEY", arguments->key, "Key")->required();
  add_table(command, arguments->database);
  command.add_flag("--hex", arguments->is_hex, "KEY is hexadecimal");
  add_sync(command, arguments->database);
  return [arguments](Output&) { return del(*arguments); };
}

}  // namespace

const Command kDel = {"del", "Remove a key and its value",
                      "Exit code 1 when the key is absent.\n\n"
                      "Example:\n"
                      "  kvtool del people.quire ada",
                      declare};

}  // namespace kvtool
