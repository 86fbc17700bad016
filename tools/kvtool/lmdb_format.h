// The text that LMDB's mdb_dump prints and its mdb_load reads (Berkeley DB's db_dump and db_load
// agree): for each database a header of NAME=VALUE lines up to HEADER=END, then a line for each key
// and one for its value, beginning with a space, up to DATA=END.
//   format=bytevalue   all of it in hexadecimal
//   format=print       text; \\ is a backslash, \HH any other byte
#pragma once

#include "sink.h"

namespace kvtool {

enum class LmdbText { bytevalue, print };

// `name` "" is the database without a name.
void write_lmdb_header(Sink& sink, Bytes name, LmdbText text);
void write_lmdb_bytes(Sink& sink, Bytes bytes, LmdbText text);
void write_lmdb_end(Sink& sink);

}  // namespace kvtool
