#include "crash/seam.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <linux/magic.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_points.h"

namespace quire::crash {

Seam::Seam(Drive& drive, std::string data_path)
    : system_(storage::system), drive_(drive), data_path_(std::move(data_path)) {
  active_ = this;
  storage::System& system = storage::system;
  system.openat = openat;
  system.close = close;
  system.fstatfs = fstatfs;
  system.fallocate = fallocate;
  system.ftruncate = ftruncate;
  system.pwrite = pwrite;
  system.fdatasync = fdatasync;
  system.fsync = fdatasync;
  system.msync = msync;
  system.madvise = madvise;
  system.mincore = mincore;
  system.fadvise = fadvise;
  test_points::reached = reached;
}

Seam::~Seam() {
  storage::system = system_;
  test_points::reached = nullptr;
  active_ = nullptr;
}

void Seam::start_anew(bool has_failed) noexcept {
  forget_errors();
  errors_ = has_failed ? 1 : 0;
  limit_bytes_ = 0;
  at_awaited_point_ = nullptr;
  is_state_new_ = true;
}

bool Seam::is_data(int descriptor) const {
  return is_connected_ && descriptors_.contains(descriptor);
}

void Seam::serve_child(std::uint64_t kill_at, const std::function<void()>& body,
                       const std::function<void(std::uint64_t)>& told) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::runtime_error("socketpair failed");
  }
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    ::close(ends[0]);
    parent_ = ends[1];
    kill_at_ = kill_at;
    try {
      body();
    } catch (const std::exception&) {
      // It has told its parent nothing, which is all that counts.
    }
    ::kill(::getpid(), SIGKILL);
  }
  ::close(ends[1]);
  Request request;
  while (::recv(ends[0], &request, sizeof request, 0) == sizeof request) {
    answer(request, told);
    const char done = 0;
    if (::send(ends[0], &done, 1, MSG_NOSIGNAL) != 1) break;
  }
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  moment("after a death");
}

void Seam::answer(const Request& request, const std::function<void(std::uint64_t)>& told) {
  switch (request.kind) {
    case Request::Kind::moment:
      moment(request.place);
      break;
    case Request::Kind::flush:
      if (on_moment) drive_.flush(request.first, request.second);
      is_state_new_ = true;
      break;
    case Request::Kind::resized:
      drive_.resized(request.first);
      is_state_new_ = true;
      break;
    case Request::Kind::redirty:
      if (on_moment) drive_.redirty(request.first, request.second);
      break;
    case Request::Kind::told:
      told(request.first);
      break;
  }
}

void Seam::ask_parent(Request::Kind kind, std::uint64_t first, std::uint64_t second,
                      const std::string& place) {
  Request request = {kind, first, second, {}};
  place.copy(request.place, sizeof request.place - 1);
  char done = 0;
  if (::send(parent_, &request, sizeof request, MSG_NOSIGNAL) != sizeof request ||
      ::recv(parent_, &done, 1, 0) != 1) {
    ::_exit(1);  // nobody is interested any more
  }
}

void Seam::tell_parent(std::uint64_t number) { ask_parent(Request::Kind::told, number, 0, ""); }

void Seam::moment(const std::string& place) {
  if (parent_ >= 0) {
    ask_parent(Request::Kind::moment, 0, 0, "in a child: " + place);
    return;
  }
  if (!is_connected_ || !on_moment) return;
  if (drive_.capture()) is_state_new_ = true;
  if (is_state_new_) on_moment(place);
  is_state_new_ = false;
}

int Seam::flush(Description& description, std::uint64_t offset, std::uint64_t size_bytes,
                const char* call) {
  moment(std::string{"before "} + call);
  if (parent_ >= 0) {
    ask_parent(Request::Kind::flush, offset, size_bytes, "");
    moment(std::string{"after "} + call);
    return 0;
  }
  is_state_new_ = true;
  bool fails = description.seen_errors != errors_;  // of another flush, not yet reported here
  if (flushes_until_error_ == 0) {
    ++errors_;
    fails = true;
    drive_.fail_flush(offset, size_bytes);
    flushes_until_error_ = kNever;
  } else {
    if (flushes_until_error_ != kNever) --flushes_until_error_;
    if (on_moment) drive_.flush(offset, size_bytes);
  }
  description.seen_errors = errors_;
  moment(std::string{"after "} + call);
  if (!fails) return 0;
  errno = EIO;
  return -1;
}

void Seam::note_size(int descriptor) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return;
  if (parent_ >= 0) {
    ask_parent(Request::Kind::resized, static_cast<std::uint64_t>(status.st_size), 0, "");
    return;
  }
  const std::uint64_t before = drive_.state().length();
  drive_.resized(static_cast<std::uint64_t>(status.st_size));
  if (drive_.state().length() != before) is_state_new_ = true;
}

int Seam::openat(int directory, const char* path, int flags, mode_t mode) {
  Seam& seam = *active_;
  const int descriptor = seam.system_.openat(directory, path, flags, mode);
  if (descriptor >= 0 && path == seam.data_path_) {
    seam.descriptors_[descriptor] = {seam.errors_};
  }
  return descriptor;
}

int Seam::close(int descriptor) {
  active_->descriptors_.erase(descriptor);
  return active_->system_.close(descriptor);
}

// The drive is nothing like memory.
int Seam::fstatfs(int descriptor, struct statfs* status) {
  const int result = active_->system_.fstatfs(descriptor, status);
  status->f_type = EXT4_SUPER_MAGIC;
  return result;
}

int Seam::fallocate(int descriptor, int mode, off_t offset, off_t bytes) {
  Seam& seam = *active_;
  if (!seam.is_data(descriptor)) return seam.system_.fallocate(descriptor, mode, offset, bytes);
  if (seam.limit_bytes_ != 0 && static_cast<std::uint64_t>(offset + bytes) > seam.limit_bytes_) {
    errno = ENOSPC;
    return -1;
  }
  seam.moment("before fallocate");
  const int result = seam.system_.fallocate(descriptor, mode, offset, bytes);
  seam.note_size(descriptor);
  seam.moment("after fallocate");
  return result;
}

int Seam::ftruncate(int descriptor, off_t bytes) {
  Seam& seam = *active_;
  const int result = seam.system_.ftruncate(descriptor, bytes);
  if (seam.is_data(descriptor)) {
    seam.note_size(descriptor);
    seam.moment("after ftruncate");
  }
  return result;
}

// A page at a time: between two pages a kill may end the call.
ssize_t Seam::pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  Seam& seam = *active_;
  if (!seam.is_data(descriptor)) return seam.system_.pwrite(descriptor, bytes, count, offset);
  if (std::exchange(seam.is_write_to_fail_, false)) {
    errno = EIO;
    return -1;
  }
  size_t done = 0;
  while (done < count) {
    const off_t at = offset + static_cast<off_t>(done);
    const size_t step = std::min(count - done, kPageBytes - static_cast<size_t>(at) % kPageBytes);
    const ssize_t written =
        seam.system_.pwrite(descriptor, static_cast<const char*>(bytes) + done, step, at);
    if (written <= 0) return done > 0 ? static_cast<ssize_t>(done) : written;
    done += static_cast<size_t>(written);
    seam.note_size(descriptor);
    seam.moment("after pwrite");
  }
  return static_cast<ssize_t>(done);
}

int Seam::fdatasync(int descriptor) {
  Seam& seam = *active_;
  if (!seam.is_data(descriptor)) return 0;
  return seam.flush(seam.descriptors_[descriptor], 0, ~std::uint64_t{0}, "fdatasync");
}

int Seam::msync(void* address, size_t bytes, int) {
  Seam& seam = *active_;
  if (!seam.is_connected_) return 0;
  std::uintptr_t base = 0;
  Mapped& mapped = seam.mapped_at(address, &base);
  if (!mapped.is_data) return 0;
  const std::uint64_t offset =
      mapped.file_offset + (reinterpret_cast<std::uintptr_t>(address) - base);
  return seam.flush(mapped.description, offset, bytes, "msync");
}

int Seam::madvise(void* address, size_t bytes, int advice) {
  Seam& seam = *active_;
  const int result = seam.system_.madvise(address, bytes, advice);
  if (advice != MADV_DONTFORK) return result;  // that one marks every new mapping
  const auto base = reinterpret_cast<std::uintptr_t>(address);
  std::erase_if(seam.mappings_, [&](const auto& entry) {
    return entry.first < base + bytes && base < entry.first + entry.second.size_bytes;
  });
  Mapped mapped = seam.look_up(base);
  mapped.size_bytes = bytes;
  mapped.description.seen_errors = seam.errors_;
  seam.mappings_[base] = mapped;
  return result;
}

int Seam::mincore(void*, size_t bytes, unsigned char* resident) {
  std::fill_n(resident, (bytes + kPageBytes - 1) / kPageBytes, static_cast<unsigned char>(0));
  return 0;
}

int Seam::fadvise(int descriptor, off_t, off_t, int advice) {
  Seam& seam = *active_;
  if (advice == POSIX_FADV_DONTNEED && seam.is_data(descriptor)) seam.drive_.drop_clean();
  return 0;
}

void Seam::reached(const char* crash_point, std::uint64_t offset, std::uint64_t size_bytes) {
  Seam& seam = *active_;
  if (!seam.is_connected_) return;
  if (std::string_view{crash_point} == "commit: visible") ++seam.visible_count_;
  if (std::string_view{crash_point} == "checkpoint: pinned") ++seam.checkpoint_count_;
  if (seam.parent_ >= 0) {
    if (size_bytes > 0) seam.ask_parent(Request::Kind::redirty, offset, size_bytes, "");
    seam.moment(crash_point);
    if (--seam.kill_at_ == 0 || seam.dies_at_ == crash_point) ::kill(::getpid(), SIGKILL);
    return;
  }
  if (size_bytes > 0 && seam.on_moment) seam.drive_.redirty(offset, size_bytes);
  seam.moment(crash_point);
  if (seam.at_awaited_point_ && seam.awaited_point_ == crash_point) {
    std::exchange(seam.at_awaited_point_, nullptr)();
  }
}

Seam::Mapped& Seam::mapped_at(void* address, std::uintptr_t* base) {
  auto at = mappings_.upper_bound(reinterpret_cast<std::uintptr_t>(address));
  --at;
  *base = at->first;
  return at->second;
}

// Which file is mapped at an address, and from where, only the system knows.
Seam::Mapped Seam::look_up(std::uintptr_t address) const {
  struct stat status = {};
  Mapped mapped;
  if (::stat(data_path_.c_str(), &status) != 0) return mapped;
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  char line[1024];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long first = 0, limit = 0, offset = 0, inode = 0;
    if (std::sscanf(line, "%lx-%lx %*s %lx %*s %lu", &first, &limit, &offset, &inode) != 4)
      continue;
    if (address < first || address >= limit) continue;
    mapped.is_data = inode == status.st_ino;
    mapped.file_offset = offset + (address - first);
    break;
  }
  std::fclose(maps);
  return mapped;
}

}  // namespace quire::crash
