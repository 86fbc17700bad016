#include "fuzz/single_page.h"

#include <algorithm>
#include <bit>

namespace quire::fuzz {

std::uint32_t normalise_pages(Input& input) {
  const auto half = static_cast<std::uint32_t>(input.file.size() / 2);
  const std::uint32_t page_bytes =
      std::clamp(std::bit_floor(half), format::kPageBytesMin, format::kPageBytesMax);
  input.file.resize(std::size_t{page_bytes} * 2);
  return page_bytes;
}

void mutate_single_pages(Input& input, const RawMutation& raw, Random& random) {
  constexpr std::size_t kProgramBytesMax = 200;
  const std::uint32_t page_bytes = normalise_pages(input);
  for (std::uint64_t left = random.between(1, 4); left > 0; --left) {
    std::byte* page = input.file.data() + (random.one_in(3) ? page_bytes : 0);
    if (random.one_in(4)) {
      const std::size_t before = std::min(input.program.size(), kProgramBytesMax);
      input.program.resize(kProgramBytesMax);
      input.program.resize(raw(input.program.data(), before, kProgramBytesMax));
    } else if (random.one_in(4)) {
      const std::size_t window = 8 + random.below(300);
      const std::size_t offset =
          random.one_in(2) ? random.below(page_bytes - window) : page_bytes - window;
      raw(reinterpret_cast<std::uint8_t*>(page + offset), window, window);
    } else {
      mutate_page(page, page_bytes, random);
    }
  }
}

}  // namespace quire::fuzz
