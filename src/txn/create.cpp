#include <quire/error.h>

#include <random>
#include <vector>

#include "format/meta.h"
#include "format/record.h"
#include "format/space_map.h"
#include "txn/recovery.h"

namespace quire::txn {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kFirstFileBytes = 2 * kMiB;
constexpr int kOpenAttempts = 100;  // creation races with deletion at most this often

std::uint64_t random_word() {
  static thread_local std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

decltype(format::Meta::file_id) random_file_id() {
  decltype(format::Meta::file_id) id;
  for (auto& byte : id) byte = static_cast<std::uint8_t>(random_word());
  return id;
}

[[noreturn]] void refuse_page_size(const std::filesystem::path& path, const Options& options) {
  throw Error(Errc::misuse, path.string() + ": page size " + std::to_string(options.page_size) +
                                " is not 4096, 8192, 16384, 32768 or 65536");
}

// The state of a database in which nothing has happened yet.
format::Meta first_meta(std::uint32_t page_bytes) {
  const auto reserved_pages = static_cast<std::uint32_t>(format::kReservedBytes / page_bytes);
  format::Meta meta;
  meta.page_bytes = page_bytes;
  meta.file_id = random_file_id();
  meta.checksum_seed = random_word();
  meta.sequence = 1;
  meta.checkpoint = 1;
  meta.txn = meta.id_base = 1;
  meta.page_count = kFirstFileBytes / page_bytes;
  meta.map[0] = {reserved_pages, 1};
  meta.map[1] = {reserved_pages + 1, 1};
  meta.log = {reserved_pages + 2,
              static_cast<std::uint32_t>(format::kLogBytesAtFirst / page_bytes)};
  meta.epoch = 1;
  meta.clean = 1;
  return meta;
}

std::vector<std::byte> first_map(const format::Meta& meta) {
  std::vector<std::byte> page(meta.page_bytes);
  const std::uint32_t used_pages = meta.log.first_page + meta.log.page_count;
  for (std::uint32_t bit = 0; bit < used_pages; ++bit) {
    format::map_words(page.data())[bit / 64] |= std::uint64_t{1} << bit % 64;
  }
  format::seal_map_page(page.data(), PageId{meta.map[0].first_page}, 0, meta.checkpoint,
                        meta.page_bytes, meta.checksum_seed);
  return page;
}

void require_page_size(const std::filesystem::path& path, const Options& options) {
  if (options.page_size != 0 && !format::is_page_size(options.page_size))
    refuse_page_size(path, options);
}

// Has `create` make a file of what it is given.
template <typename Create>
auto with_first_image(const std::filesystem::path& path, const Options& options, Create create) {
  require_page_size(path, options);
  const std::uint32_t page_bytes =
      options.page_size == 0 ? format::kPageBytesDefault : options.page_size;
  format::Meta metas[2];
  metas[0] = first_meta(page_bytes);
  metas[1] = metas[0];
  metas[1].sequence = 2;
  for (format::Meta& meta : metas) meta.checksum = format::meta_checksum(meta);
  const std::vector<std::byte> map = first_map(metas[0]);
  const std::uint64_t map_offset = std::uint64_t{metas[0].map[0].first_page} * page_bytes;
  const storage::DataFile::Image::Piece pieces[] = {
      {format::kMetaOffset[0], reinterpret_cast<const std::byte*>(&metas[0]), sizeof metas[0]},
      {format::kMetaOffset[1], reinterpret_cast<const std::byte*>(&metas[1]), sizeof metas[1]},
      {map_offset, map.data(), map.size()},
  };
  return create(storage::DataFile::Image{
      .size_bytes = kFirstFileBytes,
      .pieces = pieces,
      .piece_count = std::size(pieces),
      .zeroed_offset = std::uint64_t{metas[0].log.first_page} * page_bytes,
      .zeroed_bytes = format::kLogBytesAtFirst,
  });
}

}  // namespace

void begin_own_history(format::Meta& meta) {
  constexpr std::uint64_t kSequenceUntouched = 2;  // of the second meta of a new file
  if (meta.sequence <= kSequenceUntouched && meta.txn > 1) meta.file_id = random_file_id();
}

bool create_file(const std::filesystem::path& path, const Options& options) {
  return with_first_image(path, options, [&](const storage::DataFile::Image& image) {
    return storage::DataFile::create(path, image, options.allow_any_filesystem);
  });
}

storage::MemoryFiles create_in_memory(const Options& options) {
  storage::MemoryFiles files = storage::MemoryFiles::make();
  with_first_image("database in memory", options, [&](const storage::DataFile::Image& image) {
    storage::DataFile::create(files, image);
  });
  return files;
}

std::filesystem::path ensure_file(const std::filesystem::path& path, const Options& options) {
  require_page_size(path, options);
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    std::error_code absent;
    std::filesystem::path canonical = std::filesystem::canonical(path, absent);
    if (!absent) return canonical;
    if (absent != std::errc::no_such_file_or_directory || !options.create_if_missing ||
        options.read_only) {
      throw Error(Errc::io, path.string() + ": cannot open: " + absent.message());
    }
    static_cast<void>(create_file(path, options));  // by us or by somebody else meanwhile
  }
  throw Error(
      Errc::io,
      path.string() + ": cannot open: it keeps appearing and vanishing, or is a link to nowhere");
}

}  // namespace quire::txn
