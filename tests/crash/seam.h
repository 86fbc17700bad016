// Puts a simulated drive under quire: the calls of the seam that touch the data file go to the
// drive, all others to the system. Tells about every moment at which a crash would find something
// new.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "crash/drive.h"
#include "storage/system.h"

namespace quire::crash {

class Seam {
 public:
  // From now on, and until the end of this object, of which there is one.
  explicit Seam(Drive& drive, std::string data_path);
  ~Seam();
  Seam(const Seam&) = delete;
  Seam& operator=(const Seam&) = delete;

  // Called before and after every call and crash point at which the drive's state differs from the
  // last time; `place` says where. While it is null nothing is going to crash: the drive does not
  // follow then.
  std::function<void(const std::string& place)> on_moment;

  // Whether calls reach the drive. While not, quire plays with a file that nobody looks at.
  void connect(bool is_connected) noexcept { is_connected_ = is_connected; }

  // The flush after `count` others fails with an I/O error (0: the next).
  void fail_flush_after(std::uint64_t count) noexcept { flushes_until_error_ = count; }
  // The next write to the file fails with an I/O error. Nothing has changed then.
  void fail_write() noexcept { is_write_to_fail_ = true; }

  void forget_errors() noexcept {
    flushes_until_error_ = kNever;
    is_write_to_fail_ = false;
  }

  // Whether a flush has failed since the last `start_anew`, or, so it was told then, before.
  bool has_failed() const noexcept { return errors_ > 0; }
  void start_anew(bool has_failed = false) noexcept;

  // Commits that became visible so far, and checkpoints that began.
  std::uint64_t visible_count() const noexcept { return visible_count_; }
  std::uint64_t checkpoint_count() const noexcept { return checkpoint_count_; }

  // Runs `body` in a forked child that is killed when it has reached its `kill_at`-th crash point,
  // or at the end of the body. The child's calls go to the drive of this process, one at a time,
  // and each is a moment like those of this process. `told` is called for every number that the
  // child tells. Returns when the child is dead.
  void serve_child(std::uint64_t kill_at, const std::function<void()>& body,
                   const std::function<void(std::uint64_t)>& told);

  // In such a child.
  void tell_parent(std::uint64_t number);
  // In such a child: it dies when it next reaches this crash point.
  void die_at(std::string crash_point) { dies_at_ = std::move(crash_point); }

  // Calls `run`, once, when this process next reaches this crash point.
  void at_point(std::string crash_point, std::function<void()> run) {
    awaited_point_ = std::move(crash_point);
    at_awaited_point_ = std::move(run);
  }

  // No file grows beyond this; 0: no limit.
  void limit_bytes(std::uint64_t bytes) noexcept { limit_bytes_ = bytes; }

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  // An open file description, or the mapping that carries it: errors are reported once to each.
  struct Description {
    std::uint64_t seen_errors = 0;
  };
  struct Mapped {
    std::uint64_t size_bytes = 0;
    std::uint64_t file_offset = 0;
    bool is_data = false;
    Description description;
  };

  static int openat(int directory, const char* path, int flags, mode_t mode);
  static int close(int descriptor);
  static int fstatfs(int descriptor, struct statfs* status);
  static int fallocate(int descriptor, int mode, off_t offset, off_t bytes);
  static int ftruncate(int descriptor, off_t bytes);
  static ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset);
  static int fdatasync(int descriptor);
  static int msync(void* address, size_t bytes, int flags);
  static int madvise(void* address, size_t bytes, int advice);
  static int mincore(void* address, size_t bytes, unsigned char* resident);
  static int fadvise(int descriptor, off_t offset, off_t bytes, int advice);
  static void reached(const char* crash_point, std::uint64_t offset, std::uint64_t size_bytes);

  // What a child asks of its parent. Each is answered by one byte when it is done.
  struct Request {
    enum class Kind : std::uint8_t { moment, flush, resized, redirty, told } kind;
    std::uint64_t first;
    std::uint64_t second;
    char place[48];
  };
  void ask_parent(Request::Kind kind, std::uint64_t first, std::uint64_t second,
                  const std::string& place);
  void answer(const Request& request, const std::function<void(std::uint64_t)>& told);

  bool is_data(int descriptor) const;
  void moment(const std::string& place);
  int flush(Description& description, std::uint64_t offset, std::uint64_t size_bytes,
            const char* call);
  void note_size(int descriptor);
  Mapped& mapped_at(void* address, std::uintptr_t* base);
  Mapped look_up(std::uintptr_t address) const;

  inline static Seam* active_ = nullptr;
  const storage::System system_;
  Drive& drive_;
  std::string data_path_;
  bool is_connected_ = true;
  bool is_state_new_ = true;
  std::uint64_t flushes_until_error_ = kNever;
  bool is_write_to_fail_ = false;
  std::uint64_t errors_ = 0;
  std::uint64_t limit_bytes_ = 0;
  std::uint64_t visible_count_ = 0;
  std::uint64_t checkpoint_count_ = 0;
  int parent_ = -1;  // in a child: the socket to its parent
  std::uint64_t kill_at_ = 0;
  std::string dies_at_;
  std::string awaited_point_;
  std::function<void()> at_awaited_point_;
  std::map<int, Description> descriptors_;     // of the data file
  std::map<std::uintptr_t, Mapped> mappings_;  // by first address
};

}  // namespace quire::crash
