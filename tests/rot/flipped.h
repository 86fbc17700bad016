// A changed byte in an open database.
#pragma once

#include <cstddef>
#include <cstdint>

#include "db/handles.h"
#include "txn/store.h"

namespace quire::test {

// Changes one byte of the mapped file and puts it back.
class Flipped {
 public:
  Flipped(txn::Store& store, std::uint64_t offset, std::uint8_t bits) noexcept
      : byte_(store.data().write_base() + offset), bits_(bits) {
    *byte_ ^= std::byte{bits_};
  }
  Flipped(const Database& db, std::uint64_t offset)
      : Flipped(detail::Access::store(db), offset, 1) {}
  Flipped(const Flipped&) = delete;
  Flipped& operator=(const Flipped&) = delete;
  ~Flipped() { *byte_ ^= std::byte{bits_}; }

 private:
  std::byte* byte_;
  std::uint8_t bits_;
};

}  // namespace quire::test
