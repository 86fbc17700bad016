#include "lmdb_format.h"

#include <string>

#include "failure.h"
#include "load_format.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr Bytes kHeaderEnd = "HEADER=END";
constexpr Bytes kDataEnd = "DATA=END";
constexpr char kDigits[] = "0123456789abcdef";

[[noreturn]] void refuse(const std::string& reason) { throw Failure(ExitCode::usage, reason); }

bool is_printable(char byte) { return byte >= ' ' && byte <= '~'; }

void decode_print(Bytes text, std::string& bytes) {
  bytes.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      bytes += '\\';
      ++i;
    } else if (i + 2 < text.size()) {
      std::string byte;
      decode_hex(text.substr(i + 1, 2), byte);
      bytes += byte;
      i += 2;
    } else {
      refuse("a backslash at the end of the line");
    }
  }
}

// One database after the other, each with a header of its own.
class LmdbFormat final : public LoadFormat {
 public:
  ItemKind read(Bytes line, LoadItem& item) override {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (place_ == Place::header) return read_header(line, item);
    if (line == kDataEnd) {
      if (place_ == Place::value) refuse("a key without a value");
      place_ = Place::header;
      start_header();
      return ItemKind::none;
    }
    if (!line.starts_with(' ')) refuse("neither ` BYTES` nor DATA=END");
    decode(line.substr(1), place_ == Place::key ? item.key : item.value);
    place_ = place_ == Place::key ? Place::value : Place::key;
    return place_ == Place::key ? ItemKind::entry : ItemKind::none;
  }

  void finish() override {
    if (!has_database_) refuse("the input is empty, an LMDB dump begins with VERSION=3");
    if (place_ != Place::header || header_lines_ != 0) {
      refuse("the dump is cut short: its last line, DATA=END, is missing");
    }
  }

 private:
  enum class Place { header, key, value };

  void start_header() {
    name_.clear();
    has_name_ = false;
    is_print_ = false;
    header_lines_ = 0;
  }

  void decode(Bytes text, std::string& bytes) const {
    if (is_print_) {
      decode_print(text, bytes);
    } else {
      decode_hex(text, bytes);
    }
  }

  ItemKind read_header(Bytes line, LoadItem& item) {
    if (line.empty() && header_lines_ == 0) return ItemKind::none;
    if (header_lines_++ == 0 && line != "VERSION=3") {
      refuse("not an LMDB dump: its first line must be VERSION=3");
    }
    if (line != kHeaderEnd) {
      read_fact(line);
      return ItemKind::none;
    }
    place_ = Place::key;
    has_database_ = true;
    if (!has_name_) return ItemKind::none;  // into the table that the entries go to anyway
    item.table_name = name_;
    return ItemKind::table;
  }

  void read_fact(Bytes line) {
    const std::size_t equals = line.find('=');
    if (equals == Bytes::npos) refuse("not a NAME=VALUE line of a header");
    const Bytes name = line.substr(0, equals);
    const Bytes value = line.substr(equals + 1);
    if (name == "format") {
      if (value != "bytevalue" && value != "print") refuse("unknown format " + std::string(value));
      is_print_ = value == "print";
    } else if (name == "database") {
      name_ = value;
      has_name_ = true;
    } else if (name == "type" && value != "btree") {
      refuse("a database of type " + std::string(value) + "; only btree has an order");
    } else if (value == "1" && (name == "reversekey" || name == "integerkey")) {
      refuse("a database with " + std::string(name) +
             ": its keys are in another order than that of their bytes");
    } else if (value == "1" && (name == "duplicates" || name == "dupsort")) {
      refuse("a database with several values per key");
    }
  }

  Place place_ = Place::header;
  bool has_database_ = false;
  std::uint64_t header_lines_ = 0;
  std::string name_;
  bool has_name_ = false;
  bool is_print_ = false;
};

}  // namespace

void write_lmdb_header(Sink& sink, Bytes name, LmdbText text) {
  sink.write("VERSION=3\nformat=");
  sink.write(text == LmdbText::print ? "print" : "bytevalue");
  if (!name.empty()) {
    sink.write("\ndatabase=");
    sink.write(name);
  }
  sink.write("\ntype=btree\n");
  sink.write(kHeaderEnd);
  sink.write("\n");
}

void write_lmdb_bytes(Sink& sink, Bytes bytes, LmdbText text) {
  sink.write(" ");
  if (text == LmdbText::bytevalue) {
    write_hex(sink, bytes);
  } else {
    for (const char byte : bytes) {
      const auto value = static_cast<unsigned char>(byte);
      if (byte == '\\') {
        sink.write("\\\\");
      } else if (is_printable(byte)) {
        sink.write(Bytes(&byte, 1));
      } else {
        const char escape[] = {'\\', kDigits[value >> 4], kDigits[value & 15]};
        sink.write(Bytes(escape, sizeof escape));
      }
    }
  }
  sink.write("\n");
}

void write_lmdb_end(Sink& sink) {
  sink.write(kDataEnd);
  sink.write("\n");
}

std::unique_ptr<LoadFormat> make_lmdb_format() { return std::make_unique<LmdbFormat>(); }

}  // namespace kvtool
