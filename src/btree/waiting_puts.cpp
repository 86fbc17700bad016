#include "btree/waiting_puts.h"

#include <algorithm>

#include "base/assert.h"

namespace quire::btree {
namespace {

std::uint64_t head_of(Bytes key) noexcept {
  std::uint64_t head = 0;
  key.copy(reinterpret_cast<char*>(&head), sizeof head);
  return __builtin_bswap64(head);
}

}  // namespace

void WaitingPuts::add(Bytes key, Bytes value) {
  QUIRE_ASSERT(key.size() <= UINT16_MAX && value.size() <= UINT16_MAX);
  const Place place{.head = head_of(key),
                    .offset = static_cast<std::uint32_t>(bytes_.size()),
                    .key_bytes = static_cast<std::uint16_t>(key.size()),
                    .value_bytes = static_cast<std::uint16_t>(value.size())};
  // Offsets rise, because they tell which of two puts came last.
  if (key.empty() && value.empty()) bytes_.push_back(0);
  bytes_.insert(bytes_.end(), key.begin(), key.end());
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  places_.push_back(place);
}

// Of equal keys the one added last comes first.
bool WaitingPuts::comes_before(const Place& left, const Place& right) const noexcept {
  if (left.head != right.head) return left.head < right.head;
  const int order = key_at(left).compare(key_at(right));
  return order != 0 ? order < 0 : left.offset > right.offset;
}

bool WaitingPuts::have_equal_keys(const Place& left, const Place& right) const noexcept {
  return left.head == right.head && key_at(left) == key_at(right);
}

void WaitingPuts::sort() {
  std::sort(places_.begin(), places_.end(),
            [this](const Place& left, const Place& right) { return comes_before(left, right); });
  const auto end = std::unique(
      places_.begin(), places_.end(),
      [this](const Place& left, const Place& right) { return have_equal_keys(left, right); });
  places_.erase(end, places_.end());
}

void WaitingPuts::clear() noexcept {
  bytes_.clear();
  places_.clear();
}

}  // namespace quire::btree
