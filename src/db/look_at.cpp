#include <quire/error.h>
#include <quire/inspect.h>

#include <cstring>

#include "format/meta.h"
#include "shared/layout.h"
#include "shared/region.h"
#include "storage/byte_lock.h"
#include "storage/data_file.h"

namespace quire {
namespace {

[[noreturn]] void refuse(const std::string& name, format::MetaFault fault) {
  switch (fault) {
    case format::MetaFault::wrong_version:
    case format::MetaFault::unknown_feature:
      throw Error(Errc::wrong_version, name + ": made by another version of quire; use that one");
    case format::MetaFault::damaged:
      throw Error(Errc::corrupt,
                  name + ": both meta pages are damaged; restore from a copy, or kvtool salvage");
    case format::MetaFault::not_a_meta:
    case format::MetaFault::none:
      break;
  }
  throw Error(Errc::not_a_database, name + ": not a quire database");
}

}  // namespace

FileFacts look_at(const std::filesystem::path& file) {
  const storage::DataFile data(file, storage::DataFile::Access::read_only, true);
  format::Meta metas[2];
  FileFacts facts;
  for (int slot = 0; slot < 2; ++slot) {
    metas[slot].magic = 0;
    std::byte bytes[sizeof(format::Meta)] = {};
    if (data.read(format::kMetaOffset[slot], bytes, sizeof bytes) == sizeof bytes) {
      std::memcpy(static_cast<void*>(&metas[slot]), bytes, sizeof bytes);
    }
    if (format::judge(metas[slot]) == format::MetaFault::none) ++facts.whole_metas;
  }
  const format::MetaChoice choice = format::choose(metas[0], metas[1]);
  if (choice.fault != format::MetaFault::none) refuse(file.string(), choice.fault);
  std::error_code ignored;
  facts.has_lock_file = std::filesystem::exists(shared::region_path(data.path()), ignored);
  facts.is_in_use = storage::is_byte_locked(data.lock_descriptor(), shared::kAttachedByte,
                                            storage::LockMode::exclusive);
  facts.was_closed = facts.whole_metas == 2 && metas[0].clean == 1 && metas[1].clean == 1 &&
                     metas[0].checkpoint == metas[1].checkpoint;
  facts.page_size_bytes = choice.meta.page_bytes;
  facts.file_bytes = data.size_bytes();
  facts.checkpoint_txn = choice.meta.txn;
  facts.filesystem = data.filesystem().name;
  facts.is_filesystem_supported = data.filesystem().is_supported;
  return facts;
}

}  // namespace quire
