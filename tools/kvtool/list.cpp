#include <limits>
#include <memory>
#include <optional>

#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "key_range.h"
#include "numbers.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  KeyRange range;
  bool is_reverse = false;
  bool is_keys_only = false;
  bool is_hex = false;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  std::string format;
  bool is_json = false;
};

template <typename View>
auto range_of(const View& table, const KeyBounds& bounds) {
  using Range = decltype(table.range(bounds.first, bounds.first));
  return bounds.limit ? table.range(bounds.first, *bounds.limit)
                      : Range(table.lower_bound(bounds.first), table.end());
}

// An entry or a pair. What is not printed of it is not read.
class Position {
 public:
  virtual Bytes key() const = 0;
  virtual Bytes value() const = 0;

 protected:
  ~Position() = default;
};

template <typename Cursor>
class PositionOf final : public Position {
 public:
  explicit PositionOf(const Cursor& at) : at_(at) {}
  Bytes key() const override { return at_.key(); }
  Bytes value() const override { return at_.value(); }

 private:
  const Cursor& at_;
};

using WriteEntry = void (*)(Output& output, const Position& at, bool is_keys_only);

void write_text(Output& output, const Position& at, bool is_keys_only) {
  output.write(output.bold(escaped(at.key())));
  if (!is_keys_only) {
    output.write("\t");
    write_escaped(output, at.value());
  }
  output.write("\n");
}

void write_json(Output& output, const Position& at, bool is_keys_only) {
  write_json_entry(output, at.key(),
                   is_keys_only ? std::nullopt : std::optional<Bytes>(at.value()));
}

void write_hex_entry(Output& output, const Position& at, bool is_keys_only) {
  write_hex(output, at.key());
  if (!is_keys_only) {
    output.write("\t");
    write_hex(output, at.value());
  }
  output.write("\n");
}

WriteEntry writer_of(const std::string& format) {
  if (format == "json") {
    return write_json;
  }
  return format == "hex" ? write_hex_entry : write_text;
}

template <typename View>
void list(const View& table, const KeyBounds& bounds, const Arguments& arguments, Output& output) {
  const WriteEntry write_entry = writer_of(arguments.format);
  const auto range = range_of(table, bounds);
  auto first = range.begin();
  auto last = range.end();
  for (std::uint64_t left = arguments.limit; left > 0 && first != last; --left) {
    if (arguments.is_reverse) {
      --last;
      write_entry(output, PositionOf(last), arguments.is_keys_only);
    } else {
      write_entry(output, PositionOf(first), arguments.is_keys_only);
      ++first;
    }
  }
}

ExitCode list(const Arguments& arguments, Output& output) {
  const KeyBounds bounds = bounds_of(arguments.range, arguments.is_hex);
  const quire::Database database = open_to_read(arguments.database);
  const quire::Snapshot snapshot = database.snapshot();
  require_table(snapshot, arguments.database);
  const std::string& name = arguments.database.table;
  if (snapshot.is_multimap(name)) {
    list(snapshot.multimap(name), bounds, arguments, output);
  } else {
    list(snapshot.table(name), bounds, arguments, output);
  }
  return ExitCode::done;
}

void choose_format(Arguments& arguments) {
  if (!arguments.format.empty()) return;
  arguments.format = arguments.is_json ? "json" : arguments.is_hex ? "hex" : "text";
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  add_table(command, arguments->database);
  add_key_range(command, arguments->range);
  command.add_flag("--reverse", arguments->is_reverse, "Last key first");
  command.add_option("--limit", arguments->limit, "At most so many entries")
      ->check(not_below_zero())
      ->type_name("COUNT");
  command.add_flag("--keys", arguments->is_keys_only, "Keys without values");
  CLI::Option* format =
      command.add_option("--format", arguments->format, "How entries look, text unless told")
          ->check(CLI::IsMember({"text", "json", "hex"}))
          ->type_name("FORMAT");
  command.add_flag("--json", arguments->is_json, "The same as --format json")->excludes(format);
  command.add_flag("--hex", arguments->is_hex,
                   "Keys of other options are hexadecimal, and --format is hex unless given");
  return [arguments](Output& output) {
    choose_format(*arguments);
    return list(*arguments, output);
  };
}

}  // namespace

const Command kList = {
    "list", "Print entries in the order of their keys",
    "Formats, one entry per line:\n"
    "  text  KEY <tab> VALUE, with \\\\ \\t \\n \\r for backslash, tab, line feed, carriage\n"
    "        return, and \\xHH for other control characters and bytes that are not UTF-8\n"
    "  json  {\"key\":\"...\",\"value\":\"...\"}; bytes that are not UTF-8 become \"key_hex\" or\n"
    "        \"value_hex\" in hexadecimal\n"
    "  hex   KEY <tab> VALUE in hexadecimal\n"
    "kvtool load reads all three: --format tsv, --format json, --hex. Of a multimap every pair\n"
    "is a line, of which load --multimap makes pairs again; kvtool dump says what it is.\n\n"
    "Examples:\n"
    "  kvtool list people.quire --prefix a --limit 10\n"
    "  kvtool list people.quire --from a --to m --reverse --format json",
    declare};

}  // namespace kvtool
