// Counting heads that are less than one: the innermost step of every search.
#pragma once

#include <bit>
#include <cstdint>

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace quire::format {

inline constexpr std::uint32_t kHeadsAtOnce = 16;

// Bit i tells whether number i of the 16 at `at` is less than `head`.
#if defined(__AVX512F__)
inline std::uint32_t mask_less(const std::uint32_t* at, std::uint32_t head) noexcept {
  return _mm512_cmplt_epu32_mask(_mm512_loadu_si512(at), _mm512_set1_epi32(static_cast<int>(head)));
}
#elif defined(__SSE2__)
inline std::uint32_t mask_less(const std::uint32_t* at, std::uint32_t head) noexcept {
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
  return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
}
#else
inline std::uint32_t mask_less(const std::uint32_t* at, std::uint32_t head) noexcept {
  std::uint32_t bits = 0;
  for (std::uint32_t i = 0; i < kHeadsAtOnce; ++i) {
    bits |= static_cast<std::uint32_t>(at[i] < head) << i;
  }
  return bits;
}
#endif

// How many of the 16 numbers at `at` are less than `head`, up to the first that is not.
inline std::uint32_t count_less(const std::uint32_t* at, std::uint32_t head) noexcept {
  return static_cast<std::uint32_t>(std::countr_zero(~mask_less(at, head) | 1u << kHeadsAtOnce));
}

// The same of 32.
inline std::uint32_t count_less_twice(const std::uint32_t* at, std::uint32_t head) noexcept {
  const std::uint64_t bits = mask_less(at, head) | std::uint64_t{mask_less(at + 16, head)} << 16;
  return static_cast<std::uint32_t>(std::countr_zero(~bits));
}

}  // namespace quire::format
