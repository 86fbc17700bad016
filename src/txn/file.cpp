#include "txn/file.h"

#include <quire/error.h>

#include <cstring>
#include <utility>

#include "shared/layout.h"
#include "txn/recovery.h"

namespace quire::txn {
namespace {

constexpr int kMetaReadAttempts =
    100;  // a checkpoint stores one meta after the other: both torn is a passing sight

}  // namespace

Facts read_facts(const storage::DataFile& data) {
  const format::Meta meta = read_metas_unmapped(data).meta;
  return {.page_bytes = meta.page_bytes,
          .checksum_seed = meta.checksum_seed,
          .may_be_written = (meta.ro_compat & ~format::kRoCompatKnown) == 0};
}

File::File(const std::filesystem::path& path, storage::DataFile::Access access,
           const Options& options)
    : data_(path, access, options.allow_any_filesystem),
      name_(data_.path().string()),
      facts_(read_facts(data_)) {}

File::File(storage::MemoryFiles files)
    : data_(std::move(files)), name_(data_.path().string()), facts_(read_facts(data_)) {}

void File::map(const Options& options) {
  data_.map(options.reserve);
  if (options.guard_sigbus) guard_sigbus();
}

void require_fits(const Facts& facts, const std::string& name, const Options& options) {
  if (options.page_size != 0 && options.page_size != facts.page_bytes) {
    throw Error(Errc::misuse, name + ": has pages of " + std::to_string(facts.page_bytes) +
                                  " bytes, not " + std::to_string(options.page_size));
  }
  if (!facts.may_be_written && !options.read_only) {
    throw Error(Errc::wrong_version,
                name +
                    ": written by a newer version of quire; this one may only read it: "
                    "open it read-only");
  }
}

pages::PageView File::view(std::uint64_t page_count) const {
  if (page_count * facts_.page_bytes > data_.reserved_bytes()) {
    throw Error(Errc::no_space,
                name_ + ": has grown beyond the " + std::to_string(data_.reserved_bytes()) +
                    " bytes of address space reserved here; open it anew with more");
  }
  return {.base = data_.read_base(),
          .page_bytes = facts_.page_bytes,
          .page_count = static_cast<std::uint32_t>(page_count),
          .checksum_seed = facts_.checksum_seed,
          .file = name_.c_str()};
}

pages::Verification File::verification(Verify verify) {
  if (verify == Verify::first_touch) {
    std::call_once(verified_made_, [this] {
      verified_ = std::make_unique<pages::VerifiedPages>(data_.size_bytes() / facts_.page_bytes);
    });
  }
  return {.sealed = checkpointed(),
          .newest = {},
          .verified = verify == Verify::first_touch ? verified_.get() : nullptr};
}

log::Ring File::ring_at(std::uint64_t log_run) const {
  const shared::Run run = shared::unpack_run(log_run);
  if (run.page_count == 0) require_readable();
  const std::uint64_t offset = std::uint64_t{run.first_page} * facts_.page_bytes;
  return {.read = data_.read_base() + offset,
          .file_offset = offset,
          .size_bytes = std::uint64_t{run.page_count} * facts_.page_bytes,
          .seed = facts_.checksum_seed};
}

bool File::has_facts(const format::Meta& meta) const noexcept {
  return meta.page_bytes == facts_.page_bytes && meta.checksum_seed == facts_.checksum_seed;
}

format::MetaChoice File::read_metas() const {
  const char* reason = "";
  for (int attempt = 0; attempt < kMetaReadAttempts; ++attempt) {
    format::Meta metas[2];
    for (int slot = 0; slot < 2; ++slot) {
      std::memcpy(static_cast<void*>(&metas[slot]), data_.read_base() + format::kMetaOffset[slot],
                  sizeof metas[slot]);
    }
    const format::MetaChoice choice = format::choose(metas[0], metas[1]);
    if (choice.fault != format::MetaFault::none) {
      reason = ": both meta pages are damaged; restore from a copy";
    } else if (!has_facts(choice.meta)) {
      reason = ": the meta pages are those of another database; restore from a copy";
    } else if (choice.meta.page_count > data_.size_bytes() / facts_.page_bytes) {
      reason = ": the file was cut while in use; restore from a copy";
    } else {
      return choice;
    }
  }
  throw Error(Errc::corrupt, name_ + reason);
}

void File::guard_sigbus() {
  if (is_guarded()) return;
  guard_region();
  guard_.cover(data_.read_base(), data_.reserved_bytes());
  if (data_.write_base() != nullptr && data_.write_base() != data_.read_base()) {
    guard_.cover(data_.write_base(), data_.reserved_bytes());
  }
  is_guarded_.store(true, std::memory_order_release);
}

void File::require_nothing_lost() const {
  constexpr const char* kAdvice =
      " cannot be read: the file was cut, or the disk failed; close the database in this process "
      "and open it anew";
  if (guard_.is_lost()) {
    throw Error(Errc::io, name_ + ": page " +
                              std::to_string(guard_.lost_offset() / facts_.page_bytes) + kAdvice);
  }
  if (region_guard().is_lost()) {
    throw Error(Errc::io,
                region_path() + ": byte " + std::to_string(region_guard().lost_offset()) + kAdvice);
  }
}

void File::abandon_after_fork() noexcept {
  abandoned_.store(true);
  guard_.abandon_after_fork();
  abandon_region();
  data_.abandon_after_fork();
}

}  // namespace quire::txn
