#include <memory>
#include <optional>

#include "command.h"
#include "database_arguments.h"
#include "input.h"
#include "json.h"
#include "load_format.h"
#include "numbers.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string input = "-";
  std::string format = "tsv";
  bool is_hex = false;
  bool is_multimap = false;
  std::uint64_t batch_count = 0;  // entries per commit; 0 = one commit for all
  bool is_json = false;
};

std::unique_ptr<LoadFormat> make_format(const Arguments& arguments) {
  if (arguments.is_hex && arguments.format != "tsv") {
    throw Failure(ExitCode::usage, "--hex goes with --format tsv only");
  }
  if (arguments.format == "dump" && !arguments.database.table.empty()) {
    throw Failure(ExitCode::usage, "--table does not go with --format dump, which names tables");
  }
  if (arguments.is_multimap && arguments.format == "dump") {
    throw Failure(ExitCode::usage, "--multimap does not go with --format dump, which says itself");
  }
  if (arguments.is_multimap && arguments.database.table.empty()) {
    throw Failure(ExitCode::usage, "--multimap needs --table: the default table is none");
  }
  if (arguments.format == "json") {
    return make_json_format();
  }
  if (arguments.format == "lmdb") {
    return make_lmdb_format(arguments.database.table);
  }
  return arguments.format == "dump" ? make_dump_format() : make_tsv_format(arguments.is_hex);
}

// Not the fault of a line; how much of it is stored, the text of the store says.
class CommitFailed : public Failure {
 public:
  using Failure::Failure;
};

// Puts entries into a database, in one transaction or several.
class Loader {
 public:
  Loader(quire::Database& database, const Arguments& arguments)
      : database_(database), batch_count_(arguments.batch_count) {
    const std::string& name = arguments.database.table;
    begin(name, arguments.is_multimap || database.snapshot().is_multimap(name));
    is_table_new_ = arguments.is_multimap;
  }

  void store(ItemKind kind, const LoadItem& item) {
    if (kind == ItemKind::table) {
      keep_empty_table();
      open_table(item.table_name, item.is_multimap);
      is_table_new_ = true;
    } else if (kind == ItemKind::entry) {
      if (multimap_) {
        multimap_->insert(item.key, item.value);
      } else {
        table_->put(item.key, item.value);
      }
      is_table_new_ = false;
      ++entry_count_;
      if (batch_count_ != 0 && entry_count_ % batch_count_ == 0) {
        commit();
        begin(table_name_, multimap_.has_value());
      }
    }
  }

  void finish() {
    keep_empty_table();
    commit();
  }

  std::uint64_t entry_count() const { return entry_count_; }
  std::uint64_t committed_count() const { return committed_count_; }

  Json to_json() const {
    return {{"txn", txn_}, {"commit_count", commit_count_}, {"entry_count", committed_count_}};
  }

 private:
  void begin(const std::string& table_name, bool is_multimap) {
    table_.reset();
    transaction_.reset();  // the ended one goes before the next begins
    transaction_.emplace(database_.begin());
    open_table(table_name, is_multimap);
  }

  void open_table(const std::string& name, bool is_multimap) {
    table_.reset();
    multimap_.reset();
    if (is_multimap) {
      multimap_ = transaction_->multimap(name);
    } else {
      table_ = transaction_->table(name);
    }
    table_name_ = name;
  }

  void commit() {
    try {
      txn_ = transaction_->txn();
      transaction_->commit();
      ++commit_count_;
    } catch (const quire::Error& error) {
      throw CommitFailed(ExitCode::refused,
                         "commit at entry " + grouped(entry_count_) + ": " + reason_of(error));
    }
    committed_count_ = entry_count_;
  }

  // Only a put creates a table, and one that was asked for, or is in a dump, may have no entries.
  void keep_empty_table() {
    if (!is_table_new_ || table_name_.empty()) {
      return;
    }
    if (multimap_) {
      if (multimap_->insert({}, {})) {
        multimap_->erase({}, {});
      }
    } else if (table_->insert({}, {})) {
      table_->erase({});
    }
  }

  quire::Database& database_;
  std::uint64_t batch_count_;
  std::optional<quire::Transaction> transaction_;
  std::optional<quire::Table> table_;
  std::optional<quire::Multimap> multimap_;  // instead
  std::string table_name_;
  bool is_table_new_ = false;
  std::uint64_t entry_count_ = 0;
  std::uint64_t committed_count_ = 0;
  std::uint64_t commit_count_ = 0;
  std::uint64_t txn_ = 0;
};

// One load from its first line to its commit.
class Load {
 public:
  explicit Load(const Arguments& arguments)
      : arguments_(arguments),
        format_(make_format(arguments)),
        input_(arguments.input),
        progress_(!arguments.is_json, input_.size_bytes()) {}

  void run(Output& output) {
    // Input that is wrong from the start creates no file.
    ItemKind kind = next();
    open();
    for (; !is_at_end_; kind = next()) {
      store(kind);
      progress_.update(input_.read_bytes(), loader_->entry_count());
    }
    loader_->finish();
    progress_.finish(loader_->entry_count());
    if (arguments_.is_json) output.write(json_document(loader_->to_json()));
  }

 private:
  // Reads up to the next item; at the end `is_at_end_` is set.
  ItemKind next() {
    try {
      while (const std::optional<Bytes> line = input_.next_line()) {
        const ItemKind kind = format_->read(*line, item_);
        if (kind != ItemKind::none) {
          return kind;
        }
      }
      is_at_end_ = true;
      format_->finish();
      return ItemKind::none;
    } catch (const Failure& failure) {
      fail(failure.code(), failure.what());
    }
  }

  void store(ItemKind kind) {
    try {
      loader_->store(kind, item_);
    } catch (const CommitFailed&) {
      throw;
    } catch (const quire::Error& error) {
      fail(ExitCode::refused, reason_of(error));
    }
  }

  void open() {
    DatabaseArguments database = arguments_.database;
    if (database.page_size_bytes == 0 && !std::filesystem::exists(database.file)) {
      database.page_size_bytes = format_->page_size_bytes();
    }
    database_.emplace(open_or_create(database));
    loader_.emplace(*database_, arguments_);
  }

  // Names the line, and what the database keeps.
  [[noreturn]] void fail(ExitCode code, const std::string& reason) const {
    const std::uint64_t kept_count = loader_ ? loader_->committed_count() : 0;
    const std::string kept = kept_count == 0 ? "nothing was loaded"
                             : kept_count == 1
                                 ? "the first entry was kept"
                                 : "the first " + grouped(kept_count) + " entries were kept";
    const std::string input = arguments_.input == "-" ? "standard input" : arguments_.input;
    throw Failure(code, input + ", line " + std::to_string(input_.line_number()) + ": " + reason +
                            " (" + kept + ")");
  }

  const Arguments& arguments_;
  std::unique_ptr<LoadFormat> format_;
  Input input_;
  Progress progress_;
  std::optional<quire::Database> database_;
  std::optional<Loader> loader_;
  LoadItem item_;
  bool is_at_end_ = false;
};

Run declare_import(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->format = "lmdb";
  add_file(command, arguments->database);
  command.add_option("INPUT", arguments->input,
                     "File to read; without it, or as -, standard input");
  add_table(command, arguments->database);
  add_sync(command, arguments->database);
  add_page_size(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "Report as one JSON object");
  return [arguments](Output& output) {
    Load(*arguments).run(output);
    return ExitCode::done;
  };
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_option("INPUT", arguments->input,
                     "File to read; without it, or as -, standard input");
  add_table(command, arguments->database);
  command.add_option("--format", arguments->format, "What the input is")
      ->check(CLI::IsMember({"tsv", "json", "dump"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command.add_flag("--hex", arguments->is_hex, "Keys and values of a tsv input are hexadecimal");
  command.add_flag("--multimap", arguments->is_multimap,
                   "Make the table a multimap if it does not exist");
  command.add_option("--batch", arguments->batch_count, "Commit after every so many entries")
      ->check(above_zero())
      ->type_name("COUNT");
  add_sync(command, arguments->database);
  add_page_size(command, arguments->database);
  command.add_flag("--json", arguments->is_json, "Report as one JSON object");
  return [arguments](Output& output) {
    Load(*arguments).run(output);
    return ExitCode::done;
  };
}

}  // namespace

const Command kLoad = {
    "load", "Store many entries from a file or a pipe",
    "Creates the file and the tables if need be; replaces the values of keys that are there.\n"
    "All is stored by one commit, so a failed load leaves no entry, unless --batch is given; a "
    "new\n"
    "file may stay. Lines go into a multimap where one of that name exists, or --multimap is\n"
    "given, otherwise into a table, where of the lines of one key the last stays; only a dump "
    "says\n"
    "what it came from. \"entry_count\" of --json counts lines, also those that changed "
    "nothing.\n\n"
    "Formats, one entry per line:\n"
    "  tsv   KEY <tab> VALUE, where \\\\ \\t \\n \\r \\xHH stand for a backslash, a tab, a line\n"
    "        feed, a carriage return and the byte HH; what list --format text prints\n"
    "  json  {\"key\":\"...\",\"value\":\"...\"}; \"key_hex\" and \"value_hex\" hold bytes in\n"
    "        hexadecimal; what list --format json prints\n"
    "  dump  what kvtool dump prints, with all its tables\n\n"
    "Examples:\n"
    "  kvtool load people.quire people.tsv\n"
    "  kvtool list people.quire --table cities | kvtool load new.quire --table cities --multimap\n"
    "  kvtool dump old.quire | kvtool load new.quire --format dump",
    declare};

const Command kImport = {
    "import", "Store what mdb_dump or db_dump has printed",
    "Both of their formats, with one database or (mdb_dump -a) several: a named database becomes\n"
    "the table of that name, one without a name the table that --table says, or the default one.\n"
    "One with several values per key (dupsort) becomes a multimap. All is stored by one commit:\n"
    "a wrong line, which is named, leaves no entry; a new file may stay.\n\n"
    "Databases in another order than that of bytes are refused (reversekey, integerkey,\n"
    "reversedup, integerdup). Not kept: how LMDB stores it (dupfixed, sizes), and of a db_dump\n"
    "with unsorted values their order and equal ones. Rather not use mdb_dump -p: some versions\n"
    "do not mark backslashes.\n\n"
    "Examples:\n"
    "  mdb_dump -a people.mdb | kvtool import people.quire\n"
    "  kvtool import people.quire people.dump",
    declare_import};

}  // namespace kvtool
