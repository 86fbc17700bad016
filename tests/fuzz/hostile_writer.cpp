#include "fuzz/hostile_writer.h"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/checksum.h"
#include "fuzz/layout.h"

namespace quire::fuzz {
namespace {

constexpr std::uint32_t kPageBytes = format::kPageBytesMin;

// All of the file, as long as the object lives; empty when it cannot be mapped.
class Mapped {
 public:
  explicit Mapped(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    const off_t end = descriptor_ < 0 ? 0 : ::lseek(descriptor_, 0, SEEK_END);
    if (end < 2 * static_cast<off_t>(format::kReservedBytes)) return;
    void* address = ::mmap(nullptr, static_cast<std::size_t>(end), PROT_READ | PROT_WRITE,
                           MAP_SHARED, descriptor_, 0);
    if (address == MAP_FAILED) return;
    base_ = static_cast<std::byte*>(address);
    size_bytes_ = static_cast<std::size_t>(end);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (base_ != nullptr) ::munmap(base_, size_bytes_);
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  std::byte* page(std::uint32_t number) const noexcept {
    return base_ + number % (size_bytes_ / kPageBytes) * kPageBytes;
  }
  std::byte* base() const noexcept { return base_; }

 private:
  int descriptor_;
  std::byte* base_ = nullptr;
  std::size_t size_bytes_ = 0;
};

// A number of the meta, with the checksum made good.
void change_meta(std::byte* base, std::uint32_t slot, std::uint32_t offset, std::uint64_t number) {
  std::byte* at = base + format::kMetaOffset[slot % 2];
  std::memcpy(at + offset % 64 * 4, &number, offset % 3 == 0 ? 8 : 4);
  auto meta = load<format::Meta>(at);
  meta.checksum = format::meta_checksum(meta);
  store(at, meta);
}

void change_number(std::byte* at, std::uint64_t number, std::size_t width) {
  std::memcpy(at, &number, width);
}

}  // namespace

void HostileWriter::read(Program& program) {
  constexpr std::array<std::uint64_t, 8> kNumbers = {0,       1,   2,          0xffff,
                                                     0x10000, ~0u, 1ull << 40, ~0ull};
  Edit edit;
  edit.kind = program.below(9);
  edit.flushes_left = program.below(4) == 0 ? program.below(6) : 0;
  edit.page = program.byte();
  edit.other_page = program.byte();
  edit.offset = program.word();
  const std::uint32_t number = program.byte();
  edit.number = number < kNumbers.size() ? kNumbers[number] : number;
  if (edit.flushes_left == 0) {
    apply(edit);
  } else {
    pending_.push_back(edit);
  }
}

void HostileWriter::at_flush() {
  for (Edit& edit : pending_) {
    if (--edit.flushes_left == 0) apply(edit);
  }
  std::erase_if(pending_, [](const Edit& edit) { return edit.flushes_left == 0; });
}

void HostileWriter::apply(const Edit& edit) const {
  const Mapped mapped(path_);
  if (mapped.base() == nullptr) return;
  std::byte* page = mapped.page(edit.page);
  std::byte* other = mapped.page(edit.other_page);
  switch (edit.kind) {
    case 0:
      return change_number(page + edit.offset % kPageBytes, edit.number, 1);
    case 1:
      return change_number(page + edit.offset % (kPageBytes - 8), edit.number, 2);
    case 2:
      return change_number(page + edit.offset % (kPageBytes - 8), edit.number, 4);
    case 3:
      return change_number(page + edit.offset % (kPageBytes - 8), edit.number, 8);
    case 4:  // the fields of a page, which say what the rest of it means
      return change_number(page + edit.offset % 20 * 2, edit.number, 2);
    case 5:
      return static_cast<void>(std::copy(other, other + kPageBytes, page));
    case 6:
      return static_cast<void>(std::swap_ranges(page, page + kPageBytes, other));
    case 7:
      return static_cast<void>(std::fill(page, page + kPageBytes, std::byte{0}));
    default:
      return change_meta(mapped.base(), edit.page, edit.offset, edit.number);
  }
}

}  // namespace quire::fuzz
