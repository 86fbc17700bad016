#include "columns.h"

#include <algorithm>

#include "sink.h"

namespace kvtool {

namespace {

// Columns that a terminal gives the text: its characters, not its bytes.
std::size_t column_count(Bytes utf8) {
  std::size_t count = 0;
  for (const char byte : utf8) {
    count += (static_cast<unsigned char>(byte) & 0xc0) != 0x80 ? 1 : 0;
  }
  return count;
}

}  // namespace

void write_columns(Output& output, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], column_count(row[i]));
    }
  }
  for (const Row& row : rows) {
    std::string line = row[0] + std::string(widths[0] - column_count(row[0]), ' ');
    for (std::size_t i = 1; i < row.size(); ++i) {
      line += std::string(widths[i] - column_count(row[i]) + 2, ' ') + row[i];
    }
    output.write("  " + (&row == &rows.front() ? output.bold(line) : line) + "\n");
  }
}

}  // namespace kvtool
