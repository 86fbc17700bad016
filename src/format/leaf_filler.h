// Fills a leaf in the order of its keys. Prefix, heads and hints depend on all of them and are made
// once, at the end; until then the page is no leaf.
//
// Threads: as for any memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "format/leaf.h"

namespace quire::format {

class LeafFiller {
 public:
  // Begins with an empty leaf at `page` (page_bytes long, 8-byte aligned), which the filler does
  // not own. The header's number, birth, kind, level and flags are not its business.
  void start(std::byte* page, std::uint32_t page_bytes);

  // Goes on in a leaf that has entries. Throws Damage where it contradicts itself.
  void resume(std::byte* page, std::uint32_t page_bytes);

  std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(offsets_.size()); }

  // Of the page. Requires count() > 0.
  std::string_view last_key() const noexcept { return last_key_; }

  // Puts an entry behind all others; its key is greater. It may lie anywhere but in the page's
  // free bytes. False, and nothing changes, when there is no room.
  bool append(const LeafEntry& entry) {
    const std::uint32_t record_bytes = entry.record_bytes();
    if (arrays_end_ + record_bytes > heap_begin_) return false;
    offsets_.push_back(static_cast<std::uint16_t>(heap_begin_ - record_bytes));
    arrays_end_ += kLeafSlotBytes;
    heap_begin_ -= record_bytes;
    heap_live_ += record_bytes;
    last_key_ = store(entry);
    return true;
  }

  // Makes the page a leaf. Requires count() > 0.
  void finish();

 private:
  std::string_view store(const LeafEntry& entry) noexcept;

  std::byte* page_ = nullptr;
  std::uint32_t page_bytes_ = 0;
  std::uint32_t arrays_end_ = 0;  // with one entry more
  std::uint32_t heap_begin_ = 0;
  std::uint32_t heap_live_ = 0;
  std::string_view last_key_;
  std::vector<std::uint16_t> offsets_;
};

}  // namespace quire::format
