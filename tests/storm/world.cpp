#include "storm/world.h"

#include <algorithm>
#include <cstring>

namespace quire::storm {

Point* World::point(std::string_view name) noexcept {
  const std::uint64_t known =
      std::min<std::uint64_t>(point_count.load(std::memory_order_acquire), kPointsMax);
  for (std::uint64_t index = 0; index < known; ++index) {
    if (name == points[index].name.data()) return &points[index];
  }
  // Two processes may enter one name twice: harmless, its counts are then in two places.
  const std::uint64_t index = point_count.fetch_add(1);
  if (index >= kPointsMax) {
    point_count.store(kPointsMax);
    return nullptr;
  }
  Point& point = points[index];
  std::memcpy(point.name.data(), name.data(), std::min(name.size(), point.name.size() - 1));
  return &point;
}

void World::fail(std::string_view what) noexcept {
  std::uint32_t nobody = 0;
  if (!has_failed.compare_exchange_strong(nobody, 1)) return;
  std::memcpy(failure.data(), what.data(), std::min(what.size(), failure.size() - 1));
}

}  // namespace quire::storm
