// Keys of the shapes that break trees: empty, of zeros, prefixes of each other, with long common
// prefixes, of the greatest length. Drawn from few families, so that they meet again.
#pragma once

#include <cstdint>
#include <string>

#include "support/random.h"

namespace quire::test {

class NastyKeys {
 public:
  NastyKeys(Random& random, std::uint32_t key_bytes_max) : random_(random), max_(key_bytes_max) {
    for (std::string& stem : stems_) stem = bytes(random_.below(max_ / 2), 256);
  }

  std::string next() {
    switch (random_.below(12)) {
      case 0:
        return std::string(random_.below(9), '\0');
      case 1:
        return bytes(random_.below(7), 2);
      case 2:  // the ends of one long row of equal bytes: prefixes of each other
        return std::string(random_.below(max_ + 1), 'a');
      case 3:  // a stem cut anywhere
        return stem().substr(0, random_.below(max_));
      case 4:
        return limited(stem() + std::string(random_.below(6), '\0'));
      case 5:
        return limited(stem() + bytes(random_.below(6), 3));
      case 6:  // equal until the very end
        return limited(std::string(max_ - 2, 'z') + bytes(random_.below(3), 256));
      case 7:
        return bytes(max_, 256);
      case 8:
      case 9:
        return bytes(random_.below(40), 4);
      default:
        return "key " + std::to_string(random_.below(5000));
    }
  }

 private:
  const std::string& stem() { return stems_[random_.below(4)]; }

  std::string limited(const std::string& key) const { return key.substr(0, max_); }

  std::string bytes(std::uint64_t size, std::uint64_t letters) {
    std::string all(size, '\0');
    for (char& one : all) one = static_cast<char>(random_.below(letters) * (256 / letters));
    return all;
  }

  Random& random_;
  std::uint32_t max_;
  std::string stems_[4];
};

}  // namespace quire::test
