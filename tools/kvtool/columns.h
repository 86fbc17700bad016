// Tables on a terminal.
#pragma once

#include <string>
#include <vector>

#include "output.h"

namespace kvtool {

using Row = std::vector<std::string>;  // of UTF-8 without control characters

// The first row is the heading, and all have as many cells. The first column is flush left, the
// others flush right.
void write_columns(Output& output, const std::vector<Row>& rows);

}  // namespace kvtool
