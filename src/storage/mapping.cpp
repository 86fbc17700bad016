#include "storage/mapping.h"

#include <cerrno>
#include <new>
#include <utility>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>

#include "base/assert.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

namespace ipc = boost::interprocess;

// What `mapped_region` maps. Boost's own `file_mapping` opens its file without O_CLOEXEC.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) noexcept : descriptor_(descriptor) {}
  ipc::mapping_handle_t get_mapping_handle() const noexcept {
    return ipc::ipcdetail::mapping_handle_from_file_handle(descriptor_);
  }

 private:
  int descriptor_;
};

ipc::mode_t mode_of(Mapping::Mode mode) noexcept {
  switch (mode) {
    case Mapping::Mode::read_only:
      return ipc::read_only;
    case Mapping::Mode::read_write:
      return ipc::read_write;
    case Mapping::Mode::copy_on_write:
      break;
  }
  return ipc::copy_on_write;
}

}  // namespace

struct Mapping::Region {
  ipc::mapped_region mapped;
};

Mapping::Mapping() noexcept = default;
Mapping::~Mapping() = default;
Mapping::Mapping(Mapping&& other) noexcept = default;
Mapping& Mapping::operator=(Mapping&& other) noexcept = default;

int Mapping::map(int descriptor, Mode mode, std::uint64_t offset, std::uint64_t size_bytes) {
  QUIRE_ASSERT(offset % system_page_bytes() == 0 && size_bytes > 0);
  auto region = std::make_unique<Region>();
  try {
    region->mapped =
        ipc::mapped_region(OpenFile{descriptor}, mode_of(mode), static_cast<ipc::offset_t>(offset),
                           size_bytes, nullptr, MAP_NORESERVE);
  } catch (const ipc::interprocess_exception& refusal) {
    return refusal.get_native_error() != 0 ? refusal.get_native_error() : EINVAL;
  }
  // A child that inherited the window could write into it, and would keep it alive for
  // `drop_cache`.
  if (system.madvise(region->mapped.get_address(), size_bytes, MADV_DONTFORK) == -1) return errno;
  region_ = std::move(region);
  return 0;
}

int Mapping::map_memory_from(std::uint64_t offset) {
  QUIRE_ASSERT(offset % system_page_bytes() == 0 && offset <= size_bytes());
  if (offset == size_bytes()) return 0;
  void* const first = base() + offset;
  const std::uint64_t window_bytes = size_bytes() - offset;
  if (::mmap(first, window_bytes, PROT_READ | PROT_WRITE,
             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != first) {
    return errno;
  }
  return system.madvise(first, window_bytes, MADV_DONTFORK) == 0 ? 0 : errno;
}

std::byte* Mapping::base() const noexcept {
  return region_ ? static_cast<std::byte*>(region_->mapped.get_address()) : nullptr;
}

std::uint64_t Mapping::size_bytes() const noexcept {
  return region_ ? region_->mapped.get_size() : 0;
}

void Mapping::abandon_after_fork() noexcept {
  // Gives the memory back without running the destructor, which would unmap.
  if (region_) ::operator delete(region_.release());
}

std::uint64_t system_page_bytes() noexcept {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace quire::storage
