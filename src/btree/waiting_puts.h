// Puts that wait in private memory to be applied in the order of their keys: neighbours then share
// the way down, and the leaves that come next can be fetched before they are needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "btree/tree.h"

namespace quire::btree {

// Threads: one.
class WaitingPuts {
 public:
  bool empty() const noexcept { return places_.empty(); }
  std::size_t size() const noexcept { return places_.size(); }

  // False when the memory allowed is used up: apply and clear first.
  bool has_room_for(Bytes key, Bytes value) const noexcept {
    return bytes_.size() + 1 + key.size() + value.size() + (places_.size() + 1) * sizeof(Place) <=
           kBytesMax;
  }

  // Copies key (of at most 65,535 bytes) and value.
  void add(Bytes key, Bytes value);

  // Puts them in order; of those with equal keys the last one added is left.
  void sort();

  // Require index < size(); valid until the next `add` or `clear`.
  Bytes key(std::size_t index) const noexcept { return key_at(places_[index]); }
  Bytes value(std::size_t index) const noexcept {
    const Place& place = places_[index];
    return {bytes_.data() + place.offset + place.key_bytes, place.value_bytes};
  }

  // Keeps the memory.
  void clear() noexcept;

 private:
  static constexpr std::size_t kBytesMax = std::size_t{8} << 20;

  struct Place {
    std::uint64_t head;  // the key's first bytes as a number: comparing heads compares bytes
    std::uint32_t offset;
    std::uint16_t key_bytes;
    std::uint16_t value_bytes;
  };

  Bytes key_at(const Place& place) const noexcept {
    return {bytes_.data() + place.offset, place.key_bytes};
  }
  bool comes_before(const Place& left, const Place& right) const noexcept;
  bool have_equal_keys(const Place& left, const Place& right) const noexcept;

  std::vector<char> bytes_;
  std::vector<Place> places_;
};

}  // namespace quire::btree
