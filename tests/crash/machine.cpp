#include "crash/machine.h"

#include <cstddef>

#include <fcntl.h>
#include <unistd.h>

#include "shared/layout.h"

namespace quire::crash {
namespace {

constexpr auto kPoisonOffset =
    static_cast<off_t>(shared::kControlOffset + offsetof(shared::Control, poisoned));
static_assert(offsetof(shared::Control, poisoned_before) ==
              offsetof(shared::Control, poisoned) + sizeof(std::uint32_t));

}  // namespace

Machine::Machine()
    : path_(std::filesystem::canonical(directory_.path()) / "db"),
      lock_path_(path_.string() + ".lock"),
      drive_(path_, kFileBytesMax),
      seam_(drive_, path_.string()) {}

void Machine::open() { database_.emplace(path_, Options{.reserve = kFileBytesMax}); }

Database Machine::open_another() const { return Database{path_, {.reserve = kFileBytesMax}}; }

void Machine::close() { database_.reset(); }

void Machine::kill() {
  drive_.capture();
  const DriveState state = drive_.state();
  const Poison poisoned = poison();
  seam_.connect(false);
  database_.reset();
  restart(state, poisoned);
}

void Machine::abandon() {
  seam_.on_moment = nullptr;
  seam_.connect(false);
  database_.reset();
}

void Machine::boot(std::span<const ContentId> pages, bool has_lock_file) {
  seam_.connect(false);
  seam_.start_anew();
  drive_.load(pages);
  if (!has_lock_file) std::filesystem::remove(lock_path_);
  seam_.connect(true);
}

void Machine::restart(const DriveState& drive, Poison poison) {
  seam_.connect(false);
  drive_.load(drive);
  set_poison(poison);
  seam_.connect(true);
}

Poison Machine::poison() const {
  Poison poison = 0;
  const int descriptor = ::open(lock_path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  if (::pread(descriptor, &poison, sizeof poison, kPoisonOffset) != sizeof poison) poison = 0;
  ::close(descriptor);
  return poison;
}

void Machine::set_poison(Poison poison) {
  const int descriptor = ::open(lock_path_.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  [[maybe_unused]] const ssize_t written =
      ::pwrite(descriptor, &poison, sizeof poison, kPoisonOffset);
  ::close(descriptor);
}

}  // namespace quire::crash
