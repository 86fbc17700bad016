// The crash points that the sources have.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace quire::storm {

// Names, sorted. None for an empty path.
std::vector<std::string> points_of(const std::filesystem::path& sources);

}  // namespace quire::storm
