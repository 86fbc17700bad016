#include "fuzz/fuzz_input.h"

#include <algorithm>
#include <cstring>

namespace quire::fuzz {
namespace {

// Takes values off the front; zeros when there is nothing left.
class Reader {
 public:
  Reader(const std::uint8_t* data, std::size_t size_bytes) : at_(data), left_(size_bytes) {}

  std::size_t left() const noexcept { return left_; }

  template <typename T>
  T number() {
    T value = 0;
    copy(&value, sizeof value);
    return value;
  }

  // Copies as many of `wanted` bytes as there are; returns how many.
  std::size_t copy(void* to, std::size_t wanted) {
    const std::size_t taken = std::min(wanted, left_);
    if (taken > 0) std::memcpy(to, at_, taken);
    at_ += taken;
    left_ -= taken;
    return taken;
  }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

template <typename T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

Input decode(const std::uint8_t* data, std::size_t size_bytes) {
  Reader reader(data, size_bytes);
  Input input;
  input.file.resize(std::min<std::size_t>(reader.number<std::uint32_t>(), kFileBytesMax));
  input.program.resize(std::min<std::size_t>(reader.number<std::uint16_t>(), reader.left()));
  reader.copy(input.program.data(), input.program.size());
  while (reader.left() > 0) {
    const std::size_t offset = reader.number<std::uint32_t>();
    const std::size_t length = reader.number<std::uint16_t>();
    if (offset >= input.file.size()) return input;
    reader.copy(input.file.data() + offset, std::min(length, input.file.size() - offset));
  }
  return input;
}

std::string encode(const Input& input) {
  std::string out;
  append(out, static_cast<std::uint32_t>(input.file.size()));
  const std::size_t program_bytes = std::min<std::size_t>(input.program.size(), UINT16_MAX);
  append(out, static_cast<std::uint16_t>(program_bytes));
  out.append(reinterpret_cast<const char*>(input.program.data()), program_bytes);
  for_pieces(input.file, [&](std::size_t offset, std::size_t size_bytes) {
    append(out, static_cast<std::uint32_t>(offset));
    append(out, static_cast<std::uint16_t>(size_bytes));
    out.append(reinterpret_cast<const char*>(input.file.data()) + offset, size_bytes);
  });
  return out;
}

}  // namespace quire::fuzz
