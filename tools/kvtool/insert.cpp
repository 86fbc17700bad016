#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "input.h"
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

ExitCode insert(const Arguments& arguments) {
  const std::string key = argument_bytes(arguments.key, arguments.is_hex);
  const std::string value =
      arguments.has_value ? argument_bytes(arguments.value, arguments.is_hex) : Input("-").rest();
  quire::Database database = open_or_create(arguments.database);
  bool is_new = false;
  database.write([&](quire::Transaction& transaction) {
    quire::Multimap multimap = transaction.multimap(arguments.database.table);
    is_new = multimap.insert(key, value);
  });
  if (!is_new) {
    throw Failure(ExitCode::negative,
                  "key " + arguments.key + " has that value already in " + arguments.database.file);
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("KEY", arguments->key, "Key")->required();
  const CLI::Option* value = command.add_option(
      "VALUE", arguments->value, "Value; without it standard input, every byte of it");
  add_table(command, arguments->database);
  command.add_flag("--hex", arguments->is_hex, "KEY and VALUE are hexadecimal");
  add_sync(command, arguments->database);
  add_page_size(command, arguments->database);
  return [arguments, value](Output&) {
    arguments->has_value = value->count() > 0;
    return insert(*arguments);
  };
}

}  // namespace

const Command kInsert = {"insert", "Add a value to those of a key of a multimap",
                         "Creates the file and the multimap if need be; --table names it.\n"
                         "Exit code 1 when the key has the value already.\n"
                         "A key or value that begins with - goes behind --.\n\n"
                         "Example:\n"
                         "  kvtool insert people.quire Paris ada --table cities",
                         declare};

}  // namespace kvtool
