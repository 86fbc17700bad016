// The text that LMDB's mdb_dump prints and its mdb_load reads (Berkeley DB's db_dump and db_load
// agree): for each database a header of NAME=VALUE lines up to HEADER=END, then a line for each key
// and one for its value, beginning with a space, up to DATA=END.
//   format=bytevalue   all of it in hexadecimal
//   format=print       text; \\ is a backslash, \HH any other byte
//   duplicates=1       several values per key, each with a line for its key;
//   dupsort=1          sorted as bytes, if no line says otherwise: a multimap
//   mapsize=BYTES      mdb_load gives up beyond it
#pragma once

#include <cstdint>

#include "sink.h"

namespace kvtool {

enum class LmdbText { bytevalue, print };

struct LmdbHeader {
  Bytes name;  // "" is the database without a name
  LmdbText text = LmdbText::bytevalue;
  bool is_multimap = false;
  std::uint64_t map_bytes = 0;
};

void write_lmdb_header(Sink& sink, const LmdbHeader& header);
void write_lmdb_bytes(Sink& sink, Bytes bytes, LmdbText text);
void write_lmdb_end(Sink& sink);

}  // namespace kvtool
