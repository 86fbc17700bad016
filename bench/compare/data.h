// What the stores are filled with and asked for: the same for all, made from seeds.
//
// Threads: a Dataset by any number at once; the rest by one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compare {

using Bytes = std::string_view;

struct Entry {
  Bytes key;
  Bytes value;
};

// A well-mixed number for a number; different numbers give different ones.
constexpr std::uint64_t mix(std::uint64_t number) noexcept {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(mix(seed)) {}
  std::uint64_t next() noexcept { return mix(state_++); }
  // Requires limit < 2^32.
  std::uint64_t below(std::uint64_t limit) noexcept { return ((next() >> 32) * limit) >> 32; }
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

enum class KeyShape : std::uint8_t {
  random,   // 16 random bytes
  integer,  // 8 bytes, big-endian: the even numbers below twice the number of entries
  url       // 40 to 80 bytes, hundreds of thousands of them with the same first half
};

inline constexpr std::size_t kKeyBytesMax = 80;
using KeyBuffer = std::array<char, kKeyBytesMax>;

// Entries by number, in an order that has nothing to do with that of their keys.
class Dataset {
 public:
  Dataset(KeyShape shape, std::size_t value_bytes, std::uint64_t entry_count);

  KeyShape shape() const noexcept { return shape_; }
  std::size_t value_bytes() const noexcept { return value_bytes_; }
  std::uint64_t entry_count() const noexcept { return entry_count_; }
  std::uint64_t bytes() const noexcept;  // of all keys and values, about

  // Names it in the output: "16+100/1M".
  std::string label() const;

  // Keys of entries; `number` from entry_count on: of entries that are added later.
  Bytes key(std::uint64_t number, KeyBuffer& buffer) const noexcept;
  // Keys between them that are not there.
  Bytes absent_key(std::uint64_t number, KeyBuffer& buffer) const noexcept;
  // Rises with its number.
  Bytes sorted_key(std::uint64_t number, KeyBuffer& buffer) const noexcept;

  // Bytes that do not compress; valid as long as the Dataset.
  Bytes value(std::uint64_t number) const noexcept;

 private:
  std::uint64_t shuffled(std::uint64_t number) const noexcept;

  KeyShape shape_;
  std::size_t value_bytes_;
  std::uint64_t entry_count_;
  unsigned half_bits_ = 0;  // of the numbers that are shuffled
  std::string pool_;        // values are pieces of it
};

enum class Order : std::uint8_t { random, sorted };

// All entries of a dataset, one after the other: what a load consumes.
class Source {
 public:
  Source(const Dataset& dataset, Order order) noexcept : dataset_(dataset), order_(order) {}
  const Dataset& dataset() const noexcept { return dataset_; }
  Order order() const noexcept { return order_; }
  std::uint64_t entry_count() const noexcept { return dataset_.entry_count(); }

  // Valid as long as `buffer`.
  Entry entry(std::uint64_t number, KeyBuffer& buffer) const noexcept {
    return {order_ == Order::sorted ? dataset_.sorted_key(number, buffer)
                                    : dataset_.key(number, buffer),
            dataset_.value(number)};
  }

 private:
  const Dataset& dataset_;
  Order order_;
};

// Keys in the order in which they are asked for, made before the clock runs.
class KeyList {
 public:
  explicit KeyList(std::size_t count_max);
  void add(Bytes key);
  std::size_t size() const noexcept { return keys_.size(); }
  std::span<const Bytes> keys() const noexcept { return keys_; }

  // Goes on from the key with that number, or what is left of it beyond size().
  void seek(std::size_t position) noexcept { position_ = position % keys_.size(); }

  // The next `count` keys, from the front again after the last ones; at most size().
  std::span<const Bytes> next(std::size_t count) noexcept;

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t byte_count_ = 0;
  std::size_t position_ = 0;
  std::vector<Bytes> keys_;
};

enum class Choice : std::uint8_t {
  present,  // of all entries, each as likely
  absent,   // of keys that are not there
  skewed    // few of the entries most of the time: Zipf's law with exponent 0.99
};
KeyList choose_keys(const Dataset& dataset, Choice choice, std::size_t count, std::uint64_t seed);

}  // namespace compare
