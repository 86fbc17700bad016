#include "compare/data.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <sstream>

namespace compare {

namespace {

constexpr std::size_t kPoolBytes = std::size_t{1} << 20;
constexpr std::uint64_t kSecondHalf = 0x5bd1e995;
constexpr std::uint64_t kAbsent = 0x6a09e667f3bcc908;

constexpr Bytes kHosts[] = {"https://shop.example.com/", "https://www.museum.example.org/",
                            "https://docs.example.net/", "https://news.example.com/"};
constexpr Bytes kSections[] = {"items/",          "catalogue/2024/", "en/articles/archive/",
                               "media/pictures/", "users/profiles/", "products/kitchen/pans/",
                               "wiki/",           "search/results/"};

Bytes put_numbers(KeyBuffer& buffer, std::uint64_t first, std::uint64_t second) noexcept {
  std::memcpy(buffer.data(), &first, sizeof first);
  std::memcpy(buffer.data() + sizeof first, &second, sizeof second);
  return {buffer.data(), 2 * sizeof first};
}

Bytes put_integer(KeyBuffer& buffer, std::uint64_t number) noexcept {
  const std::uint64_t big_endian = __builtin_bswap64(number);
  std::memcpy(buffer.data(), &big_endian, sizeof big_endian);
  return {buffer.data(), sizeof big_endian};
}

void append(KeyBuffer& buffer, std::size_t& size, Bytes text) noexcept {
  std::memcpy(buffer.data() + size, text.data(), text.size());
  size += text.size();
}

void append_digits(KeyBuffer& buffer, std::size_t& size, std::uint64_t number,
                   std::size_t count) noexcept {
  for (std::size_t digit = count; digit-- > 0; number /= 10) {
    buffer[size + digit] = static_cast<char>('0' + number % 10);
  }
  size += count;
}

Bytes put_url(KeyBuffer& buffer, std::uint64_t number, std::uint64_t place) noexcept {
  std::size_t size = 0;
  append(buffer, size, kHosts[place % std::size(kHosts)]);
  append(buffer, size, kSections[place / std::size(kHosts) % std::size(kSections)]);
  append_digits(buffer, size, number, 12);
  append(buffer, size, Bytes("/index.html").substr(0, place >> 60));
  return {buffer.data(), size};
}

// Numbers below `count` as Zipf's law has them, after Gray and others, "Quickly generating
// billion-record synthetic databases" (SIGMOD 1994).
class Zipf {
 public:
  explicit Zipf(std::uint64_t count) : count_(static_cast<double>(count)) {
    for (std::uint64_t i = 1; i <= count; ++i) zeta_ += std::pow(static_cast<double>(i), -kTheta);
    const double zeta_of_two = 1 + std::pow(0.5, kTheta);
    eta_ = (1 - std::pow(2 / count_, 1 - kTheta)) / (1 - zeta_of_two / zeta_);
  }
  std::uint64_t next(Random& random) const noexcept {
    const double unit = random.unit();
    const double scaled = unit * zeta_;
    if (scaled < 1) return 0;
    if (scaled < 1 + std::pow(0.5, kTheta)) return 1;
    const double rank = count_ * std::pow(eta_ * unit - eta_ + 1, 1 / (1 - kTheta));
    return static_cast<std::uint64_t>(std::clamp(rank, 0.0, count_ - 1));
  }

 private:
  static constexpr double kTheta = 0.99;
  double count_;
  double zeta_ = 0;
  double eta_ = 0;
};

}  // namespace

Dataset::Dataset(KeyShape shape, std::size_t value_bytes, std::uint64_t entry_count)
    : shape_(shape), value_bytes_(value_bytes), entry_count_(entry_count) {
  half_bits_ = std::max(1u, (static_cast<unsigned>(std::bit_width(entry_count)) + 1) / 2);
  Random random(shape == KeyShape::random ? 1 : 2);
  pool_.resize(kPoolBytes + value_bytes);
  for (char& byte : pool_) byte = static_cast<char>(random.next());
}

std::uint64_t Dataset::bytes() const noexcept {
  const std::size_t key_bytes = shape_ == KeyShape::random ? 16 : shape_ == KeyShape::url ? 60 : 8;
  return entry_count_ * (key_bytes + value_bytes_);
}

std::string Dataset::label() const {
  const char* const key = shape_ == KeyShape::random ? "16"
                          : shape_ == KeyShape::url  ? "url"
                                                     : "int";
  std::uint64_t count = entry_count_;
  std::string unit;
  for (const char* next : {"k", "M"}) {
    if (count == 0 || count % 1000 != 0) break;
    count /= 1000;
    unit = next;
  }
  std::ostringstream text;
  text << key << '+';
  if (value_bytes_ % (1 << 20) == 0) {
    text << (value_bytes_ >> 20) << "Mi";
  } else if (value_bytes_ % (1 << 10) == 0) {
    text << (value_bytes_ >> 10) << "Ki";
  } else {
    text << value_bytes_;
  }
  text << '/' << count << unit;
  return text.str();
}

// A permutation of the numbers below entry_count: a Feistel network over a power of four, walked
// until it is inside.
std::uint64_t Dataset::shuffled(std::uint64_t number) const noexcept {
  if (number >= entry_count_) return number;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  do {
    std::uint64_t left = number >> half_bits_;
    std::uint64_t right = number & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      const std::uint64_t next = left ^ (mix(right * 4 + round) & mask);
      left = right;
      right = next;
    }
    number = left << half_bits_ | right;
  } while (number >= entry_count_);
  return number;
}

Bytes Dataset::key(std::uint64_t number, KeyBuffer& buffer) const noexcept {
  switch (shape_) {
    case KeyShape::integer:
      return put_integer(buffer, 2 * shuffled(number));
    case KeyShape::url:
      return put_url(buffer, 2 * shuffled(number), mix(number));
    case KeyShape::random:
      break;
  }
  return put_numbers(buffer, mix(number), mix(number + kSecondHalf));
}

Bytes Dataset::absent_key(std::uint64_t number, KeyBuffer& buffer) const noexcept {
  switch (shape_) {
    case KeyShape::integer:
      return put_integer(buffer, 2 * shuffled(number) + 1);
    case KeyShape::url:
      return put_url(buffer, 2 * shuffled(number) + 1, mix(number));
    case KeyShape::random:
      break;
  }
  return put_numbers(buffer, mix(number + kAbsent), mix(number));
}

Bytes Dataset::sorted_key(std::uint64_t number, KeyBuffer& buffer) const noexcept {
  switch (shape_) {
    case KeyShape::integer:
      return put_integer(buffer, 2 * number);
    case KeyShape::url:
      return put_url(buffer, 2 * number, 0);
    case KeyShape::random:
      break;
  }
  const std::uint64_t step = ~std::uint64_t{0} / (entry_count_ + 1);
  return put_numbers(buffer, __builtin_bswap64(number * step + mix(number) % step), mix(number));
}

Bytes Dataset::value(std::uint64_t number) const noexcept {
  return Bytes(pool_).substr(mix(number) % kPoolBytes, value_bytes_);
}

KeyList::KeyList(std::size_t count_max)
    : bytes_(std::make_unique_for_overwrite<char[]>(count_max * kKeyBytesMax)) {
  keys_.reserve(count_max);
}

void KeyList::add(Bytes key) {
  std::memcpy(bytes_.get() + byte_count_, key.data(), key.size());
  keys_.emplace_back(bytes_.get() + byte_count_, key.size());
  byte_count_ += key.size();
}

std::span<const Bytes> KeyList::next(std::size_t count) noexcept {
  count = std::min(count, keys_.size());
  if (position_ + count > keys_.size()) position_ = 0;
  position_ += count;
  return std::span(keys_).subspan(position_ - count, count);
}

KeyList choose_keys(const Dataset& dataset, Choice choice, std::size_t count, std::uint64_t seed) {
  KeyList list(count);
  Random random(seed);
  KeyBuffer buffer;
  const std::uint64_t entry_count = dataset.entry_count();
  const Zipf zipf(choice == Choice::skewed ? entry_count : 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t number =
        choice == Choice::skewed ? zipf.next(random) : random.below(entry_count);
    list.add(choice == Choice::absent ? dataset.absent_key(number, buffer)
                                      : dataset.key(number, buffer));
  }
  return list;
}

}  // namespace compare
