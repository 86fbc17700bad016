// Bytes as text and back. Escaped text is what `list`, `dump` and `load` share: UTF-8 as it is, but
//   \\  a backslash          \t  a tab          \n  a line feed          \r  a carriage return
//   \xHH  any other control character, and every byte that is not part of well-formed UTF-8
// so that a line is an entry, a tab ends its key, and no key or value can command a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sink.h"

namespace kvtool {

// Length of the well-formed UTF-8 sequence that `bytes` begins with; 0 when it begins with none.
std::size_t utf8_sequence_bytes(Bytes bytes) noexcept;

bool is_utf8(Bytes bytes) noexcept;

// True for the control characters of Unicode (C0, DEL, C1); `sequence` is one well-formed UTF-8
// sequence.
bool is_control(Bytes sequence) noexcept;

void write_escaped(Sink& sink, Bytes bytes);
std::string escaped(Bytes bytes);

// The bytes that escaped text stands for; bytes that need no backslash may stand for themselves.
// Throws Failure (usage) for a backslash that begins none of the escapes.
void unescape(Bytes text, std::string& bytes);

// Lower-case hexadecimal, two digits per byte.
void write_hex(Sink& sink, Bytes bytes);

// Takes both cases. Throws Failure (usage) for an odd number of digits, or anything that is none.
void decode_hex(Bytes text, std::string& bytes);

// "1,234,567".
std::string grouped(std::uint64_t number);

// "1 page", "1,234 pages".
std::string counted(std::uint64_t count, const char* one, const char* many);

// "512 B", "48.3 MiB": binary units, one decimal.
std::string human_bytes(std::uint64_t size_bytes);

}  // namespace kvtool
