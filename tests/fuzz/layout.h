// Where things stand in a database file that may be damaged: what mutations aim at. Nothing here
// trusts a byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "format/branch.h"
#include "format/leaf.h"
#include "format/meta.h"
#include "format/page.h"
#include "format/record.h"
#include "fuzz/fuzz_input.h"

namespace quire::fuzz {

template <typename T>
T load(const std::byte* at) {
  T value;
  std::memcpy(static_cast<void*>(&value), at, sizeof value);
  return value;
}

template <typename T>
void store(std::byte* at, const T& value) {
  std::memcpy(at, &value, sizeof value);
}

class Layout {
 public:
  explicit Layout(FileBytes& file);

  const format::Meta& meta() const noexcept { return meta_; }  // the newest that looks like one
  std::uint32_t page_bytes() const noexcept { return page_bytes_; }
  std::uint32_t page_count() const noexcept { return page_count_; }
  std::byte* page(std::uint32_t number) const noexcept;  // number < page_count
  format::PageHeader header(std::uint32_t number) const noexcept;
  bool has_meta_at(int slot) const noexcept;  // the file is long enough

  // Pages whose header says branch or leaf, whether a tree reaches them or not.
  const std::vector<std::uint32_t>& branches() const noexcept { return branches_; }
  const std::vector<std::uint32_t>& leaves() const noexcept { return leaves_; }

  // The ring of the log as far as it lies inside the file; null when it does not.
  std::byte* ring() const noexcept;
  std::size_t ring_bytes() const noexcept;

 private:
  FileBytes& file_;
  format::Meta meta_;
  std::uint32_t page_bytes_;
  std::uint32_t page_count_;
  std::vector<std::uint32_t> branches_;
  std::vector<std::uint32_t> leaves_;
};

// Calls `visit(index, entry)` for the entries of a leaf, up to the first that makes no sense.
template <typename Visit>
void for_entries(const std::byte* page, std::uint32_t page_bytes, Visit visit) {
  try {
    const format::LeafView leaf(page, page_bytes);
    for (std::uint32_t i = 0; i < leaf.count(); ++i) visit(i, leaf.entry(i));
  } catch (const format::Damage&) {
    return;
  }
}

// Where the child pointers of a branch stand; an empty range when it makes no sense.
struct Children {
  format::PagePtr* first = nullptr;
  std::uint32_t count = 0;
};
Children children_of(std::byte* page, std::uint32_t page_bytes);

// Calls `visit(record, payload bytes)` for the records of a ring from `from` on, as long as the
// bytes there say that one stands there and stays inside.
template <typename Visit>
void for_records(std::byte* ring, std::size_t ring_bytes, std::uint64_t from, Visit visit) {
  for (std::uint64_t position = from; position - from < ring_bytes;) {
    const std::size_t offset = position % ring_bytes;
    const std::size_t rest = ring_bytes - offset;
    if (rest < sizeof(format::RecordHeader)) return;
    const auto header = load<format::RecordHeader>(ring + offset);
    if (header.lsn != position || header.total_bytes < sizeof header || header.total_bytes > rest ||
        header.payload_bytes > header.total_bytes - sizeof header) {
      return;
    }
    visit(ring + offset, header);
    position += header.total_bytes;
  }
}

}  // namespace quire::fuzz
