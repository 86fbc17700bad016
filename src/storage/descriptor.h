// An owned, close-on-exec file descriptor, and the errors that calls on it turn into.
#pragma once

#include <quire/error.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace quire::storage {

// Move-only owner of one open file description. Threads: external synchronisation to move or close.
// Never descriptor 0, 1 or 2: in a process that was started with one of them closed, what anybody
// prints would go into the file. Such a one is moved; without a free place (EMFILE) it is closed.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int descriptor) noexcept;
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  int get() const noexcept { return descriptor_; }
  bool is_open() const noexcept { return descriptor_ >= 0; }
  void close() noexcept;

 private:
  int descriptor_ = -1;
};

// What makes two paths the same file.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

// Opens `path` with O_CLOEXEC added to `flags`. Throws what `throw_errno` throws.
Descriptor open_file(const std::filesystem::path& path, int flags, unsigned mode = 0);

FileIdentity identity_of(const Descriptor& file);

// Where the descriptor's file stands now, as far as the system tells; for messages.
std::filesystem::path path_of(int descriptor);

// The system does not let this process write (Errc::io): it may still read.
class NotPermitted final : public Error {
 public:
  explicit NotPermitted(const std::string& what) : Error(Errc::io, what) {}
};

// Throws Error for `error_number`: ENOSPC, EDQUOT, EFBIG -> no_space; EROFS, EACCES, EPERM -> io,
// as NotPermitted; all else -> io; the text is "<path>: <action>: <system's reason>" with a hint
// where one helps.
[[noreturn]] void throw_errno(int error_number, const std::string& action,
                              const std::filesystem::path& path);

}  // namespace quire::storage
