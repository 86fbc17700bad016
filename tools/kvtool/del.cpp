#include <memory>
#include <optional>

#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "key_argument.h"
#include "key_range.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string key;
  std::string value;
  KeyRange range;
  bool has_key = false;
  bool has_value = false;
  bool is_all = false;
  bool is_hex = false;
  bool is_json = false;

  bool is_range() const { return range.is_given() || is_all; }
};

// An unset variable of a script makes an empty one, which would not bound anything.
void require_bound(const char* option, const std::optional<std::string>& bound) {
  if (!bound || !bound->empty()) return;
  throw Failure(ExitCode::usage, std::string(option) +
                                     " is empty; leave it out where nothing bounds the range, and "
                                     "say --all to remove every key");
}

void require_sense(const Arguments& arguments) {
  if (arguments.has_key && arguments.is_range()) {
    throw Failure(ExitCode::usage, "KEY and a range of keys do not go together");
  }
  if (!arguments.has_key && !arguments.is_range()) {
    throw Failure(ExitCode::usage, "say what to remove: KEY, --prefix, --from, --to or --all");
  }
  if (arguments.is_all && arguments.range.is_given()) {
    throw Failure(ExitCode::usage, "--all and a range of keys do not go together");
  }
  const KeyRange& range = arguments.range;
  require_bound("--prefix", range.prefix);
  require_bound("--from", range.from);
  require_bound("--to", range.to);
  if (range.prefix && (range.from || range.to)) {
    throw Failure(ExitCode::usage, "--prefix does not go together with --from or --to");
  }
}

std::uint64_t erase_range(quire::Table& table, const KeyBounds& bounds) {
  if (bounds.limit) return table.erase(bounds.first, *bounds.limit);
  return table.erase(quire::Range(table.lower_bound(bounds.first), table.end()));
}

// What the arguments mean as bytes.
struct Wanted {
  std::string key;
  std::optional<std::string> value;
  std::optional<KeyBounds> bounds;
};

Wanted wanted_by(const Arguments& arguments) {
  require_sense(arguments);
  Wanted wanted;
  wanted.key = argument_bytes(arguments.key, arguments.is_hex);
  if (arguments.has_value) wanted.value = argument_bytes(arguments.value, arguments.is_hex);
  if (arguments.is_range()) wanted.bounds = bounds_of(arguments.range, arguments.is_hex);
  return wanted;
}

// How many entries went.
std::uint64_t erase(quire::Transaction& transaction, const std::string& name,
                    const Wanted& wanted) {
  if (wanted.value || transaction.is_multimap(name)) {
    quire::Multimap multimap = transaction.multimap(name);
    if (wanted.bounds) return multimap.erase_keys(wanted.bounds->first, wanted.bounds->limit);
    if (!wanted.value) return multimap.erase(wanted.key);
    return multimap.erase(wanted.key, *wanted.value) ? 1 : 0;
  }
  quire::Table table = transaction.table(name);
  if (wanted.bounds) return erase_range(table, *wanted.bounds);
  return table.erase(wanted.key) ? 1 : 0;
}

ExitCode del(const Arguments& arguments, Output& output) {
  const Wanted wanted = wanted_by(arguments);
  quire::Database database = open_to_change(arguments.database);
  std::uint64_t count = 0;
  const std::uint64_t txn = database.write([&](quire::Transaction& transaction) {
    count = erase(transaction, arguments.database.table, wanted);
    return transaction.txn();
  });
  if (count == 0) {
    throw Failure(ExitCode::negative, "no key " +
                                          (arguments.is_range() ? "of that range" : arguments.key) +
                                          " in " + arguments.database.file);
  }
  if (arguments.is_json) {
    output.write(json_document({{"txn", txn}, {"erased_count", count}}));
  } else if (arguments.is_range()) {
    output.write(counted(count, "entry", "entries") + " removed\n");
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  const CLI::Option* key = command.add_option("KEY", arguments->key, "Key; or one of the ranges");
  const CLI::Option* value = command.add_option(
      "VALUE", arguments->value, "Of a multimap only this value; without it all of the key");
  add_table(command, arguments->database);
  add_key_range(command, arguments->range);
  command.add_flag("--all", arguments->is_all, "Every key; the table stays");
  command.add_flag("--hex", arguments->is_hex, "Keys and VALUE are hexadecimal");
  add_sync(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "Report the commit as one JSON object");
  return [arguments, key, value](Output& output) {
    arguments->has_key = key->count() > 0;
    arguments->has_value = value->count() > 0;
    return del(*arguments, output);
  };
}

}  // namespace

const Command kDel = {
    "del", "Remove a key and its value, or a range of keys",
    "A range is removed by one commit, without asking; it says how many entries went. It is that\n"
    "of --prefix, or of --from, --to or both, none of them empty, or of --all. Exit code 1 when\n"
    "there is no such key, of a multimap no such value, or nothing in the range.\n\n"
    "Examples:\n"
    "  kvtool del people.quire ada\n"
    "  kvtool del people.quire --prefix 2023-\n"
    "  kvtool del people.quire --from a --to m --table visitors",
    declare};

}  // namespace kvtool
