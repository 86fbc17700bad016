#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "input.h"
#include "json.h"
#include "key_argument.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string key;
  std::string value;
  bool has_value = false;
  bool is_hex = false;
  bool is_json = false;
};

// Stores one entry; false when it is there already.
using Store = bool (*)(quire::Transaction& transaction, const std::string& table, Bytes key,
                       Bytes value);

bool put(quire::Transaction& transaction, const std::string& table, Bytes key, Bytes value) {
  quire::Table target = transaction.table(table);
  target.put(key, value);
  return true;
}

bool insert(quire::Transaction& transaction, const std::string& table, Bytes key, Bytes value) {
  quire::Multimap target = transaction.multimap(table);
  return target.insert(key, value);
}

ExitCode run(const Arguments& arguments, Store store, Output& output) {
  const std::string key = argument_bytes(arguments.key, arguments.is_hex);
  const std::string value =
      arguments.has_value ? argument_bytes(arguments.value, arguments.is_hex) : Input("-").rest();
  quire::Database database = open_or_create(arguments.database);
  bool is_new = false;
  const std::uint64_t txn = database.write([&](quire::Transaction& transaction) {
    is_new = store(transaction, arguments.database.table, key, value);
    return transaction.txn();
  });
  if (!is_new) {
    throw Failure(ExitCode::negative,
                  "key " + arguments.key + " has that value already in " + arguments.database.file);
  }
  if (arguments.is_json) output.write(json_document({{"txn", txn}}));
  return ExitCode::done;
}

Run declare(CLI::App& command, Store store) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("KEY", arguments->key, "Key")->required();
  const CLI::Option* value = command.add_option(
      "VALUE", arguments->value, "Value; without it standard input, every byte of it");
  add_table(command, arguments->database);
  command.add_flag("--hex", arguments->is_hex, "KEY and VALUE are hexadecimal");
  add_sync(command, arguments->database);
  add_page_size(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "Report the commit as one JSON object");
  return [arguments, value, store](Output& output) {
    arguments->has_value = value->count() > 0;
    return run(*arguments, store, output);
  };
}

}  // namespace

const Command kPut = {"put", "Store a value under a key, replacing what was there",
                      "Creates the file and the table if need be.\n"
                      "A key or value that begins with - goes behind --.\n\n"
                      "Examples:\n"
                      "  kvtool put people.quire ada 'Ada Lovelace'\n"
                      "  kvtool put people.quire ada.png --table portraits < ada.png",
                      [](CLI::App& command) { return declare(command, put); }};

const Command kInsert = {"insert", "Add a value to those of a key of a multimap",
                         "Creates the file and the multimap if need be; --table names it.\n"
                         "Exit code 1 when the key has the value already.\n"
                         "A key or value that begins with - goes behind --.\n\n"
                         "Example:\n"
                         "  kvtool insert people.quire Paris ada --table cities",
                         [](CLI::App& command) { return declare(command, insert); }};

}  // namespace kvtool
