#include "fuzz/disk.h"

#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

#include "storage/system.h"

namespace quire::fuzz {
namespace {

class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, int flags)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) throw std::runtime_error("cannot open " + path.string());
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(descriptor_); }
  int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

void write_pieces(const std::filesystem::path& path, const FileBytes& bytes) {
  const OpenFile file(path, O_RDWR | O_CREAT | O_TRUNC);
  if (::ftruncate(file.get(), static_cast<off_t>(bytes.size())) != 0) {
    throw std::runtime_error("cannot resize " + path.string());
  }
  for_pieces(bytes, [&](std::size_t offset, std::size_t size_bytes) {
    if (::pwrite(file.get(), bytes.data() + offset, size_bytes, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(size_bytes)) {
      throw std::runtime_error("cannot write " + path.string());
    }
  });
}

// Takes blocks only when they are written, which spares most of the time that an opening takes:
// zeroing what nobody looks at. The space of an input is small, so that none is refused.
int fallocate_lazily(int descriptor, int mode, off_t offset, off_t size_bytes) {
  constexpr int kKeepSize = 1;
  if ((mode & ~kKeepSize) != 0) return ::fallocate(descriptor, mode, offset, size_bytes);
  if (mode == kKeepSize || ::lseek(descriptor, 0, SEEK_END) >= offset + size_bytes) return 0;
  return ::ftruncate(descriptor, offset + size_bytes);
}

}  // namespace

Disk::Disk() : path_(directory_.file("db")) { storage::system.fallocate = fallocate_lazily; }

std::filesystem::path Disk::lock_path() const {
  std::filesystem::path path = path_;
  path += ".lock";
  return path;
}

void Disk::store(const FileBytes& bytes) {
  std::error_code ignored;
  std::filesystem::remove(lock_path(), ignored);
  write_pieces(path_, bytes);
}

void Disk::store_lock_file(const FileBytes& bytes) { write_pieces(lock_path(), bytes); }

FileBytes Disk::load() const {
  const OpenFile file(path_, O_RDONLY);
  FileBytes bytes(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)));
  if (::pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("cannot read " + path_.string());
  }
  return bytes;
}

}  // namespace quire::fuzz
