#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "key_argument.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string key;
  std::string value;
  bool has_value = false;
  bool is_hex = false;
};

bool erase(quire::Transaction& transaction, const Arguments& arguments) {
  const std::string key = argument_bytes(arguments.key, arguments.is_hex);
  if (arguments.has_value) {
    quire::Multimap multimap = transaction.multimap(arguments.database.table);
    return multimap.erase(key, argument_bytes(arguments.value, arguments.is_hex));
  }
  if (transaction.is_multimap(arguments.database.table)) {
    quire::Multimap multimap = transaction.multimap(arguments.database.table);
    return multimap.erase(key) > 0;
  }
  quire::Table table = transaction.table(arguments.database.table);
  return table.erase(key);
}

ExitCode del(const Arguments& arguments) {
  quire::Database database = open_to_change(arguments.database);
  const bool was_there = database.write(
      [&](quire::Transaction& transaction) { return erase(transaction, arguments); });
  if (!was_there) {
    throw Failure(ExitCode::negative, "no key " + arguments.key + " in " + arguments.database.file);
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("KEY", arguments->key, "Key")->required();
  const CLI::Option* value = command.add_option(
      "VALUE", arguments->value, "Of a multimap only this value; without it all of the key");
  add_table(command, arguments->database);
  command.add_flag("--hex", arguments->is_hex, "KEY and VALUE are hexadecimal");
  add_sync(command, arguments->database);
  return [arguments, value](Output&) {
    arguments->has_value = value->count() > 0;
    return del(*arguments);
  };
}

}  // namespace

const Command kDel = {"del", "Remove a key and its value",
                      "Exit code 1 when the key, or of a multimap the value, is absent.\n\n"
                      "Example:\n"
                      "  kvtool del people.quire ada",
                      declare};

}  // namespace kvtool
