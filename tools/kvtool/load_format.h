// What `load` reads, line by line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sink.h"

namespace kvtool {

enum class ItemKind {
  none,   // the line says nothing that is to be stored
  table,  // the entries that follow belong to `table_name`
  entry   // `key` and `value`
};

struct LoadItem {
  std::string table_name;
  bool is_multimap = false;  // that table
  std::string key;
  std::string value;
};

class LoadFormat {
 public:
  virtual ~LoadFormat() = default;

  // Reads one line (without its line feed) into the parts of `item` that the result names; leaves
  // the others alone. Throws Failure (usage) with the reason, without the line's number.
  virtual ItemKind read(Bytes line, LoadItem& item) = 0;

  // To be called after the last line; throws Failure (usage) when more should have come.
  virtual void finish() {}

  // Bytes per page of the database that the input came from; 0 when it does not say.
  virtual std::uint32_t page_size_bytes() const { return 0; }
};

// KEY <tab> VALUE: the first tab ends the key. Escaped text, or hexadecimal.
std::unique_ptr<LoadFormat> make_tsv_format(bool is_hex);

// One object per line, as json.h says; blank lines are skipped.
std::unique_ptr<LoadFormat> make_json_format();

// What `dump` writes, see dump_format.h.
std::unique_ptr<LoadFormat> make_dump_format();

// What mdb_dump and db_dump write, see lmdb_format.h. A database without a name is for the table
// `unnamed`.
std::unique_ptr<LoadFormat> make_lmdb_format(const std::string& unnamed = {});

}  // namespace kvtool
