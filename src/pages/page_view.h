// Reading pages: a window on the map with the facts needed to judge what is found there.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "format/page.h"
#include "pages/verification.h"

namespace quire::pages {

// Threads: any number at once; a plain value. `base` outlives it. What `read` returns stays valid
// and unchanged for as long as the snapshot or transaction that led to the pointer lives.
struct PageView {
  const std::byte* base = nullptr;  // of the read-only mapping
  std::uint32_t page_bytes = 0;
  std::uint32_t page_count = 0;  // pages the mapping may be read for; pointers beyond are damage
  std::uint64_t checksum_seed = 0;
  const char* file = "";                       // for messages
  const Verification* verification = nullptr;  // null: checksums are not looked at

  const std::byte* at(PageId page) const noexcept {
    return base + std::uint64_t{page.value} * page_bytes;
  }

  // The branch (level > 0) or leaf (level 0) that `pointer` means, after checking number, birth,
  // kind, level, flags, and where `verification` asks for it the checksum. The fields inside are
  // judged by format::BranchView and format::LeafView.
  // Throws Errc::corrupt.
  const std::byte* read(format::PagePtr pointer, std::uint32_t level) const {
    const std::byte* bytes = read_unverified(pointer, level);
    if (verification != nullptr) [[unlikely]]
      verify(pointer, bytes);
    return bytes;
  }

  // The same without the checksum.
  const std::byte* read_unverified(format::PagePtr pointer, std::uint32_t level) const {
    if (pointer.page < page_count) [[likely]] {
      const std::byte* bytes = at(PageId{pointer.page});
      const auto* header = reinterpret_cast<const format::PageHeader*>(bytes);
      if (static_cast<std::uint32_t>(header->birth) == pointer.birth_low &&
          word_of(*header) == expected_word(pointer.page, level)) [[likely]] {
        return bytes;
      }
    }
    reject(pointer, level);
  }

  // The value behind a reference, after checking that its pages lie inside the file and hold its
  // bytes; hashed only where `verification` asks for it. Throws Errc::corrupt.
  const std::byte* extent(const format::ExtentRef& extent) const;

  // Why `read` or `extent` would reject what is meant; null when they would not.
  const char* fault_of(format::PagePtr pointer, std::uint32_t level) const noexcept;
  const char* fault_of(const format::ExtentRef& extent) const noexcept;

  // Throws Errc::corrupt naming file, page and reason.
  [[noreturn]] void corrupt(std::uint64_t page, const char* reason) const;

 private:
  // Number, kind, level and flags of a page stand in one word of its header.
  static std::uint64_t word_of(const format::PageHeader& header) noexcept {
    std::uint64_t word;
    std::memcpy(&word, &header.page, sizeof word);
    return word;
  }
  static std::uint64_t expected_word(std::uint32_t page, std::uint32_t level) noexcept {
    static_assert(offsetof(format::PageHeader, kind) == offsetof(format::PageHeader, page) + 4 &&
                  format::kPageFlagsKnown == 0 && std::endian::native == std::endian::little);
    const auto kind = level == 0 ? format::PageKind::leaf : format::PageKind::branch;
    return std::uint64_t{level} << 40 | static_cast<std::uint64_t>(kind) << 32 | page;
  }

  void verify(format::PagePtr pointer, const std::byte* bytes) const;
  void verify(const format::ExtentRef& extent) const;
  [[noreturn]] void reject(format::PagePtr pointer, std::uint32_t level) const;
};

}  // namespace quire::pages
