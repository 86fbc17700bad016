// Calls of a table that look and change at once.
#include <quire/error.h>
#include <quire/table.h>

#include <string>

#include "db/handles.h"

namespace quire {
namespace {

using detail::TableAccess;
using detail::ViewState;

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

std::int64_t counter_in(Bytes value) {
  if (value.size() != sizeof(std::uint64_t)) {
    throw Error(Errc::misuse, "add: a value of " + std::to_string(value.size()) +
                                  " bytes is no counter, which has eight");
  }
  std::uint64_t number = 0;
  for (const char byte : value) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(number ^ kSignBit);
}

void store_counter(std::int64_t number, char (&bytes)[sizeof(std::uint64_t)]) {
  const std::uint64_t stored = static_cast<std::uint64_t>(number) ^ kSignBit;
  for (unsigned i = 0; i < sizeof bytes; ++i) {
    bytes[i] = static_cast<char>(stored >> (56 - 8 * i) & 0xff);
  }
}

}  // namespace

std::optional<Bytes> Table::find_to_change(Bytes key) {
  const ViewState& state = TableAccess::state(*this);
  return detail::readable(state.file, [&] { return state.transaction->find(*state.open, key); });
}

bool Table::replace(Bytes key, Bytes value) {
  if (!find_to_change(key)) return false;
  put(key, value);
  return true;
}

Table::Got Table::insert_or_get(Bytes key, Bytes value) {
  if (const auto there = find_to_change(key)) return {*there, false};
  const std::string kept(key);  // it may point to what the insertion moves
  put(key, value);
  return {*find_to_change(kept), true};
}

std::optional<std::string> Table::take(Bytes key) {
  const auto value = find_to_change(key);
  if (!value) return std::nullopt;
  std::optional<std::string> taken(*value);
  erase(key);
  return taken;
}

bool Table::compare_and_swap(Bytes key, std::optional<Bytes> expected,
                             std::optional<Bytes> desired) {
  if (find_to_change(key) != expected) return false;
  if (desired) {
    put(key, *desired);
  } else if (expected) {
    erase(key);
  }
  return true;
}

std::int64_t Table::add(Bytes key, std::int64_t delta) {
  const auto value = find_to_change(key);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(value ? counter_in(*value) : 0, delta, &sum)) {
    throw Error(Errc::misuse, "add: the counter would overflow");
  }
  char bytes[sizeof(std::uint64_t)];
  store_counter(sum, bytes);
  put(key, {bytes, sizeof bytes});
  return sum;
}

}  // namespace quire
