#include <algorithm>

#include "fuzz/mutate.h"
#include "shared/layout.h"

namespace quire::fuzz {
namespace {

constexpr std::size_t kLockFileBytes = 2 * shared::kMiB;

// A word of the header, of the control block, of the allocator's, of the states.
std::size_t place_of_a_word(Random& random) {
  switch (random.below(4)) {
    case 0:
      return random.below(sizeof(shared::RegionHeader) / 8) * 8;
    case 1:
      return shared::kControlOffset + random.below(sizeof(shared::Control) / 8) * 8;
    case 2:
      return shared::kAllocatorControlOffset + random.below(16) * 8;
    default:
      return shared::kStatesOffset + random.below(64) * 8;
  }
}

}  // namespace

void mutate_lock_file(Input& input, const RawMutation& raw, Random& random) {
  if (random.one_in(10)) input.file.resize(random.below(kLockFileBytes));
  for (std::uint64_t left = random.between(1, 5); left > 0; --left) {
    const std::size_t place = place_of_a_word(random);
    if (random.one_in(4)) {
      constexpr std::size_t kProgramBytesMax = 200;
      const std::size_t before = std::min(input.program.size(), kProgramBytesMax);
      input.program.resize(kProgramBytesMax);
      input.program.resize(raw(input.program.data(), before, kProgramBytesMax));
    } else if (place + 64 <= input.file.size()) {
      hurt_number(input.file.data() + place, random.one_in(2) ? 8 : 4, random);
      if (random.one_in(8)) raw(reinterpret_cast<std::uint8_t*>(&input.file[place]), 64, 64);
    }
  }
}

}  // namespace quire::fuzz
