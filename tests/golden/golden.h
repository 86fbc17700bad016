// The files of this folder: which there are, what is in them, and how they are packed.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace quire::test {

struct Golden {
  std::string shape;
  std::uint32_t page_bytes;
  std::string name() const { return shape + "-" + std::to_string(page_bytes / 1024) + "k"; }
};

inline std::vector<Golden> all_golden() {
  std::vector<Golden> all;
  for (const char* shape :
       {"empty", "small", "large", "deep", "holes", "unclean", "torn", "pairs", "pairlog"}) {
    for (const std::uint32_t page_bytes : {4096u, 16384u, 65536u})
      all.push_back({shape, page_bytes});
  }
  return all;
}

inline std::string hex_of(Bytes bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

template <typename Source>
std::string lines_of(const Source& entries) {
  std::string text;
  for (const auto& [key, value] : entries) text += hex_of(key) + " " + hex_of(value) + "\n";
  return text;
}

// Every entry of every table, and every pair of every multimap, one a line, in hexadecimal.
inline std::string dump_of(const Database& database) {
  const Snapshot now = database.snapshot();
  std::vector<std::string> names = now.tables();
  names.insert(names.begin(), "");
  std::string text;
  for (const std::string& name : names) {
    const bool is_multimap = now.is_multimap(name);
    text += (is_multimap ? "multimap " : "table ") + hex_of(name) + "\n";
    text += is_multimap ? lines_of(now.multimap(name)) : lines_of(now.table(name));
  }
  return text;
}

// What a command prints. Throws when it fails.
inline std::string output_of(const std::string& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string text;
  char bytes[65536];
  for (std::size_t got = 0; (got = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;) {
    text.append(bytes, got);
  }
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed");
  return text;
}

inline std::string unpacked(const std::filesystem::path& packed) {
  return output_of("gzip -dc '" + packed.string() + "'");
}

}  // namespace quire::test
