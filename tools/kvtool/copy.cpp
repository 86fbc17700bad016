#include <memory>
#include <optional>

#include "command.h"
#include "database_arguments.h"
#include "end_signals.h"
#include "json.h"
#include "progress.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string target;
  bool is_json = false;
};

ExitCode copy(const Arguments& arguments, Output& output) {
  const quire::Database source = open_to_read(arguments.database);
  const quire::Snapshot now = source.snapshot();
  const EndSignals signals;
  Progress progress(!arguments.is_json, std::nullopt, Progress::Unit::entries);
  std::uint64_t entry_count = 0;
  quire::copy(now, arguments.target, options_of(arguments.database),
              [&](std::uint64_t done, std::uint64_t total) {
                EndSignals::require_none();
                entry_count = done;
                progress.update_of(done, total);
              });
  progress.finish(entry_count);
  if (arguments.is_json) {
    output.write(json_document({{"txn", now.txn()}, {"entry_count", entry_count}}));
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("TARGET", arguments->target, "File to create; must not exist")->required();
  add_sync(command, arguments->database);
  add_page_size(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "Report as one JSON object");
  return [arguments](Output& output) { return copy(*arguments, output); };
}

}  // namespace

const Command kCopy = {
    "copy", "Write all tables of one commit into a new, packed database",
    "Others may read and write the database meanwhile. Also makes a file small "
    "again, and\nchanges its page size. Until it is whole the copy is called TARGET.new.\n\n"
    "Example:\n"
    "  kvtool copy people.quire backup.quire",
    declare};

}  // namespace kvtool
