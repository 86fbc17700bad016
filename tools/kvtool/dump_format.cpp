#include "dump_format.h"

#include <charconv>

#include "failure.h"
#include "load_format.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr Bytes kStart = "quire dump 1";
constexpr Bytes kPageSize = "page_size ";
constexpr Bytes kTable = "table";
constexpr Bytes kMultimap = "multimap ";
constexpr Bytes kEnd = "end ";

[[noreturn]] void refuse(const std::string& reason) { throw Failure(ExitCode::usage, reason); }

std::uint64_t decimal(Bytes text) {
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || rest != text.data() + text.size()) {
    refuse("not a number: " + std::string(text));
  }
  return number;
}

class DumpFormat final : public LoadFormat {
 public:
  ItemKind read(Bytes line, LoadItem& item) override {
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (!has_started_) {
      return read_start(line);
    }
    if (has_ended_) {
      refuse("text after the end of the dump");
    }
    const std::size_t tab = line.find('\t');
    return tab == Bytes::npos ? read_directive(line, item) : read_entry(line, tab, item);
  }

  void finish() override {
    if (!has_ended_) {
      refuse(has_started_ ? "the dump is cut short: its last line, `end N`, is missing"
                          : "the input is empty, a dump begins with `quire dump 1`");
    }
  }

  std::uint32_t page_size_bytes() const override { return page_size_bytes_; }

 private:
  ItemKind read_start(Bytes line) {
    if (line != kStart) {
      refuse("not a dump that this kvtool reads: the first line must be `quire dump 1`");
    }
    has_started_ = true;
    return ItemKind::none;
  }

  ItemKind read_directive(Bytes line, LoadItem& item) {
    if (line.starts_with(kPageSize) && !has_table_) {
      const std::uint64_t size_bytes = decimal(line.substr(kPageSize.size()));
      if (size_bytes > 65536) {
        refuse("pages have at most 65536 bytes");
      }
      page_size_bytes_ = static_cast<std::uint32_t>(size_bytes);
      return ItemKind::none;
    }
    if (line == kTable || (line.starts_with(kTable) && line[kTable.size()] == ' ')) {
      unescape(line.substr(line == kTable ? kTable.size() : kTable.size() + 1), item.table_name);
      item.is_multimap = false;
      has_table_ = true;
      return ItemKind::table;
    }
    if (line.starts_with(kMultimap) && line.size() > kMultimap.size()) {
      unescape(line.substr(kMultimap.size()), item.table_name);
      item.is_multimap = has_table_ = true;
      return ItemKind::table;
    }
    if (line.starts_with(kEnd)) {
      const std::uint64_t expected_count = decimal(line.substr(kEnd.size()));
      if (expected_count != entry_count_) {
        refuse("the dump should have " + grouped(expected_count) + " entries, here are " +
               grouped(entry_count_));
      }
      has_ended_ = true;
      return ItemKind::none;
    }
    refuse("neither an entry (KEY <tab> VALUE) nor `table NAME`, `multimap NAME`, `end N`");
  }

  ItemKind read_entry(Bytes line, std::size_t tab, LoadItem& item) {
    if (!has_table_) {
      refuse("an entry before the first `table` line");
    }
    if (line.find('\t', tab + 1) != Bytes::npos) {
      refuse("more than one tab; one inside a key or value is written as \\t");
    }
    unescape(line.substr(0, tab), item.key);
    unescape(line.substr(tab + 1), item.value);
    ++entry_count_;
    return ItemKind::entry;
  }

  bool has_started_ = false;
  bool has_table_ = false;
  bool has_ended_ = false;
  std::uint32_t page_size_bytes_ = 0;
  std::uint64_t entry_count_ = 0;
};

}  // namespace

void write_dump_start(Sink& sink, std::uint32_t page_size_bytes) {
  sink.write(kStart);
  sink.write("\n");
  sink.write(kPageSize);
  sink.write(std::to_string(page_size_bytes) + "\n");
}

void write_dump_table(Sink& sink, Bytes name, bool is_multimap) {
  if (is_multimap) {
    sink.write(kMultimap);
    write_escaped(sink, name);
    sink.write("\n");
    return;
  }
  sink.write(kTable);
  if (!name.empty()) {
    sink.write(" ");
    write_escaped(sink, name);
  }
  sink.write("\n");
}

void write_dump_entry(Sink& sink, Bytes key, Bytes value) {
  write_escaped(sink, key);
  sink.write("\t");
  write_escaped(sink, value);
  sink.write("\n");
}

void write_dump_end(Sink& sink, std::uint64_t entry_count) {
  sink.write(kEnd);
  sink.write(std::to_string(entry_count) + "\n");
}

std::unique_ptr<LoadFormat> make_dump_format() { return std::make_unique<DumpFormat>(); }

}  // namespace kvtool
