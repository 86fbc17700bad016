// One mapping of a file, shared but for `copy_on_write`: a window of addresses that may reach
// beyond the file's end, so that the file grows under it. One VMA: it is never split, moved or made
// smaller. Forked children do not have it.
//
// Threads: any, once mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace quire::storage {

class Mapping {
 public:
  // copy_on_write: stores stay in this process's memory; a page that nothing was stored into still
  // shows the file.
  enum class Mode { read_only, read_write, copy_on_write };

  Mapping() noexcept;
  ~Mapping();  // unmaps
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;

  // Maps [offset, offset + size_bytes) of the file; the offset is a multiple of
  // `system_page_bytes()`. The descriptor may be closed afterwards; the mapping holds its open file
  // description, and `msync` reports errors on that one. 0, or the errno of the refusal; then
  // nothing is mapped.
  [[nodiscard]] int map(int descriptor, Mode mode, std::uint64_t offset, std::uint64_t size_bytes);

  // Makes the window from `offset` on, a multiple of `system_page_bytes()`, memory of this process
  // that reads zero: 0, or an errno. Only of a copy_on_write one.
  [[nodiscard]] int map_memory_from(std::uint64_t offset);

  std::byte* base() const noexcept;
  std::uint64_t size_bytes() const noexcept;

  // In a forked child: forgets the window, which the child does not have, without unmapping what
  // may stand there now.
  void abandon_after_fork() noexcept;

 private:
  struct Region;
  std::unique_ptr<Region> region_;
};

std::uint64_t system_page_bytes() noexcept;

}  // namespace quire::storage
