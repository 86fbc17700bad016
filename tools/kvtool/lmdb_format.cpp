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

[[noreturn]] void refuse_backslash() {
  refuse(
      "a backslash begins \\\\ or \\HH; some versions of mdb_dump -p write one as it is: dump "
      "without -p");
}

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
      try {
        decode_hex(text.substr(i + 1, 2), byte);
      } catch (const Failure&) {
        refuse_backslash();
      }
      bytes += byte;
      i += 2;
    } else {
      refuse_backslash();
    }
  }
}

// One database after the other, each with a header of its own.
class LmdbFormat final : public LoadFormat {
 public:
  explicit LmdbFormat(const std::string& unnamed) : unnamed_(unnamed), name_(unnamed) {}

  ItemKind read(Bytes line, LoadItem& item) override {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (place_ == Place::header) return read_header(line, item);
    if (line == kDataEnd) {
      if (place_ == Place::value) refuse("a key without a value; make the dump again");
      place_ = Place::header;
      start_header();
      return ItemKind::none;
    }
    if (!line.starts_with(' ')) {
      refuse("neither ` BYTES` nor DATA=END: the dump is damaged; make it again");
    }
    decode(line.substr(1), place_ == Place::key ? item.key : item.value);
    place_ = place_ == Place::key ? Place::value : Place::key;
    return place_ == Place::key ? ItemKind::entry : ItemKind::none;
  }

  void finish() override {
    if (!has_database_) refuse("the input is empty, an LMDB dump begins with VERSION=3");
    if (place_ != Place::header || header_lines_ != 0) {
      refuse("the dump is cut short: its last line, DATA=END, is missing; make it again");
    }
  }

 private:
  enum class Place { header, key, value };

  void start_header() {
    name_ = unnamed_;
    is_print_ = false;
    is_multimap_ = false;
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
    if (is_multimap_ && name_.empty()) {
      refuse(
          "a database without a name that has several values per key: the default table cannot; "
          "name another one with --table");
    }
    item.table_name = name_;
    item.is_multimap = is_multimap_;
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
    } else if (name == "type" && value != "btree") {
      refuse("a database of type " + std::string(value) + "; only btree has an order");
    } else if (value == "1") {
      read_flag(name);
    }
  }

  // Others say how LMDB stores it.
  void read_flag(Bytes name) {
    if (name == "reversekey" || name == "integerkey") {
      refuse("a database with " + std::string(name) +
             ": its keys are in another order than that of their bytes; only a program that knows "
             "them can copy it");
    }
    if (name == "reversedup" || name == "integerdup") {
      refuse("a database with " + std::string(name) +
             ": its values are in another order than that of their bytes; only a program that "
             "knows them can copy it");
    }
    is_multimap_ = is_multimap_ || name == "duplicates" || name == "dupsort";
  }

  Place place_ = Place::header;
  bool has_database_ = false;
  std::uint64_t header_lines_ = 0;
  std::string unnamed_;
  std::string name_;
  bool is_print_ = false;
  bool is_multimap_ = false;
};

}  // namespace

void write_lmdb_header(Sink& sink, const LmdbHeader& header) {
  sink.write("VERSION=3\nformat=");
  sink.write(header.text == LmdbText::print ? "print" : "bytevalue");
  if (!header.name.empty()) {
    sink.write("\ndatabase=");
    sink.write(header.name);
  }
  sink.write("\ntype=btree\nmapsize=" + std::to_string(header.map_bytes) + "\n");
  if (header.is_multimap) sink.write("duplicates=1\ndupsort=1\n");
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

std::unique_ptr<LoadFormat> make_lmdb_format(const std::string& unnamed) {
  return std::make_unique<LmdbFormat>(unnamed);
}

}  // namespace kvtool
