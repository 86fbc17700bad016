#include <iostream>
#include <memory>
#include <vector>

#include "command.h"
#include "database_arguments.h"
#include "dump_format.h"
#include "json.h"
#include "lmdb_format.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr std::uint64_t kMapStep = std::uint64_t{1} << 20;
constexpr std::uint64_t kMapFactor = 8;  // LMDB keeps prefixes again and again, and fills half

struct Arguments {
  DatabaseArguments database;
  bool is_one_table = false;
  bool is_print = false;
  bool is_json = false;
};

// What tables are written as.
class TableText {
 public:
  virtual ~TableText() = default;
  // Throws Failure when no table of that name can be written.
  virtual void require_name(const std::string& /*name*/) const {}
  virtual void begin_table(Bytes name, bool is_multimap) = 0;
  virtual void entry(Bytes key, Bytes value) = 0;
  virtual void end_table() {}
  virtual void end(std::uint64_t /*entry_count*/) {}

  // Whether the default table is written when it is empty and others are not.
  virtual bool keeps_empty_default() const = 0;
};

class DumpText final : public TableText {
 public:
  DumpText(const quire::Database& database, Sink& sink) : sink_(sink) {
    write_dump_start(sink_, database.page_size_bytes());
  }

  void begin_table(Bytes name, bool is_multimap) override {
    write_dump_table(sink_, name, is_multimap);
  }
  void entry(Bytes key, Bytes value) override { write_dump_entry(sink_, key, value); }
  void end(std::uint64_t entry_count) override { write_dump_end(sink_, entry_count); }
  bool keeps_empty_default() const override { return true; }

 private:
  Sink& sink_;
};

class ExportText final : public TableText {
 public:
  ExportText(const quire::Database& database, Sink& sink, LmdbText text)
      : sink_(sink), text_(text) {
    const std::uint64_t file_bytes = std::filesystem::file_size(database.path());
    map_bytes_ = (file_bytes / kMapStep + 1) * kMapStep * kMapFactor;
  }

  void require_name(const std::string& name) const override {
    // It would end a line of the header, or the name.
    if (name.find_first_of(Bytes("\n\r\0", 3)) != Bytes::npos) {
      throw Failure(ExitCode::refused,
                    "a table whose name has a line feed, carriage return or zero byte cannot be "
                    "exported, only dumped: " +
                        name);
    }
  }
  void begin_table(Bytes name, bool is_multimap) override {
    write_lmdb_header(sink_, {name, text_, is_multimap, map_bytes_});
  }
  void entry(Bytes key, Bytes value) override {
    write_lmdb_bytes(sink_, key, text_);
    write_lmdb_bytes(sink_, value, text_);
  }
  void end_table() override { write_lmdb_end(sink_); }
  bool keeps_empty_default() const override { return false; }

 private:
  Sink& sink_;
  LmdbText text_;
  std::uint64_t map_bytes_;
};

class Dump {
 public:
  Dump(const Arguments& arguments, const quire::Snapshot& snapshot, TableText& text,
       const Output& output)
      : arguments_(arguments),
        snapshot_(snapshot),
        text_(text),
        tables_(tables()),
        // On the terminal that shows the entries a bar would be in their way.
        progress_(!arguments.is_json && !output.is_terminal(), size(), Progress::Unit::entries) {}

  void run() {
    for (const std::string& name : tables_) text_.require_name(name);
    for (const std::string& name : tables_) {
      const bool is_multimap = snapshot_.is_multimap(name);
      text_.begin_table(name, is_multimap);
      if (is_multimap) {
        write(snapshot_.multimap(name));
      } else {
        write(snapshot_.table(name));
      }
      text_.end_table();
    }
    text_.end(entry_count_);
    progress_.finish(entry_count_);
  }

  Json to_json() const {
    return {
        {"txn", snapshot_.txn()}, {"table_count", tables_.size()}, {"entry_count", entry_count_}};
  }

 private:
  std::vector<std::string> tables() const {
    if (arguments_.is_one_table) return {arguments_.database.table};
    std::vector<std::string> names = snapshot_.tables();
    if (text_.keeps_empty_default() || names.empty() || !snapshot_.table().empty()) {
      names.insert(names.begin(), "");
    }
    return names;
  }

  std::uint64_t size() const {
    std::uint64_t count = 0;
    for (const std::string& name : tables_) {
      count += snapshot_.is_multimap(name) ? snapshot_.multimap(name).size()
                                           : snapshot_.table(name).size();
    }
    return count;
  }

  template <typename Entries>
  void write(const Entries& entries) {
    for (const auto [key, value] : entries) {
      text_.entry(key, value);
      progress_.update(++entry_count_);
    }
  }

  const Arguments& arguments_;
  const quire::Snapshot& snapshot_;
  TableText& text_;
  std::vector<std::string> tables_;
  Progress progress_;
  std::uint64_t entry_count_ = 0;
};

using MakeText = std::unique_ptr<TableText> (*)(const Arguments& arguments,
                                                const quire::Database& database, Output& output);

ExitCode run(const Arguments& arguments, MakeText make_text, Output& output) {
  const quire::Database database = open_to_read(arguments.database);
  const quire::Snapshot snapshot = database.snapshot();
  require_table(snapshot, arguments.database);
  const std::unique_ptr<TableText> text = make_text(arguments, database, output);
  Dump dump(arguments, snapshot, *text, output);
  dump.run();
  output.flush();
  // Standard output holds the entries.
  if (arguments.is_json) std::cerr << json_document(dump.to_json());
  return ExitCode::done;
}

Run declare(CLI::App& command, const std::shared_ptr<Arguments>& arguments, MakeText make_text) {
  add_file(command, arguments->database);
  const CLI::Option* table = command
                                 .add_option("--table", arguments->database.table,
                                             "Only this table; --table '' is the default one")
                                 ->type_name("NAME");
  command.add_flag("--json", arguments->is_json,
                   "Report the number of tables and entries as one JSON object to standard error");
  return [arguments, table, make_text](Output& output) {
    arguments->is_one_table = table->count() > 0;
    return run(*arguments, make_text, output);
  };
}

Run declare_dump(CLI::App& command) {
  return declare(command, std::make_shared<Arguments>(),
                 [](const Arguments&, const quire::Database& database,
                    Output& output) -> std::unique_ptr<TableText> {
                   return std::make_unique<DumpText>(database, output);
                 });
}

Run declare_export(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_flag("--print", arguments->is_print, "Text where it is text, instead of hexadecimal");
  return declare(command, arguments,
                 [](const Arguments& given, const quire::Database& database,
                    Output& output) -> std::unique_ptr<TableText> {
                   return std::make_unique<ExportText>(
                       database, output, given.is_print ? LmdbText::print : LmdbText::bytevalue);
                 });
}

}  // namespace

const Command kDump = {
    "dump", "Print all tables in a text format that load reads back",
    "Shows one commit, whatever others write meanwhile.\n"
    "Every key, value and table name comes back byte by byte, and a multimap as one. Keys, values\n"
    "and names are escaped as in list --format text.\n\n"
    "Examples:\n"
    "  kvtool dump people.quire > people.dump\n"
    "  kvtool dump old.quire | kvtool load new.quire --format dump",
    declare_dump};

const Command kExport = {
    "export", "Print tables in the format of LMDB's mdb_dump",
    "For mdb_load, and for kvtool import. Shows one commit, whatever others write meanwhile. A\n"
    "multimap becomes a database with several sorted values per key (dupsort).\n\n"
    "What LMDB cannot hold mdb_load refuses: empty keys, and keys and values of multimaps of more\n"
    "than 511 bytes. It refuses a database with a table whose name has a line feed, carriage "
    "return\n"
    "or zero byte, and writes nothing; --table exports the others. Empty tables become empty "
    "databases, the default one only when there is no other.\n"
    "--print is for reading: some versions of mdb_load damage what is escaped in it.\n\n"
    "Examples:\n"
    "  kvtool export people.quire | mdb_load -n people.mdb\n"
    "  kvtool export people.quire --table people --print",
    declare_export};

}  // namespace kvtool
