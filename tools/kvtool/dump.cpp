#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "dump_format.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  bool is_one_table = false;
};

template <typename Entries>
std::uint64_t dump_entries(Output& output, const Entries& entries) {
  std::uint64_t entry_count = 0;
  for (const auto [key, value] : entries) {
    write_dump_entry(output, key, value);
    ++entry_count;
  }
  return entry_count;
}

std::uint64_t dump_table(Output& output, const quire::Snapshot& snapshot, Bytes name) {
  const bool is_multimap = snapshot.is_multimap(name);
  write_dump_table(output, name, is_multimap);
  return is_multimap ? dump_entries(output, snapshot.multimap(name))
                     : dump_entries(output, snapshot.table(name));
}

ExitCode dump(const Arguments& arguments, Output& output) {
  const quire::Database database = open_to_read(arguments.database);
  const quire::Snapshot snapshot = database.snapshot();
  require_table(snapshot, arguments.database);

  write_dump_start(output, database.page_size_bytes());
  std::uint64_t entry_count = dump_table(output, snapshot, arguments.database.table);
  if (!arguments.is_one_table) {
    for (const std::string& name : snapshot.tables()) {
      entry_count += dump_table(output, snapshot, name);
    }
  }
  write_dump_end(output, entry_count);
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  const CLI::Option* table = command
                                 .add_option("--table", arguments->database.table,
                                             "Only this table; --table '' is the default one")
                                 ->type_name("NAME");
  return [arguments, table](Output& output) {
    arguments->is_one_table = table->count() > 0;
    return dump(*arguments, output);
  };
}

}  // namespace

const Command kDump = {
    "dump", "Print all tables in a text format that load reads back",
    "Shows one commit, whatever others write meanwhile.\n"
    "Every key, value and table name comes back byte by byte. Keys, values and names are\n"
    "escaped as in list --format text.\n\n"
    "Examples:\n"
    "  kvtool dump people.quire > people.dump\n"
    "  kvtool dump old.quire | kvtool load new.quire --format dump",
    declare};

}  // namespace kvtool
