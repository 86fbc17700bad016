// Reading everything that a database says it holds.
#pragma once

#include <quire/quire.h>

namespace quire::fuzz {

// Goes through every table in both directions, touching keys and values; ends the process when that
// takes more steps than the file has room for, when a cursor goes on after an error, or when the
// database `is_sound` and an entry cannot be found by its key. Throws what cursors throw.
void walk(const Database& database, bool is_sound);

}  // namespace quire::fuzz
