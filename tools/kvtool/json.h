// Bytes in JSON. JSON strings are text, keys and values are any bytes: a member NAME holds them
// when they are well-formed UTF-8, otherwise a member NAME_hex holds them in hexadecimal. An entry
// is one object on one line:
//   {"key":"ada","value":"Ada Lovelace"}
//   {"key":"logo","value_hex":"89504e470d0a1a0a"}
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "sink.h"

namespace kvtool {

// Members keep the order in which they were added.
using Json = nlohmann::ordered_json;

// Writes `"name":"text"` or `"name_hex":"digits"`, of any size without a copy.
void write_json_member(Sink& sink, Bytes name, Bytes bytes);

// An entry on a line of its own; without its value when there is none.
void write_json_entry(Sink& sink, Bytes key, std::optional<Bytes> value);

// A member of an object that is made as a whole.
void set_json_bytes(Json& object, const std::string& name, Bytes bytes);

// The whole document, indented, with a line feed.
std::string json_document(const Json& document);

}  // namespace kvtool
