#include "format/increment.h"

#include "format/checksum.h"

namespace quire::format {

std::uint64_t increment_checksum(const IncrementHeader& header) noexcept {
  return checksum(reinterpret_cast<const std::byte*>(&header), offsetof(IncrementHeader, checksum),
                  0);
}

}  // namespace quire::format
