// Fixture of the storage tests: a scratch directory, and the table of system calls put back after
// each test.
#pragma once

#include <quire/error.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "storage/data_file.h"
#include "storage/mapping.h"
#include "storage/region_file.h"
#include "storage/system.h"
#include "support/child.h"
#include "support/scratch.h"

namespace quire {

// How GoogleTest prints codes.
inline void PrintTo(Errc code, std::ostream* out) { *out << make_error_code(code).message(); }

}  // namespace quire

namespace quire::storage {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

#ifdef QUIRE_SINGLE_MAPPING
inline constexpr bool kSingleMapping = true;
#else
inline constexpr bool kSingleMapping = false;
#endif

// The Error that the call throws.
struct Failure {
  std::optional<Errc> code;
  std::string text;

  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

template <typename Call>
Failure failure_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return {static_cast<Errc>(error.code().value()), error.what()};
  }
  return {};
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary}.write(bytes.data(),
                                              static_cast<std::streamsize>(bytes.size()));
}

inline std::size_t file_count(const std::filesystem::path& directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{directory},
                                                std::filesystem::directory_iterator{}));
}

inline std::uint64_t block_bytes(const std::filesystem::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

inline std::byte byte_of(char character) { return static_cast<std::byte>(character); }

// The child of a test that runs as root goes on as nobody.
inline void drop_root() {
  if (::geteuid() != 0) return;
  ASSERT_EQ(::setgid(65534), 0);
  ASSERT_EQ(::setuid(65534), 0);
}

class StorageTest : public ::testing::Test {
 protected:
  using Access = DataFile::Access;
  using Place = test::ScratchDirectory::Place;

  explicit StorageTest(Place place = Place::fast) : directory_(place), path_(file("db")) {
    // Children that have dropped root's rights work in it too.
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0777});
  }
  ~StorageTest() override { system = original_; }

  std::filesystem::path file(std::string_view name) const {
    return std::filesystem::canonical(directory_.path()) / name;
  }

  // A data file of `size_bytes` bytes 'q'.
  void make_file(std::size_t size_bytes = kFileBytes) {
    write_file(path_, std::string(size_bytes, 'q'));
  }

  static constexpr std::size_t kFileBytes = 256 << 10;

 private:
  const System original_ = system;

 protected:
  test::ScratchDirectory directory_;
  std::filesystem::path path_;
};

// The same tests on a file system in memory and on one with a disk.
class StorageOnEachTest : public StorageTest,
                          public ::testing::WithParamInterface<test::ScratchDirectory::Place> {
 protected:
  StorageOnEachTest() : StorageTest(GetParam()) {}
};

inline std::string place_name(
    const ::testing::TestParamInfo<test::ScratchDirectory::Place>& place) {
  return place.param == test::ScratchDirectory::Place::fast ? "Memory" : "Disk";
}

}  // namespace quire::storage

#define QUIRE_ON_EACH_FILESYSTEM(Suite)                                                            \
  INSTANTIATE_TEST_SUITE_P(                                                                        \
      On, Suite,                                                                                   \
      ::testing::Values(test::ScratchDirectory::Place::fast, test::ScratchDirectory::Place::disk), \
      place_name)
