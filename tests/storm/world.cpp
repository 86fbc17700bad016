#include "storm/world.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include <sys/mman.h>

namespace quire::storm {

Point* World::point(std::string_view name) noexcept {
  const std::uint64_t known = point_count.load(std::memory_order_acquire);
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

World* make_world() {
  void* memory = ::mmap(nullptr, sizeof(World), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for the storm's world");
  return static_cast<World*>(memory);  // zero bytes are its first state
}

}  // namespace quire::storm
