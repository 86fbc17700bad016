// Where tests put their files: a directory of its own per object, removed with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

#include "storage/system.h"

namespace quire::test {

// What tests look at are flushes, wherever their files are.
inline const bool kFlushesMemory = (storage::system.flushes_memory = true);

class ScratchDirectory {
 public:
  enum class Place {
    fast,  // memory where there is some, for tests that flush often
    disk   // $TMPDIR, for what is too large for memory or needs a disk's file system
  };

  explicit ScratchDirectory(Place place = Place::fast) {
    std::string name = root(place) / "quire-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + name);
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path file(std::string_view name) const { return path_ / name; }

 private:
  // $QUIRE_TEST_DIR overrules both places, to run the tests on a file system of choice.
  static std::filesystem::path root(Place place) {
    if (const char* chosen = std::getenv("QUIRE_TEST_DIR")) return chosen;
    std::error_code ignored;
    if (place == Place::fast && std::filesystem::is_directory("/dev/shm", ignored)) {
      return "/dev/shm";
    }
    return std::filesystem::temp_directory_path();
  }

  std::filesystem::path path_;
};

}  // namespace quire::test
