#include <memory>
#include <optional>

#include "command.h"
#include "database_arguments.h"
#include "progress.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string target;
};

ExitCode copy(const Arguments& arguments) {
  const quire::Database source = open_to_read(arguments.database);
  Progress progress(std::nullopt, Progress::Unit::entries);
  quire::copy(source.snapshot(), arguments.target, options_of(arguments.database),
              [&](std::uint64_t done, std::uint64_t total) { progress.update_of(done, total); });
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("TARGET", arguments->target, "File to create; must not exist")->required();
  add_sync(command, arguments->database);
  add_page_size(command, arguments->database);
  return [arguments](Output&) { return copy(*arguments); };
}

}  // namespace

const Command kCopy = {"copy", "Write all tables of one commit into a new, packed database",
                       "Others may read and write the database meanwhile. Also makes a file small "
                       "again, and\nchanges its page size.\n\n"
                       "Example:\n"
                       "  kvtool copy people.quire backup.quire",
                       declare};

}  // namespace kvtool
