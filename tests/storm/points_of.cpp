#include "storm/points_of.h"

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

namespace quire::storm {

std::vector<std::string> points_of(const std::filesystem::path& sources) {
  if (sources.empty()) return {};
  static const std::regex call(R"re(crash_point\(\s*"([^"]+)")re");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(sources)) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    const std::string text{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    for (std::sregex_iterator found(text.begin(), text.end(), call), end; found != end; ++found) {
      names.insert((*found)[1]);
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace quire::storm
