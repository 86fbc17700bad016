#include "db/new_database.h"

#include <quire/error.h>

#include <string>
#include <system_error>

#include "shared/region.h"
#include "storage/file_calls.h"
#include "txn/recovery.h"

namespace quire::db {
namespace {

void remove_database(const std::filesystem::path& path) noexcept {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  std::filesystem::remove(shared::region_path(path), ignored);
}

[[noreturn]] void refuse(const std::filesystem::path& target, std::string_view purpose) {
  throw Error(Errc::misuse,
              target.string() + ": exists already; " + std::string(purpose) + " to a new path");
}

// Unlike a rename it never takes the place of anything.
void name_it(const std::filesystem::path& temporary, const std::filesystem::path& target,
             std::string_view purpose) {
  std::error_code failed;
  std::filesystem::create_hard_link(temporary, target, failed);
  if (failed == std::errc::file_exists) refuse(target, purpose);
  if (failed) storage::throw_errno(failed.value(), "give it its name", target);
  if (const std::error_code lost = storage::flush_directory_of(target)) {
    storage::throw_errno(lost.value(), "flush the directory", target);
  }
}

}  // namespace

void make_whole(const std::filesystem::path& target, const Options& options,
                std::string_view purpose, const std::function<void(Database&)>& fill) {
  std::error_code unknown;
  if (exists(std::filesystem::symlink_status(target, unknown))) refuse(target, purpose);
  Options creating = options;
  creating.create_if_missing = true;
  creating.read_only = false;
  std::filesystem::path temporary = target;
  temporary += ".new";
  if (!txn::create_file(temporary, creating)) {
    throw Error(Errc::busy, temporary.string() +
                                ": is in the way: somebody makes it just now, or was killed at "
                                "it; if so, remove it");
  }
  try {
    {
      Database database(temporary, creating);
      fill(database);
    }
    name_it(temporary, target, purpose);
  } catch (...) {
    remove_database(temporary);
    throw;
  }
  remove_database(temporary);
}

}  // namespace quire::db
