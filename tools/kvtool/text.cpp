#include "text.h"

#include <array>
#include <cstdio>

#include "failure.h"

namespace kvtool {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

// -1 for what is no hexadecimal digit.
int digit_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  if (digit >= 'a' && digit <= 'f') {
    return digit - 'a' + 10;
  }
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

// The byte that two digits at `at` name, or -1.
int hex_byte(Bytes text, std::size_t at) noexcept {
  if (at + 2 > text.size()) {
    return -1;
  }
  const int high = digit_value(text[at]);
  const int low = digit_value(text[at + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void write_escape(Sink& sink, char byte) {
  switch (byte) {
    case '\\':
      return sink.write("\\\\");
    case '\t':
      return sink.write("\\t");
    case '\n':
      return sink.write("\\n");
    case '\r':
      return sink.write("\\r");
    default:
      sink.write("\\x");
      return write_hex(sink, Bytes(&byte, 1));
  }
}

}  // namespace

std::size_t utf8_sequence_bytes(Bytes bytes) noexcept {
  const auto within = [bytes](std::size_t index, int low, int high) {
    const int byte = index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : -1;
    return low <= byte && byte <= high;
  };
  // The second byte's limits keep out overlong forms, surrogates and what lies beyond Unicode.
  if (within(0, 0x00, 0x7f)) {
    return 1;
  }
  if (within(0, 0xc2, 0xdf)) {
    return within(1, 0x80, 0xbf) ? 2 : 0;
  }
  if (within(0, 0xe0, 0xef)) {
    const int low = within(0, 0xe0, 0xe0) ? 0xa0 : 0x80;
    const int high = within(0, 0xed, 0xed) ? 0x9f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (within(0, 0xf0, 0xf4)) {
    const int low = within(0, 0xf0, 0xf0) ? 0x90 : 0x80;
    const int high = within(0, 0xf4, 0xf4) ? 0x8f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) && within(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

bool is_utf8(Bytes bytes) noexcept {
  while (!bytes.empty()) {
    const std::size_t length = utf8_sequence_bytes(bytes);
    if (length == 0) {
      return false;
    }
    bytes.remove_prefix(length);
  }
  return true;
}

bool is_control(Bytes sequence) noexcept {
  const auto first = static_cast<unsigned char>(sequence[0]);
  return first < 0x20 || first == 0x7f ||
         (first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0);
}

void write_escaped(Sink& sink, Bytes bytes) {
  std::size_t plain = 0;  // bytes at the front that stand for themselves
  while (plain < bytes.size()) {
    const std::size_t length = utf8_sequence_bytes(bytes.substr(plain));
    const Bytes sequence = bytes.substr(plain, length == 0 ? 1 : length);
    if (length > 0 && sequence[0] != '\\' && !is_control(sequence)) {
      plain += length;
      continue;
    }
    sink.write(bytes.substr(0, plain));
    for (const char byte : sequence) {
      write_escape(sink, byte);
    }
    bytes.remove_prefix(plain + sequence.size());
    plain = 0;
  }
  sink.write(bytes);
}

std::string escaped(Bytes bytes) {
  StringSink sink;
  write_escaped(sink, bytes);
  return sink.text();
}

void unescape(Bytes text, std::string& bytes) {
  bytes.clear();
  for (;;) {
    const std::size_t backslash = text.find('\\');
    bytes += text.substr(0, backslash);
    if (backslash == Bytes::npos) {
      return;
    }
    text.remove_prefix(backslash);
    const char kind = text.size() > 1 ? text[1] : '\0';
    const int byte = kind == 'x' ? hex_byte(text, 2) : -1;
    constexpr Bytes kKinds = "\\tnr";
    constexpr Bytes kMeanings = "\\\t\n\r";
    const std::size_t known = text.size() > 1 ? kKinds.find(kind) : Bytes::npos;
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else if (known != Bytes::npos) {
      bytes += kMeanings[known];
    } else {
      throw Failure(ExitCode::usage, "a backslash begins \\\\ \\t \\n \\r or \\xHH; found " +
                                         std::string(text.substr(0, kind == 'x' ? 4 : 2)));
    }
    text.remove_prefix(byte >= 0 ? 4 : 2);
  }
}

void write_hex(Sink& sink, Bytes bytes) {
  std::array<char, 1024> digits;
  while (!bytes.empty()) {
    const Bytes part = bytes.substr(0, digits.size() / 2);
    std::size_t length = 0;
    for (const char byte : part) {
      digits[length++] = kDigits[static_cast<unsigned char>(byte) >> 4];
      digits[length++] = kDigits[static_cast<unsigned char>(byte) & 15];
    }
    sink.write(Bytes(digits.data(), length));
    bytes.remove_prefix(part.size());
  }
}

void decode_hex(Bytes text, std::string& bytes) {
  bytes.clear();
  bytes.reserve(text.size() / 2);
  for (std::size_t at = 0; at < text.size(); at += 2) {
    const int byte = hex_byte(text, at);
    if (byte < 0) {
      throw Failure(ExitCode::usage, "hexadecimal takes pairs of the digits 0-9 a-f; found " +
                                         std::string(text.substr(at, 2)));
    }
    bytes += static_cast<char>(byte);
  }
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return grouped(count) + " " + (count == 1 ? one : many);
}

std::string human_bytes(std::uint64_t size_bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double size = static_cast<double>(size_bytes);
  std::size_t unit = 0;
  while (size >= 1023.95 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  std::array<char, 32> text;
  // Whole numbers stay whole: "4 KiB pages".
  const bool is_whole = size == static_cast<double>(static_cast<std::uint64_t>(size));
  std::snprintf(text.data(), text.size(), "%.*f %s", is_whole ? 0 : 1, size, kUnits[unit]);
  return text.data();
}

}  // namespace kvtool
