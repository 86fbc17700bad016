// One page in memory of its own, so that a sanitizer sees every step outside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "format/arrays.h"
#include "format/page.h"

namespace quire::test {

class PageBuffer {
 public:
  explicit PageBuffer(std::uint32_t page_bytes)
      : bytes_(static_cast<std::byte*>(std::aligned_alloc(64, page_bytes))), size_(page_bytes) {
    std::memset(bytes_.get(), 0, page_bytes);
    format::header_of(get()).page = 77;
  }
  PageBuffer(const PageBuffer& other) : PageBuffer(other.size_) {
    std::memcpy(get(), other.get(), size_);
  }
  PageBuffer& operator=(const PageBuffer& other) {
    std::memcpy(get(), other.get(), size_);
    return *this;
  }

  std::byte* get() noexcept { return bytes_.get(); }
  const std::byte* get() const noexcept { return bytes_.get(); }
  std::uint32_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  std::unique_ptr<std::byte[], Free> bytes_;
  std::uint32_t size_;
};

}  // namespace quire::test
