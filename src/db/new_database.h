// A database that gets its name when it is whole.
//
// Threads: as a call of Database.
#pragma once

#include <quire/database.h>

#include <filesystem>
#include <functional>
#include <string_view>

namespace quire::db {

// Makes a database beside `target`, as `target` with ".new" behind it, lets `fill` fill it, closes
// it and names it `target`: a process that is killed in between leaves nothing of that name.
// `purpose` is for texts: "copy", "salvage". Throws Errc::misuse when there is something at
// `target`, Errc::busy when there is at the other name, and whatever `fill` throws; then nothing is
// left.
void make_whole(const std::filesystem::path& target, const Options& options,
                std::string_view purpose, const std::function<void(Database&)>& fill);

}  // namespace quire::db
