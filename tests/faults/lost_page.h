// Takes pages of a mapped file away from this process, as a failing disk would: touching one raises
// SIGBUS here, while other processes still have it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quire::test {

// In every mapping of the file that covers the offset. Returns how many there are.
inline int lose_page(const std::filesystem::path& file, std::uint64_t offset) {
  constexpr std::size_t kPageBytes = 4096;
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return 0;
  const int nothing = ::memfd_create("nothing", MFD_CLOEXEC);  // shorter than any page of it
  int lost = 0;
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  char line[1024];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long first = 0, limit = 0, begin = 0, inode = 0;
    if (std::sscanf(line, "%lx-%lx %*s %lx %*s %lu", &first, &limit, &begin, &inode) != 4) continue;
    if (inode != status.st_ino || offset < begin || offset >= begin + (limit - first)) continue;
    void* page = reinterpret_cast<void*>(first + (offset - begin) / kPageBytes * kPageBytes);
    ::mmap(page, kPageBytes, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, nothing, 0);
    ++lost;
  }
  std::fclose(maps);
  ::close(nothing);
  return lost;
}

}  // namespace quire::test
