// A disk whose power can be cut: a file system in an image file behind a loop device. The cut is
// the file system's own emergency stop without a flush of its journal: what was not flushed is
// lost, and the next mount replays the journal.
//
// Belongs into a process with private mounts (see support/mounts.h). Nothing of it has to be
// cleaned up: the image has no name, the loop device frees itself when it is unmounted, and the
// mount ends with the last process that sees it, however that dies.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/mounts.h"

namespace quire::test {

class PowerDisk {
 public:
  // `type` is ext4 or xfs. `refusal()` says why there is no such disk here; otherwise it is mounted
  // at `mount_point()`.
  PowerDisk(const std::filesystem::path& directory, std::string type)
      : type_(std::move(type)), mount_point_(directory / type_) {
    std::filesystem::create_directory(mount_point_);
    const std::string image = (directory / (type_ + ".image")).string();
    const std::string make = type_ == "xfs" ? "mkfs.xfs -q -f " : "mkfs.ext4 -q -m 0 ";
    const std::string size = type_ == "xfs" ? "320M " : "128M ";
    if (!run_command("truncate -s " + size + image) ||
        !run_command("PATH=$PATH:/sbin:/usr/sbin " + make + image)) {
      refusal_ = "mkfs." + type_ + " is missing or fails";
      return;
    }
    image_ = ::open(image.c_str(), O_RDWR | O_CLOEXEC);
    std::filesystem::remove(image);
    try {
      mount();
    } catch (const std::exception& error) {
      refusal_ = error.what();
    }
  }
  PowerDisk(const PowerDisk&) = delete;
  PowerDisk& operator=(const PowerDisk&) = delete;
  ~PowerDisk() {
    if (is_mounted_) unmount();
    ::close(image_);
  }

  const std::string& refusal() const noexcept { return refusal_; }
  const std::filesystem::path& mount_point() const noexcept { return mount_point_; }

  // Replays the journal. The device is new each time, so that no cache of the life before remains.
  void mount() {
    const int device = attach();
    const std::string path = "/dev/loop" + std::to_string(number_);
    const int failed = ::mount(path.c_str(), mount_point_.c_str(), type_.c_str(), 0, nullptr);
    const int reason = errno;
    ::close(device);
    if (failed != 0) fail("mount of " + path, reason);
    is_mounted_ = true;
  }

  // From here on nothing reaches the disk.
  void cut() {
    constexpr unsigned long kShutDown = _IOR('X', 125, std::uint32_t);
    std::uint32_t without_log_flush = 2;
    const int root = ::open(mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int failed = root < 0 ? -1 : ::ioctl(root, kShutDown, &without_log_flush);
    const int reason = errno;
    ::close(root);
    if (failed != 0) fail("shutdown of " + type_, reason);
  }

  void unmount() {
    // A process that was killed may not have let go of its mappings yet.
    for (int attempt = 0; ::umount2(mount_point_.c_str(), 0) != 0; ++attempt) {
      if (errno != EBUSY || attempt == kAttempts) fail("umount of " + type_, errno);
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    is_mounted_ = false;
  }

 private:
  static constexpr int kAttempts = 2000;

  [[noreturn]] static void fail(const std::string& action, int reason) {
    throw std::runtime_error(action + ": " + std::strerror(reason));
  }

  // A descriptor of a loop device that holds the image until nobody has it open or mounted.
  int attach() {
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) fail("open of /dev/loop-control", errno);
    int device = -1;
    for (int attempt = 0; device < 0 && attempt < kAttempts; ++attempt) {
      number_ = ::ioctl(control, LOOP_CTL_GET_FREE);
      device = number_ < 0 ? -1 : try_attach();
      if (device < 0 && errno != EBUSY) break;  // EBUSY: somebody else took it first
    }
    const int reason = errno;
    ::close(control);
    if (device < 0) fail("a loop device", reason);
    return device;
  }

  int try_attach() const {
    const int device = ::open(("/dev/loop" + std::to_string(number_)).c_str(), O_RDWR | O_CLOEXEC);
    if (device < 0) return -1;
    struct loop_config config = {};
    config.fd = static_cast<std::uint32_t>(image_);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (::ioctl(device, LOOP_CONFIGURE, &config) == 0) return device;
    const int reason = errno;
    ::close(device);
    errno = reason;
    return -1;
  }

  std::string type_;
  std::filesystem::path mount_point_;
  std::string refusal_;
  int image_ = -1;
  int number_ = -1;
  bool is_mounted_ = false;
};

}  // namespace quire::test
