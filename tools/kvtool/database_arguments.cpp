#include "database_arguments.h"

#include <algorithm>

#include "failure.h"

namespace kvtool {

void add_file(CLI::App& app, DatabaseArguments& arguments) {
  app.add_option("FILE", arguments.file, "The database")->required();
  app.add_flag("--any-filesystem", arguments.any_filesystem,
               "Open on a network file system too: only when no other machine uses the file");
}

void add_table(CLI::App& app, DatabaseArguments& arguments) {
  app.add_option("--table", arguments.table, "Table; without it the default, unnamed one")
      ->type_name("NAME");
}

void add_sync(CLI::App& app, DatabaseArguments& arguments) {
  app.add_option("--sync", arguments.sync,
                 "full: return when a power cut loses nothing; relaxed: sooner, a power cut may "
                 "undo it")
      ->check(CLI::IsMember({"full", "relaxed"}))
      ->type_name("MODE")
      ->capture_default_str();
}

void add_page_size(CLI::App& app, DatabaseArguments& arguments) {
  app.add_option("--page-size", arguments.page_size_bytes,
                 "Bytes per page of a new file, 4096 unless told; longer keys need larger pages")
      ->check(CLI::IsMember({4096, 8192, 16384, 32768, 65536}))
      ->type_name("BYTES");
}

quire::Options options_of(const DatabaseArguments& arguments) {
  return {.page_size = arguments.page_size_bytes,
          .durability =
              arguments.sync == "relaxed" ? quire::Durability::relaxed : quire::Durability::full,
          .allow_any_filesystem = arguments.any_filesystem};
}

quire::Database open_to_read(const DatabaseArguments& arguments) {
  quire::Options options = options_of(arguments);
  options.create_if_missing = false;
  options.read_only = true;
  options.verify = quire::Verify::first_touch;
  options.page_size = 0;  // whatever the file has: --page-size is about a new one
  return quire::Database(arguments.file, options);
}

quire::Database open_to_change(const DatabaseArguments& arguments) {
  quire::Options options = options_of(arguments);
  options.create_if_missing = false;
  return quire::Database(arguments.file, options);
}

quire::Database open_or_create(const DatabaseArguments& arguments) {
  return quire::Database(arguments.file, options_of(arguments));
}

void require_table(const quire::Snapshot& snapshot, const DatabaseArguments& arguments) {
  if (arguments.table.empty() || snapshot.is_multimap(arguments.table) ||
      !snapshot.table(arguments.table).empty()) {
    return;
  }
  const std::vector<std::string> names = snapshot.tables();
  if (!std::binary_search(names.begin(), names.end(), arguments.table)) {
    throw Failure(ExitCode::negative, "no table " + arguments.table + " in " + arguments.file);
  }
}

}  // namespace kvtool
