// Names, keys and values for random operations on tables.
#pragma once

#include <quire/quire.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/random.h"

namespace quire::test {

struct Shape {
  std::uint32_t page_bytes;
  std::uint64_t operations;
  std::size_t value_bytes_max;
};

class Inputs {
 public:
  Inputs(Random& random, const Shape& shape) : random_(random), shape_(shape) {}

  std::string name() {
    static const std::vector<std::string> names = {"", "", "a", "b", std::string("b\0", 2)};
    return names[random_.below(names.size())];
  }

  // Few enough different keys that most operations meet an entry that exists.
  std::string key() {
    const std::size_t longest = key_bytes_max(shape_.page_bytes);
    switch (random_.below(8)) {
      case 0:  // short ones of few letters, among them zeros and the empty key
        return short_key(random_.below(4));
      case 1:  // prefixes of each other
        return std::string(random_.below(300), 'p');
      case 2:  // a long common prefix
        return std::string(longest / 2, 'l') + short_key(random_.below(5));
      case 3:  // as long as can be, differing at the end
        return std::string(longest - 3, '\0') + short_key(3);
      case 4:
      case 5:
        return "key " + std::to_string(random_.below(2000));
      default:
        return big_endian(random_.below(3000) * 3);
    }
  }

  std::string short_key(std::size_t size_bytes) {
    static constexpr char kLetters[] = {'\0', '\1', 'a', '\x7f', '\x80', '\xff'};
    std::string made;
    for (std::size_t i = 0; i < size_bytes; ++i) made += kLetters[random_.below(sizeof kLetters)];
    return made;
  }

  std::string value() {
    std::size_t size_bytes = random_.below(100);
    if (random_.one_in(16)) size_bytes = random_.below(shape_.page_bytes);
    if (random_.one_in(40)) size_bytes = shape_.page_bytes / 4 - 3 + random_.below(7);
    if (random_.one_in(60)) size_bytes = random_.below(shape_.page_bytes * 5);
    if (random_.one_in(20'000)) size_bytes = random_.below(shape_.value_bytes_max);
    return pattern(size_bytes, random_.next());
  }

 private:
  Random& random_;
  const Shape shape_;
};

}  // namespace quire::test
