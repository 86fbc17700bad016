// The text format of `dump`: a database as lines that a person can read, compare and edit.
//
//   quire dump 1               format and its version
//   page_size 4096             bytes per page; `load` takes it over when it creates the file
//   table                      the default table begins
//   ada <tab> Ada Lovelace     an entry: escaped text (text.h), exactly one tab
//   table people               the table `people` begins (its name escaped, so without a tab)
//   multimap cities          the multimap `cities` begins; its entries are pairs
//   end 1                      number of entries: nothing was cut off
#pragma once

#include <cstdint>

#include "sink.h"

namespace kvtool {

void write_dump_start(Sink& sink, std::uint32_t page_size_bytes);
void write_dump_table(Sink& sink, Bytes name, bool is_multimap = false);
void write_dump_entry(Sink& sink, Bytes key, Bytes value);
void write_dump_end(Sink& sink, std::uint64_t entry_count);

}  // namespace kvtool
