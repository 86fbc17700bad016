// How full a table's pages are, drawn for a terminal.
#pragma once

#include <quire/inspect.h>

#include "json.h"
#include "output.h"

namespace kvtool {

void write_tree(Output& output, const std::string& name, const quire::TreeStatistics& tree);
Json tree_json(const quire::TreeStatistics& tree);

}  // namespace kvtool
