#include "storage/still_file.h"

#include <quire/error.h>

#include <fcntl.h>

#include "storage/byte_lock.h"
#include "storage/file_calls.h"

namespace quire::storage {

StillFile::StillFile(const std::filesystem::path& path, std::uint64_t attached_byte,
                     bool guards_faults)
    : file_(open_file(path, O_RDONLY)) {
  // Who holds it exclusively is recovering or closing; who shares it is attached.
  if (!try_lock_byte(file_.get(), attached_byte, LockMode::shared) ||
      is_byte_locked(file_.get(), attached_byte, LockMode::exclusive)) {
    throw Error(Errc::busy, path.string() + ": is open in a process; close it there first");
  }
  size_bytes_ = size_of(file_, path);
  if (size_bytes_ == 0) return;
  const int refused = mapping_.map(file_.get(), Mapping::Mode::read_only, 0, size_bytes_);
  if (refused != 0) throw_errno(refused, "map", path);
  if (guards_faults) guard_.cover(mapping_.base(), size_bytes_);
}

}  // namespace quire::storage
