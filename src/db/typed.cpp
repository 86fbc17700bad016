#include <quire/error.h>
#include <quire/typed.h>

#include <algorithm>
#include <string>

namespace quire {
namespace {

// At most so many bytes of a key are shown.
constexpr std::size_t kShownBytesMax = 32;

std::string hex(Bytes bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes.substr(0, kShownBytesMax)) {
    const auto value = static_cast<unsigned char>(byte);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return bytes.size() > kShownBytesMax ? text + "..." : text;
}

}  // namespace

void detail::refuse_entry(std::string_view table, const char* part, Bytes key, Bytes bytes,
                          std::size_t size_bytes) {
  const std::string name = table.empty() ? "default table" : "table '" + std::string(table) + "'";
  const std::string wanted =
      size_bytes != 0 && size_bytes != bytes.size()
          ? std::to_string(bytes.size()) + " bytes, not " + std::to_string(size_bytes)
          : std::to_string(bytes.size()) + " bytes that are none of this type";
  throw Error(Errc::misuse, name + ", key " + hex(key) + " (hex): the " + part + " has " + wanted +
                                "; open the table under the types that it was written with");
}

}  // namespace quire
