#include "tree_view.h"

#include <algorithm>
#include <string>

#include "columns.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr std::uint64_t kBarColumns = 40;

// As long as `part` of `whole`, to an eighth of a column.
std::string block_bar(std::uint64_t part, std::uint64_t whole) {
  static constexpr const char* kBlocks[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::uint64_t eighths = whole == 0 ? 0 : part * kBarColumns * 8 / whole;
  if (part > 0) eighths = std::max<std::uint64_t>(eighths, 1);
  std::string bar;
  for (; eighths >= 8; eighths -= 8) bar += "█";
  return bar + kBlocks[eighths];
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "" : std::to_string(part * 100 / whole) + " %";
}

void write_levels(Output& output, const quire::TreeStatistics& tree) {
  std::vector<Row> rows = {{"level", "pages", "entries", "full"}};
  for (std::size_t level = tree.levels.size(); level-- > 0;) {
    const quire::TreeStatistics::Level& at = tree.levels[level];
    rows.push_back({level == 0 ? "leaves" : "branches " + std::to_string(level),
                    grouped(at.page_count), grouped(at.entry_count),
                    percent(at.used_bytes, at.room_bytes)});
  }
  if (tree.extent_count > 0) {
    rows.push_back({"large values", human_bytes(tree.extent_room_bytes), grouped(tree.extent_count),
                    percent(tree.extent_bytes, tree.extent_room_bytes)});
  }
  write_columns(output, rows);
}

}  // namespace

void write_tree(Output& output, const std::string& name, const quire::TreeStatistics& tree) {
  output.write("\n" + output.bold(name.empty() ? "(default)" : escaped(name)) + "\n");
  if (tree.levels.empty()) {
    output.write("  no pages\n");
    return;
  }
  write_levels(output, tree);
  const std::uint64_t most =
      *std::max_element(tree.leaves_by_fill.begin(), tree.leaves_by_fill.end());
  output.write("  leaves by how full they are\n");
  for (std::size_t tenth = 0; tenth < tree.leaves_by_fill.size(); ++tenth) {
    std::string label = "up to " + std::to_string((tenth + 1) * 10) + " %";
    label.insert(0, 13 - label.size(), ' ');
    const std::uint64_t count = tree.leaves_by_fill[tenth];
    output.write(label + "  " + output.green(block_bar(count, most)) + " " + grouped(count) + "\n");
  }
}

Json tree_json(const quire::TreeStatistics& tree) {
  Json json = {{"levels", Json::array()},
               {"leaves_by_fill", tree.leaves_by_fill},
               {"extent_count", tree.extent_count},
               {"extent_bytes", tree.extent_bytes},
               {"extent_room_bytes", tree.extent_room_bytes}};
  for (const quire::TreeStatistics::Level& level : tree.levels) {
    json["levels"].push_back({{"page_count", level.page_count},
                              {"entry_count", level.entry_count},
                              {"used_bytes", level.used_bytes},
                              {"room_bytes", level.room_bytes}});
  }
  return json;
}

}  // namespace kvtool
