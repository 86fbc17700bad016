// Target: what `kvtool load` reads, in each of its formats. What is accepted must come out of the
// writer of that format and be read again as the same.
#include <optional>
#include <stdexcept>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "dump_format.h"
#include "failure.h"
#include "fuzz/verdict.h"
#include "input.h"
#include "json.h"
#include "load_format.h"
#include "text.h"

namespace {

using kvtool::ItemKind;
using kvtool::LoadItem;
using quire::fuzz::finding;

class StringSink final : public kvtool::Sink {
 public:
  void write(quire::Bytes bytes) override { text += bytes; }
  std::string text;
};

// A file in memory, opened by name as any other.
std::string file_with(const std::uint8_t* data, std::size_t size_bytes) {
  static const int descriptor = ::memfd_create("input", MFD_CLOEXEC);
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, data, size_bytes, 0) != static_cast<ssize_t>(size_bytes)) {
    throw std::runtime_error("cannot write the input");
  }
  return "/proc/self/fd/" + std::to_string(descriptor);
}

constexpr unsigned kLmdb = 255;  // its entries have two lines: it is only read

std::unique_ptr<kvtool::LoadFormat> make_format(unsigned choice) {
  if (choice == kLmdb) return kvtool::make_lmdb_format();
  switch (choice % 4) {
    case 0:
      return kvtool::make_tsv_format(false);
    case 1:
      return kvtool::make_tsv_format(true);
    case 2:
      return kvtool::make_json_format();
    default:
      return kvtool::make_dump_format();
  }
}

// The line that holds an entry in this format.
std::string line_of(unsigned choice, const LoadItem& item) {
  StringSink sink;
  if (choice % 4 == 0) {
    kvtool::write_escaped(sink, item.key);
    sink.write("\t");
    kvtool::write_escaped(sink, item.value);
  } else if (choice % 4 == 1) {
    kvtool::write_hex(sink, item.key);
    sink.write("\t");
    kvtool::write_hex(sink, item.value);
  } else if (choice % 4 == 2) {
    sink.write("{");
    kvtool::write_json_member(sink, "key", item.key);
    sink.write(",");
    kvtool::write_json_member(sink, "value", item.value);
    sink.write("}");
  } else {
    kvtool::write_dump_entry(sink, item.key, item.value);
    sink.text.pop_back();
  }
  return sink.text;
}

void expect_round_trip(unsigned choice, const LoadItem& item) {
  if (choice == kLmdb) return;
  const std::string line = line_of(choice, item);
  const auto format = make_format(choice);
  LoadItem again;
  if (choice % 4 == 3) {
    format->read("quire dump 1", again);
    format->read("table", again);
  }
  if (format->read(line, again) != ItemKind::entry || again.key != item.key ||
      again.value != item.value) {
    finding("an entry that does not survive: " + line);
  }
}

void read_all(unsigned choice, const std::string& name) {
  const auto format = make_format(choice);
  kvtool::Input input(name);
  LoadItem item;
  while (const std::optional<quire::Bytes> line = input.next_line()) {
    if (format->read(*line, item) == ItemKind::entry) expect_round_trip(choice, item);
  }
  format->finish();
  static_cast<void>(format->page_size_bytes());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  if (size_bytes == 0) return 0;
  try {
    read_all(data[0], file_with(data + 1, size_bytes - 1));
  } catch (const kvtool::Failure& failure) {
    if (failure.code() != kvtool::ExitCode::usage) finding(failure.what());
  } catch (const std::exception& error) {
    finding(std::string("an exception that is no Failure: ") + error.what());
  }
  return 0;
}
