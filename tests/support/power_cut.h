// What a disk would hold if the power went now: knows which bytes of a file were flushed, and makes
// files that a power cut might have left. Pages not flushed since their last change may be old,
// new, or torn at 512 bytes, each on its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/system.h"
#include "support/database_test.h"
#include "support/random.h"

namespace quire::test {

// What happens to the pages that were not flushed.
enum class Unflushed { lost, kept, mixed };

// One file whose flushes are watched. Threads: one; nothing else flushes meanwhile.
class WatchedFile {
 public:
  // The file's bytes now count as durable. `before_flush` runs in every flush, before its bytes
  // become durable.
  WatchedFile(const std::filesystem::path& path, std::function<void()> before_flush)
      : path_(path), before_flush_(std::move(before_flush)), durable_(read_file(path)) {
    struct stat status {};
    ::stat(path.c_str(), &status);
    inode_ = status.st_ino;
    watched()[inode_] = this;
    storage::system.msync = watched_msync;
    storage::system.fsync = watched_fsync;
    storage::system.fdatasync = watched_fdatasync;
  }
  WatchedFile(const WatchedFile&) = delete;
  WatchedFile& operator=(const WatchedFile&) = delete;
  ~WatchedFile() {
    watched().erase(inode_);
    if (watched().empty()) storage::system = real();
  }

  // A file as a power cut now might leave it.
  std::string image(Unflushed unflushed, Random& random) const {
    const std::string live = read_file(path_);
    if (unflushed == Unflushed::kept) return live;
    std::string made = durable_;
    if (unflushed == Unflushed::lost) return made;
    if (random.one_in(2)) made.resize(live.size(), '\0');
    const bool mostly_new = random.one_in(2);
    for (std::size_t page = 0; page < made.size(); page += kPage) {
      if (page >= live.size() || made.compare(page, kPage, live, page, kPage) == 0) continue;
      mix(made, live, page, mostly_new, random);
    }
    return made;
  }

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kSector = 512;

  static void mix(std::string& made, const std::string& live, std::size_t page, bool mostly_new,
                  Random& random) {
    const std::uint64_t fate = random.below(8);
    if (fate == 0) {
      for (std::size_t at = page; at < std::min(page + kPage, made.size()); at += kSector) {
        if (random.one_in(2)) made.replace(at, kSector, live, at, kSector);
      }
    } else if ((fate < 4) != mostly_new) {
      made.replace(page, kPage, live, page, kPage);
    }
  }

  void flush(std::uint64_t offset, std::uint64_t size_bytes, const std::function<int()>& call,
             int& result) {
    if (before_flush_) before_flush_();
    result = call();
    if (result != 0) return;
    const std::uint64_t live_bytes = std::filesystem::file_size(path_);
    durable_.resize(live_bytes, '\0');
    if (offset >= live_bytes) return;
    std::ifstream live{path_, std::ios::binary};
    live.seekg(static_cast<std::streamoff>(offset));
    live.read(durable_.data() + offset,
              static_cast<std::streamsize>(std::min(size_bytes, live_bytes - offset)));
  }

  static std::map<ino_t, WatchedFile*>& watched() {
    static std::map<ino_t, WatchedFile*> all;
    return all;
  }

  static const storage::System& real() {
    static const storage::System kept = storage::system;
    return kept;
  }

  // The watched file that is mapped at the address, and where in it.
  static std::pair<WatchedFile*, std::uint64_t> mapped_at(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::pair<WatchedFile*, std::uint64_t> found{nullptr, 0};
    std::FILE* maps = std::fopen("/proc/self/maps", "r");
    char line[1024];
    while (std::fgets(line, sizeof line, maps) != nullptr) {
      unsigned long first = 0, limit = 0, offset = 0, inode = 0;
      if (std::sscanf(line, "%lx-%lx %*s %lx %*s %lu", &first, &limit, &offset, &inode) != 4)
        continue;
      if (wanted < first || wanted >= limit || !watched().contains(inode)) continue;
      found = {watched()[inode], offset + (wanted - first)};
    }
    std::fclose(maps);
    return found;
  }

  static int watched_msync(void* address, std::size_t size_bytes, int flags) {
    const auto [file, offset] = mapped_at(address);
    const auto call = [&] { return real().msync(address, size_bytes, flags); };
    if (file == nullptr) return call();
    int result = 0;
    file->flush(offset, size_bytes, call, result);
    return result;
  }

  static int flush_descriptor(int descriptor, const std::function<int()>& call) {
    struct stat status {};
    ::fstat(descriptor, &status);
    const auto at = watched().find(status.st_ino);
    if (at == watched().end()) return call();
    int result = 0;
    at->second->flush(0, ~std::uint64_t{0}, call, result);
    return result;
  }

  static int watched_fsync(int descriptor) {
    return flush_descriptor(descriptor, [&] { return real().fsync(descriptor); });
  }
  static int watched_fdatasync(int descriptor) {
    return flush_descriptor(descriptor, [&] { return real().fdatasync(descriptor); });
  }

  inline static const storage::System& kept_before_any_change_ = real();

  std::filesystem::path path_;
  std::function<void()> before_flush_;
  std::string durable_;
  ino_t inode_ = 0;
};

}  // namespace quire::test
