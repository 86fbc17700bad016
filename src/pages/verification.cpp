#include "pages/verification.h"

#include <algorithm>
#include <bit>

namespace quire::pages {
namespace {

constexpr std::uint64_t kWordsMin = std::uint64_t{1} << 12;
constexpr std::uint64_t kWordsMax = std::uint64_t{1} << 20;  // 8 MiB

// Twice the file: it may grow.
std::uint64_t words_for(std::uint64_t page_count) noexcept {
  return std::clamp(std::bit_ceil(page_count * 2), kWordsMin, kWordsMax);
}

}  // namespace

VerifiedPages::VerifiedPages(std::uint64_t page_count)
    : mask_(static_cast<std::uint32_t>(words_for(page_count) - 1)), words_(mask_ + 1) {}

}  // namespace quire::pages
