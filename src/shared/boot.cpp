#include "shared/boot.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace quire::shared {

std::uint32_t boot_here() {
  static const std::uint32_t boot = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    if (!std::getline(file, id)) return kUnknownBoot;
    std::uint32_t digest = 2166136261;  // FNV-1a
    for (const char byte : id) digest = (digest ^ static_cast<unsigned char>(byte)) * 16777619;
    return std::max<std::uint32_t>(digest, kUnknownBoot + 1);
  }();
  return boot;
}

bool may_be_of_this_boot(std::uint32_t word) {
  return word != 0 && (word == boot_here() || word == kUnknownBoot || boot_here() == kUnknownBoot);
}

}  // namespace quire::shared
