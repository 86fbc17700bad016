// What the views of this module throw when the bytes of a page contradict each other (rule 16).
// Format knows no files: the btree module catches it and adds the file's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>

namespace quire::format {

class Damage final : public std::exception {
 public:
  Damage(std::uint32_t page, const char* reason) noexcept : page_(page), reason_(reason) {}
  const char* what() const noexcept override { return reason_; }  // a literal
  std::uint32_t page() const noexcept { return page_; }

 private:
  std::uint32_t page_;
  const char* reason_;
};

// Throws Damage for the page whose bytes begin at `page`; its number is taken from its header.
[[noreturn]] void damaged(const std::byte* page, const char* reason);

}  // namespace quire::format
