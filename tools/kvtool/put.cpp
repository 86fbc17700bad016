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

ExitCode put(const Arguments& arguments) {
  const std::string key = argument_bytes(arguments.key, arguments.is_hex);
  const std::string value =
      arguments.has_value ? argument_bytes(arguments.value, arguments.is_hex) : Input("-").rest();
  quire::Database database = open_or_create(arguments.database);
  database.write([&](quire::Transaction& transaction) {
    quire::Table table = transaction.table(arguments.database.table);
    table.put(key, value);
  });
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
    return put(*arguments);
  };
}

}  // namespace

const Command kPut = {"put", "Store a value under a key, replacing what was there",
                      "Creates the file and the table if need be.\n"
                      "A key or value that begins with - goes behind --.\n\n"
                      "Examples:\n"
                      "  kvtool put people.quire ada 'Ada Lovelace'\n"
                      "  kvtool put people.quire ada.png --table portraits < ada.png",
                      declare};

}  // namespace kvtool
