// What a fuzzer's input stands for: a file, mostly zeros, and a program to run on it. Both are
// encoded so that a database of some hundred pages takes a few kilobytes:
//
//   file bytes (4), program bytes (2), program, then pieces: offset (4), length (2), bytes
//
// Anything decodes: what does not fit is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace quire::fuzz {

inline constexpr std::size_t kFileBytesMax = std::size_t{8} << 20;

using FileBytes = std::vector<std::byte>;

struct Input {
  FileBytes file;
  std::vector<std::uint8_t> program;
};

Input decode(const std::uint8_t* data, std::size_t size_bytes);

std::string encode(const Input& input);

// Calls `visit(offset, size_bytes)` for the pieces of `bytes` that hold anything but zeros.
template <typename Visit>
void for_pieces(const FileBytes& bytes, Visit visit) {
  constexpr std::size_t kGapBytes = 16;  // a shorter run of zeros is cheaper inside a piece
  constexpr std::size_t kPieceBytesMax = 65000;
  std::size_t first = 0;  // of the piece
  std::size_t end = 0;    // behind its last byte that is not zero
  for (std::size_t at = 0; at < bytes.size();) {
    const std::byte* byte = bytes.data() + at;
    if (at % 8 == 0 && at + 8 <= bytes.size() &&
        *reinterpret_cast<const std::uint64_t*>(byte) == 0) {
      at += 8;
      continue;
    }
    if (*byte != std::byte{0}) {
      if (end != 0 && (at >= end + kGapBytes || at >= first + kPieceBytesMax)) {
        visit(first, end - first);
        end = 0;
      }
      if (end == 0) first = at;
      end = at + 1;
    }
    ++at;
  }
  if (end != 0) visit(first, end - first);
}

}  // namespace quire::fuzz
