// Edits inside one page: the header, the arrays, the records.
#include <algorithm>

#include "fuzz/mutate.h"

namespace quire::fuzz {
namespace {

template <typename T>
T hurt(T value, Random& random) {
  switch (random.below(12)) {
    case 0:
      return 0;
    case 1:
      return static_cast<T>(~T{0});
    case 2:
    case 3:
      return static_cast<T>(value + 1);
    case 4:
    case 5:
      return static_cast<T>(value - 1);
    case 6:
      return static_cast<T>(value ^ T{1} << random.below(sizeof(T) * 8));
    case 7:
      return static_cast<T>(value * 2);
    case 8:
      return static_cast<T>(T{1} << random.below(sizeof(T) * 8));
    case 9:
      return static_cast<T>(random.below(200));
    case 10:
      return static_cast<T>(static_cast<T>(~T{0}) - static_cast<T>(random.below(70)));
    default:
      return static_cast<T>(random.next());
  }
}

template <typename T>
void hurt_at(std::byte* at, Random& random) {
  store(at, hurt(load<T>(at), random));
}

void mutate_header(std::byte* page, Random& random) {
  struct Field {
    std::size_t offset;
    std::size_t width;
  };
  constexpr Field kFields[] = {{8, 8},  {16, 4}, {20, 1}, {21, 1}, {22, 2}, {24, 2},
                               {24, 2}, {26, 2}, {26, 2}, {28, 4}, {32, 4}, {36, 4}};
  const Field field = kFields[random.below(std::size(kFields))];
  hurt_number(page + field.offset, field.width, random);
}

void mutate_record(std::byte* page, std::uint32_t page_bytes, std::uint32_t index,
                   std::uint32_t count, Random& random) {
  std::byte* slot = page + format::leaf_offset_at(count, index);
  const std::uint32_t offset = load<std::uint16_t>(slot);
  const std::size_t field = random.below(5);
  if (field == 0) {
    hurt_at<std::uint16_t>(slot, random);
  } else if (field == 1) {  // two entries share a record, or overlap by a few bytes
    const std::uint32_t other = static_cast<std::uint32_t>(random.below(count));
    const auto target = load<std::uint16_t>(page + format::leaf_offset_at(count, other));
    store(slot, static_cast<std::uint16_t>(target + random.below(3)));
  } else if (offset + 36 <= page_bytes && field == 2) {
    hurt_at<std::uint16_t>(page + offset, random);
  } else if (offset + 36 <= page_bytes && field == 3) {
    hurt_at<std::uint16_t>(page + offset + 2, random);
  } else if (offset + 36 <= page_bytes) {  // key bytes, or a field of an extent reference
    hurt_number(page + offset + 4 + random.below(28), std::size_t{1} << random.below(4), random);
  }
}

void mutate_leaf(std::byte* page, std::uint32_t page_bytes, Random& random) {
  const auto count = load<format::PageHeader>(page).entry_count;
  if (count == 0 || format::leaf_offset_at(count, count) > page_bytes) return;
  const auto index = static_cast<std::uint32_t>(random.below(count));
  switch (random.below(8)) {
    case 0:
      return hurt_at<std::uint32_t>(page + format::kArraysOffset + index * 4, random);
    case 1:
      return hurt_at<std::uint32_t>(page + format::kHintsOffset + random.below(16) * 4, random);
    case 2: {  // turn a value into an extent reference, or the other way round
      const std::uint32_t offset = load<std::uint16_t>(page + format::leaf_offset_at(count, index));
      if (offset + 4 <= page_bytes) page[offset + 3] ^= std::byte{0x80};
      return;
    }
    default:
      return mutate_record(page, page_bytes, index, count, random);
  }
}

void mutate_branch(std::byte* page, std::uint32_t page_bytes, Random& random) {
  const auto header = load<format::PageHeader>(page);
  const format::BranchArrays arrays(header.entry_count, header.prefix_bytes);
  if (header.entry_count == 0 || arrays.end > page_bytes) return;
  const auto index = static_cast<std::uint32_t>(random.below(header.entry_count));
  std::byte* tail = page + arrays.tail(index);
  switch (random.below(6)) {
    case 0:
      return hurt_at<std::uint32_t>(page + arrays.head(index), random);
    case 1:
      return hurt_at<std::uint16_t>(tail, random);
    case 2:
      return store(tail, static_cast<std::uint16_t>(random.below(6)));
    case 3:
      return hurt_at<std::uint32_t>(page + format::kHintsOffset + random.below(16) * 4, random);
    case 4: {
      const std::uint32_t offset = load<std::uint16_t>(tail);
      if (offset > 4 && offset + 2 <= page_bytes) hurt_at<std::uint16_t>(page + offset, random);
      return;
    }
    default:
      return hurt_number(page + arrays.child(index) + random.below(2) * 4, 4, random);
  }
}

}  // namespace

void hurt_number(std::byte* at, std::size_t width, Random& random) {
  if (width >= 8) {
    hurt_at<std::uint64_t>(at, random);
  } else if (width >= 4) {
    hurt_at<std::uint32_t>(at, random);
  } else if (width >= 2) {
    hurt_at<std::uint16_t>(at, random);
  } else {
    hurt_at<std::uint8_t>(at, random);
  }
}

void mutate_page(std::byte* page, std::uint32_t page_bytes, Random& random) {
  if (random.one_in(3)) {
    mutate_header(page, random);
  } else if (load<format::PageHeader>(page).kind == format::PageKind::branch) {
    mutate_branch(page, page_bytes, random);
  } else {
    mutate_leaf(page, page_bytes, random);
  }
}

}  // namespace quire::fuzz
