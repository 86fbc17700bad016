#include <memory>
#include <optional>
#include <vector>

#include "columns.h"
#include "command.h"
#include "database_arguments.h"
#include "json.h"
#include "progress.h"
#include "text.h"
#include "tree_view.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  bool is_json = false;
  bool shows_trees = false;
};

Json to_json(const quire::TableStatistics& table) {
  Json json;
  set_json_bytes(json, "name", table.name);
  json["entry_count"] = table.entry_count;
  json["is_multimap"] = table.is_multimap;
  if (table.is_multimap) {
    json["pair_count"] = table.pair_count;
  }
  json["height"] = table.height;
  json["branch_page_count"] = table.branch_page_count;
  json["leaf_page_count"] = table.leaf_page_count;
  json["extent_page_count"] = table.extent_page_count;
  return json;
}

Json to_json(const quire::Statistics& statistics) {
  Json json = {{"format_version", statistics.format_version},
               {"page_size_bytes", statistics.page_size_bytes},
               {"file_bytes", statistics.file_bytes},
               {"used_pages", statistics.used_pages},
               {"pending_pages", statistics.pending_pages},
               {"free_pages", statistics.free_pages},
               {"txn", statistics.txn},
               {"durable_lsn", statistics.durable_lsn},
               {"checkpoint_txn", statistics.checkpoint_txn},
               {"checkpoint_number", statistics.checkpoint_number},
               {"log_bytes", statistics.log_bytes},
               {"log_used_bytes", statistics.log_used_bytes},
               {"process_count", statistics.process_count},
               {"reader_count", statistics.reader_count},
               {"tables", Json::array()}};
  for (const quire::TableStatistics& table : statistics.tables) {
    json["tables"].push_back(to_json(table));
  }
  return json;
}

void write_fact(Output& output, const char* name, const std::string& text) {
  constexpr std::size_t kNameColumns = 11;
  std::string label = name;
  label.resize(kNameColumns, ' ');
  output.write("  " + label + text + "\n");
}

void write_summary(Output& output, const quire::Statistics& statistics) {
  const auto pages = [&](std::uint64_t count) {
    return human_bytes(count * statistics.page_size_bytes) + " in " +
           counted(count, "page", "pages");
  };
  write_fact(output, "file",
             human_bytes(statistics.file_bytes) + ", pages of " +
                 human_bytes(statistics.page_size_bytes) + ", format " + statistics.format_version);
  write_fact(output, "used", pages(statistics.used_pages));
  write_fact(output, "pending", pages(statistics.pending_pages) + ", free once nobody sees them");
  write_fact(output, "free", pages(statistics.free_pages));
  write_fact(output, "log",
             human_bytes(statistics.log_used_bytes) + " of " + human_bytes(statistics.log_bytes) +
                 " in use");
  write_fact(output, "commit",
             "number " + grouped(statistics.txn) + "; checkpoint " +
                 grouped(statistics.checkpoint_number) + " holds " +
                 grouped(statistics.checkpoint_txn));
  write_fact(output, "attached",
             counted(statistics.process_count, "process", "processes") + ", " +
                 counted(statistics.reader_count, "snapshot", "snapshots"));
}

std::uint64_t page_count_of(const quire::TableStatistics& table) {
  return table.branch_page_count + table.leaf_page_count + table.extent_page_count;
}

Row row_of(const quire::TableStatistics& table, std::uint64_t page_size_bytes) {
  return {table.name.empty() ? "(default)" : escaped(table.name),
          grouped(table.is_multimap ? table.pair_count : table.entry_count),
          human_bytes(page_count_of(table) * page_size_bytes),
          std::to_string(table.height),
          grouped(table.branch_page_count),
          grouped(table.leaf_page_count),
          grouped(table.extent_page_count)};
}

void write_tables(Output& output, const quire::Statistics& statistics) {
  std::vector<Row> rows = {{"table", "entries", "size", "height", "branches", "leaves", "extents"}};
  for (const quire::TableStatistics& table : statistics.tables) {
    rows.push_back(row_of(table, statistics.page_size_bytes));
  }
  write_columns(output, rows);
}

// Large values are not looked at, trees of values are.
std::uint64_t tree_page_count_of(const quire::TableStatistics& table) {
  return page_count_of(table) - (table.is_multimap ? 0 : table.extent_page_count);
}

std::vector<quire::TreeStatistics> trees_of(const quire::Snapshot& snapshot,
                                            const quire::Statistics& statistics, bool is_json) {
  Progress progress(!is_json, std::nullopt, Progress::Unit::pages);
  std::uint64_t all_pages = 0;
  for (const quire::TableStatistics& table : statistics.tables)
    all_pages += tree_page_count_of(table);
  std::uint64_t done_pages = 0;
  std::vector<quire::TreeStatistics> trees;
  for (const quire::TableStatistics& table : statistics.tables) {
    trees.push_back(quire::stat_tree(snapshot, table.name, [&](std::uint64_t done, std::uint64_t) {
      progress.update_of(done_pages + done, all_pages);
    }));
    done_pages += tree_page_count_of(table);
  }
  return trees;
}

ExitCode stat(const Arguments& arguments, Output& output) {
  const quire::Database database = open_to_read(arguments.database);
  const quire::Statistics statistics = quire::stat(database);
  std::vector<quire::TreeStatistics> trees;
  if (arguments.shows_trees) {
    trees = trees_of(database.snapshot(), statistics, arguments.is_json);
  }
  if (arguments.is_json) {
    Json json = to_json(statistics);
    for (std::size_t i = 0; i < trees.size(); ++i) json["tables"][i]["tree"] = tree_json(trees[i]);
    output.write(json_document(json));
  } else {
    output.write(output.bold(escaped(arguments.database.file)) + "\n");
    write_summary(output, statistics);
    output.write("\n");
    write_tables(output, statistics);
    for (std::size_t i = 0; i < trees.size(); ++i) {
      write_tree(output, statistics.tables[i].name, trees[i]);
    }
  }
  return ExitCode::done;
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_flag("--tree", arguments->shows_trees,
                   "Also how full the pages of each table are: reads them all");
  command.add_flag("--json", arguments->is_json, "As one JSON object, sizes in bytes and pages");
  return [arguments](Output& output) { return stat(*arguments, output); };
}

}  // namespace

const Command kStat = {"stat", "Show size, space, log and tables of a database",
                       "Examples:\n"
                       "  kvtool stat people.quire\n"
                       "  kvtool stat people.quire --tree\n"
                       "  kvtool stat people.quire --json",
                       declare};

}  // namespace kvtool
