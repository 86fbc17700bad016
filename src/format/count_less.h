// Counting heads that are less than one: the innermost step of every search.
#pragma once

#include <bit>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace quire::format {

inline constexpr std::uint32_t kHeadsAtOnce = 16;

#ifdef __SSE2__

// How many of the 16 numbers at `at` are less than `head`, up to the first that is not.
inline std::uint32_t count_less(const std::uint32_t* at, std::uint32_t head) noexcept {
  // The instruction compares signed numbers.
  constexpr std::uint32_t kSign = 0x80000000;
  const __m128i sign = _mm_set1_epi32(static_cast<int>(kSign));
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(head ^ kSign));
  const auto* vectors = reinterpret_cast<const __m128i*>(at);
  const auto less = [&](int index) {
    return _mm_cmpgt_epi32(wanted, _mm_xor_si128(_mm_loadu_si128(vectors + index), sign));
  };
  const __m128i low = _mm_packs_epi32(less(0), less(1));
  const __m128i high = _mm_packs_epi32(less(2), less(3));
  const auto bits = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
  return static_cast<std::uint32_t>(std::countr_zero(~bits | 1u << kHeadsAtOnce));
}

#else

inline std::uint32_t count_less(const std::uint32_t* at, std::uint32_t head) noexcept {
  std::uint32_t bits = 0;
  for (std::uint32_t i = 0; i < kHeadsAtOnce; ++i) {
    bits |= static_cast<std::uint32_t>(at[i] < head) << i;
  }
  return static_cast<std::uint32_t>(std::countr_zero(~bits | 1u << kHeadsAtOnce));
}

#endif

}  // namespace quire::format
