#include <quire/error.h>

#include <cerrno>
#include <string>

#include "storage/data_file.h"
#include "storage/file_calls.h"
#include "storage/new_file.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

constexpr unsigned kMode =
    0666;  // less the umask: who may read the database is the user's business

// Where a dangling symlink points to: linkat(2) would take it for the file.
std::filesystem::path target_of(std::filesystem::path path) {
  constexpr int kLinksMax = 40;
  for (int links = 0; links < kLinksMax; ++links) {
    std::error_code no_link;
    const std::filesystem::path target = std::filesystem::read_symlink(path, no_link);
    if (no_link) break;
    path = path.parent_path() / target;
  }
  return path;
}

void write_image(const Descriptor& file, const DataFile::Image& image,
                 const std::filesystem::path& target) {
  const std::string action = "create with " + std::to_string(image.size_bytes) + " bytes";
  if (!allocate(file, 0, 0, image.size_bytes, action, target)) {
    write_zeros_at(file, 0, image.size_bytes, action, target);
  }
  write_zeros_at(file, image.zeroed_offset, image.zeroed_bytes, action, target);
  for (std::size_t i = 0; i < image.piece_count; ++i) {
    const DataFile::Image::Piece& piece = image.pieces[i];
    write_at(file, piece.offset, piece.bytes, piece.size_bytes, action, target);
  }
}

}  // namespace

void DataFile::create(const MemoryFiles& files, const Image& image) {
  write_image(files.data, image, memory_name(files.data, "data"));
}

bool DataFile::create(const std::filesystem::path& path, const Image& image,
                      bool allow_any_filesystem) {
  const std::filesystem::path target = target_of(path);
  if (!target.has_filename()) throw_errno(EISDIR, "create", path);
  Descriptor directory = open_directory_of(target);
  (void)require_supported_filesystem(directory, allow_any_filesystem, target);

  NewFile created{std::move(directory), target, kMode};
  const Descriptor& file = created.descriptor();
  write_image(file, image, target);
  if (uninterrupted([&] { return system.fsync(file.get()); }) == -1) {
    throw_errno(errno, "flush", target);
  }
  if (!created.link()) return false;
  if (const std::error_code failed = flush_directory(created.directory())) {
    throw_errno(failed.value(), "flush the directory", target);
  }
  return true;
}

}  // namespace quire::storage
