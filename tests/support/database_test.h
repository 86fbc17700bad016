// Fixture of every test that opens databases: one scratch file, and at the end of each test a check
// of the whole file.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "support/random.h"
#include "support/scratch.h"

namespace quire {

// How GoogleTest prints codes.
inline void PrintTo(Errc code, std::ostream* out) { *out << make_error_code(code).message(); }

}  // namespace quire

namespace quire::test {

// Code of the Error that the call throws; nothing when it throws none.
template <typename Call>
std::optional<Errc> errc_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return static_cast<Errc>(error.code().value());
  }
  return std::nullopt;
}

// Text of the Error that the call throws; empty when it throws none.
template <typename Call>
std::string text_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

// Fails the test with every fault that check() finds.
inline void expect_sound(const Database& database) {
  const CheckReport report = check(database);
  for (const Fault& fault : report.faults) {
    ADD_FAILURE() << "check: page " << fault.page << ": " << fault.reason;
  }
  EXPECT_TRUE(report.ok()) << report.fault_count << " faults";
}

inline void expect_sound(const std::filesystem::path& file) { expect_sound(Database{file}); }

using Entries = std::map<std::string, std::string>;

// Everything in a table, read forwards.
inline Entries entries(const TableView& table) {
  Entries all;
  for (auto [key, value] : table) all.emplace_hint(all.end(), key, value);
  return all;
}

// Everything in a table of the newest commit.
inline Entries entries(const Database& database, Bytes name = {}) {
  const Snapshot snapshot = database.snapshot();
  return entries(snapshot.table(name));
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary}.write(bytes.data(),
                                              static_cast<std::streamsize>(bytes.size()));
}

inline std::filesystem::path lock_file_of(std::filesystem::path file) {
  file += ".lock";
  return file;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// Rounds of a test that is slow under a sanitizer.
inline constexpr std::uint64_t rounds(std::uint64_t full, std::uint64_t sanitized) {
  return kSanitized ? sanitized : full;
}

class DatabaseTest : public ::testing::Test {
 protected:
  explicit DatabaseTest(ScratchDirectory::Place place = ScratchDirectory::Place::fast)
      : directory_(place), file_(directory_.file("db")) {}

  // A test that leaves something else than a sound database at file_ says so.
  void skip_final_check() noexcept { final_check_ = false; }

  void TearDown() override {
    if (final_check_ && std::filesystem::exists(file_)) expect_sound(file_);
  }

  ScratchDirectory directory_;
  std::filesystem::path file_;

 private:
  bool final_check_ = true;
};

}  // namespace quire::test
