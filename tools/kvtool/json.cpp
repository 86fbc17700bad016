#include "json.h"

#include "text.h"

namespace kvtool {

namespace {

// Escapes what JSON demands, and every other control character for the sake of terminals.
void write_json_text(Sink& sink, Bytes utf8) {
  std::size_t plain = 0;
  while (plain < utf8.size()) {
    const Bytes sequence = utf8.substr(plain, utf8_sequence_bytes(utf8.substr(plain)));
    const bool is_quoted = sequence[0] == '"' || sequence[0] == '\\';
    if (!is_quoted && !is_control(sequence)) {
      plain += sequence.size();
      continue;
    }
    sink.write(utf8.substr(0, plain));
    if (is_quoted) {
      sink.write("\\");
      sink.write(sequence);
    } else {
      sink.write("\\u00");
      write_hex(sink, sequence.substr(sequence.size() - 1));
    }
    utf8.remove_prefix(plain + sequence.size());
    plain = 0;
  }
  sink.write(utf8);
}

}  // namespace

void write_json_member(Sink& sink, Bytes name, Bytes bytes) {
  const bool is_text = is_utf8(bytes);
  sink.write("\"");
  sink.write(name);
  sink.write(is_text ? "\":\"" : "_hex\":\"");
  if (is_text) {
    write_json_text(sink, bytes);
  } else {
    write_hex(sink, bytes);
  }
  sink.write("\"");
}

void write_json_entry(Sink& sink, Bytes key, std::optional<Bytes> value) {
  sink.write("{");
  write_json_member(sink, "key", key);
  if (value) {
    sink.write(",");
    write_json_member(sink, "value", *value);
  }
  sink.write("}\n");
}

void set_json_bytes(Json& object, const std::string& name, Bytes bytes) {
  if (is_utf8(bytes)) {
    object[name] = bytes;
  } else {
    StringSink digits;
    write_hex(digits, bytes);
    object[name + "_hex"] = digits.text();
  }
}

std::string json_document(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kvtool
