#include "format/page.h"

#include "format/checksum.h"
#include "format/damage.h"

namespace quire::format {

std::uint64_t page_checksum(const std::byte* page, std::uint32_t page_bytes,
                            std::uint64_t seed) noexcept {
  constexpr std::size_t kSkipped = sizeof(PageHeader::checksum);
  return checksum(page + kSkipped, page_bytes - kSkipped, seed);
}

void damaged(const std::byte* page, const char* reason) {
  throw Damage(load_le<std::uint32_t>(page + offsetof(PageHeader, page)), reason);
}

}  // namespace quire::format
