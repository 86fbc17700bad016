#include "crash/machine.h"

#include <fcntl.h>
#include <unistd.h>

namespace quire::crash {
Machine::Machine()
    : path_(std::filesystem::canonical(directory_.path()) / "db"),
      lock_path_(path_.string() + ".lock"),
      drive_(path_, kFileBytesMax),
      seam_(drive_, path_.string()) {}

void Machine::open() {
  database_.emplace(path_, Options{.background_checkpoints = false, .reserve = kFileBytesMax});
}

Database Machine::open_another() const { return Database{path_, {.reserve = kFileBytesMax}}; }

void Machine::close() { database_.reset(); }

void Machine::kill() {
  drive_.capture();
  const DriveState state = drive_.state();
  const RegionWords words = region();
  seam_.connect(false);
  database_.reset();
  restart(state, words);
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

void Machine::restart(const DriveState& drive, const RegionWords& region) {
  seam_.connect(false);
  drive_.load(drive);
  set_region(region);
  seam_.connect(true);
}

RegionWords Machine::region() const {
  RegionWords words = {};
  const int descriptor = ::open(lock_path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return words;
  if (::pread(descriptor, words.data(), words.size(), shared::kControlOffset) < 0) words = {};
  ::close(descriptor);
  return words;
}

void Machine::set_region(const RegionWords& region) {
  const int descriptor = ::open(lock_path_.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  [[maybe_unused]] const ssize_t written =
      ::pwrite(descriptor, region.data(), region.size(), shared::kControlOffset);
  ::close(descriptor);
}

}  // namespace quire::crash
