#include "shared/boot.h"

#include <algorithm>
#include <fstream>

namespace quire::shared {

std::uint32_t boot_here() {
  static const std::uint32_t boot = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::uint32_t digest = file ? 2166136261 : 0;  // FNV-1a
    for (char byte = 0; file.get(byte);) {
      digest = (digest ^ static_cast<unsigned char>(byte)) * 16777619;
    }
    return std::max<std::uint32_t>(digest, 1);
  }();
  return boot;
}

}  // namespace quire::shared
