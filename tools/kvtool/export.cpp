#include <memory>

#include "command.h"
#include "database_arguments.h"
#include "lmdb_format.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  bool is_one_table = false;
  bool is_print = false;
};

class Export {
 public:
  Export(const Arguments& arguments, Output& output)
      : text_(arguments.is_print ? LmdbText::print : LmdbText::bytevalue),
        output_(output),
        progress_(std::nullopt, Progress::Unit::entries) {}

  void table(const quire::Snapshot& snapshot, const std::string& name) {
    // It would end a line of the header, and begin another.
    if (name.find('\n') != std::string::npos) {
      throw Failure(ExitCode::refused,
                    "a table whose name has a line feed cannot be exported: " + escaped(name));
    }
    if (snapshot.is_multimap(name)) {
      throw Failure(ExitCode::refused,
                    "a multimap cannot be exported, only dumped: " + escaped(name));
    }
    write_lmdb_header(output_, name, text_);
    for (const auto [key, value] : snapshot.table(name)) {
      write_lmdb_bytes(output_, key, text_);
      write_lmdb_bytes(output_, value, text_);
      // On the terminal that shows the entries it would be in their way.
      if (!output_.is_terminal()) progress_.update(++entry_count_);
    }
    write_lmdb_end(output_);
  }

 private:
  LmdbText text_;
  Output& output_;
  Progress progress_;
  std::uint64_t entry_count_ = 0;
};

ExitCode run(const Arguments& arguments, Output& output) {
  const quire::Database database = open_to_read(arguments.database);
  const quire::Snapshot snapshot = database.snapshot();
  require_table(snapshot, arguments.database);
  Export exported(arguments, output);
  const std::vector<std::string> names = snapshot.tables();
  if (arguments.is_one_table || names.empty() || !snapshot.table().empty()) {
    exported.table(snapshot, arguments.database.table);
  }
  if (arguments.is_one_table) return ExitCode::done;
  for (const std::string& name : names) exported.table(snapshot, name);
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  const CLI::Option* table = command
                                 .add_option("--table", arguments->database.table,
                                             "Only this table; --table '' is the default one")
                                 ->type_name("NAME");
  command.add_flag("--print", arguments->is_print, "Text where it is text, instead of hexadecimal");
  return [arguments, table](Output& output) {
    arguments->is_one_table = table->count() > 0;
    return run(*arguments, output);
  };
}

}  // namespace

const Command kExport = {"export", "Print tables in the format of LMDB's mdb_dump",
                         "For mdb_load, and for kvtool import. Shows one commit, whatever others "
                         "write meanwhile.\n\n"
                         "Examples:\n"
                         "  kvtool export people.quire | mdb_load -n people.mdb\n"
                         "  kvtool export people.quire --table people --print",
                         declare};

}  // namespace kvtool
