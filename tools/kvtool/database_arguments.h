// The part of the command line that says which database, and how to open it.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

namespace kvtool {

struct DatabaseArguments {
  std::string file;
  std::string table;  // "" = the default table
  std::string sync = "full";
  std::uint32_t page_size_bytes = 0;
  bool any_filesystem = false;
};

void add_file(CLI::App& app, DatabaseArguments& arguments);
void add_table(CLI::App& app, DatabaseArguments& arguments);
void add_sync(CLI::App& app, DatabaseArguments& arguments);
void add_page_size(CLI::App& app, DatabaseArguments& arguments);

// What the arguments say, for a database that is created when it is missing.
quire::Options options_of(const DatabaseArguments& arguments);

// Opens a file that must exist; nothing is written to its tables.
quire::Database open_to_read(const DatabaseArguments& arguments);

// Opens a file that must exist, to change it.
quire::Database open_to_change(const DatabaseArguments& arguments);

// Opens a file, or creates it.
quire::Database open_or_create(const DatabaseArguments& arguments);

// Throws Failure (negative) when the table that the arguments name does not exist.
void require_table(const quire::Snapshot& snapshot, const DatabaseArguments& arguments);

}  // namespace kvtool
