// The disk behind the page cache when flushes fail, as Linux behaves: pages that could not be
// written count as clean, so that memory shows the new bytes, the disk keeps the old ones, and no
// later flush writes them unless they are stored again. The error is reported once.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/system.h"
#include "support/database_test.h"

namespace quire::test {

// One file, watched by one process. While an object lives, dropping the cache shows its disk.
class KernelDisk {
 public:
  explicit KernelDisk(std::filesystem::path path)
      : path_(std::move(path)), disk_(read_file(path_)), real_(storage::system) {
    struct stat status = {};
    ::stat(path_.c_str(), &status);
    inode_ = status.st_ino;
    self_ = this;
    storage::system.msync = [](void* address, std::size_t size_bytes, int flags) {
      const std::int64_t offset = self_->offset_of(address);
      return offset >= 0 ? self_->flush(static_cast<std::uint64_t>(offset), size_bytes)
                         : self_->real_.msync(address, size_bytes, flags);
    };
    storage::system.fdatasync = [](int file) {
      return self_->is_it(file) ? self_->flush(0, ~std::uint64_t{0}) : self_->real_.fdatasync(file);
    };
    storage::system.fsync = [](int file) {
      return self_->is_it(file) ? self_->flush(0, ~std::uint64_t{0}) : self_->real_.fsync(file);
    };
    // A file system with a disk behind it, whatever the tests run on.
    storage::system.fstatfs = [](int file, struct statfs* status) {
      const int result = self_->real_.fstatfs(file, status);
      status->f_type = EXT4_SUPER_MAGIC;
      return result;
    };
    storage::system.fadvise = [](int file, off_t, off_t, int) {
      if (self_->is_it(file)) self_->show_disk();
      return 0;
    };
    storage::system.mincore = [](void*, std::size_t size_bytes, unsigned char* resident) {
      std::memset(resident, 0, (size_bytes + kPage - 1) / kPage);
      return 0;
    };
  }
  KernelDisk(const KernelDisk&) = delete;
  KernelDisk& operator=(const KernelDisk&) = delete;
  ~KernelDisk() { storage::system = real_; }

  // The n-th flush from now on fails, or none for 0.
  void fail_flush(std::uint64_t n) noexcept { flushes_until_failure_ = n; }
  bool has_failed() const noexcept { return has_failed_; }

  // What memory showed and the disk does not have is gone.
  void show_disk() {
    const std::lock_guard lock(mutex_);
    std::fstream file{path_, std::ios::in | std::ios::out | std::ios::binary};
    for (const auto& [page, seen] : clean_) {
      if (read_page(file, page) != seen) continue;  // stored again since
      disk_.resize(std::max(disk_.size(), (page + 1) * kPage), '\0');
      file.seekp(static_cast<std::streamoff>(page * kPage));
      file.write(disk_.data() + page * kPage, kPage);
    }
    clean_.clear();
  }

 private:
  static constexpr std::uint64_t kPage = 4096;
  inline static KernelDisk* self_ = nullptr;

  static std::string read_page(std::fstream& file, std::uint64_t page) {
    std::string bytes(kPage, '\0');
    file.clear();
    file.seekg(static_cast<std::streamoff>(page * kPage));
    file.read(bytes.data(), kPage);
    file.clear();
    return bytes;
  }

  bool is_it(int file) const {
    struct stat status = {};
    return ::fstat(file, &status) == 0 && status.st_ino == inode_;
  }

  std::int64_t offset_of(const void* address) const {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::int64_t found = -1;
    std::FILE* maps = std::fopen("/proc/self/maps", "r");
    char line[1024];
    while (found < 0 && std::fgets(line, sizeof line, maps) != nullptr) {
      unsigned long first = 0, limit = 0, begin = 0, inode = 0;
      if (std::sscanf(line, "%lx-%lx %*s %lx %*s %lu", &first, &limit, &begin, &inode) != 4)
        continue;
      if (inode == inode_ && wanted >= first && wanted < limit) {
        found = static_cast<std::int64_t>(begin + (wanted - first));
      }
    }
    std::fclose(maps);
    return found;
  }

  int flush(std::uint64_t offset, std::uint64_t size_bytes) {
    const std::lock_guard lock(mutex_);  // commits and checkpoints flush at the same time
    const bool fails = flushes_until_failure_ > 0 && --flushes_until_failure_ == 0;
    const std::uint64_t file_bytes = std::filesystem::file_size(path_);
    const std::uint64_t limit = size_bytes > file_bytes || offset > file_bytes - size_bytes
                                    ? file_bytes
                                    : offset + size_bytes;
    disk_.resize(std::max(disk_.size(), file_bytes), '\0');
    std::fstream file{path_, std::ios::in | std::ios::binary};
    for (std::uint64_t page = offset / kPage; page * kPage < limit; ++page) {
      const std::string now = read_page(file, page);
      const auto clean = clean_.find(page);
      if (clean != clean_.end() && clean->second == now) continue;
      if (disk_.compare(page * kPage, kPage, now) == 0) continue;
      if (fails) {
        clean_[page] = now;
      } else {
        disk_.replace(page * kPage, kPage, now);
        clean_.erase(page);
      }
    }
    if (!fails) return 0;
    has_failed_ = true;
    errno = EIO;
    return -1;
  }

  std::filesystem::path path_;
  std::mutex mutex_;
  std::string disk_;
  storage::System real_;
  std::uint64_t inode_ = 0;
  std::map<std::uint64_t, std::string> clean_;  // pages that failed, as memory showed them then
  std::uint64_t flushes_until_failure_ = 0;
  bool has_failed_ = false;
};

}  // namespace quire::test
