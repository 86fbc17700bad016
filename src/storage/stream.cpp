#include "storage/stream.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <unistd.h>

#include "storage/file_calls.h"
#include "storage/system.h"

namespace quire::storage {
namespace {

constexpr unsigned kMode = 0666;  // less the umask

Descriptor directory_for(const std::filesystem::path& path, bool allow_any_filesystem) {
  if (!path.has_filename()) throw_errno(EISDIR, "create", path);
  Descriptor directory = open_directory_of(path);
  (void)require_supported_filesystem(directory, allow_any_filesystem, path);
  return directory;
}

}  // namespace

OutStream::OutStream(const std::filesystem::path& path, bool allow_any_filesystem) : path_(path) {
  file_.emplace(directory_for(path, allow_any_filesystem), path, kMode);
}

OutStream::OutStream(int descriptor) : path_(path_of(descriptor)), descriptor_(descriptor) {}

void OutStream::write(const std::byte* bytes, std::size_t size_bytes) {
  if (file_) {
    write_at(file_->descriptor(), offset_, bytes, size_bytes, "write", path_);
  } else {
    for (std::size_t done = 0; done < size_bytes;) {
      const ssize_t step =
          uninterrupted([&] { return ::write(descriptor_, bytes + done, size_bytes - done); });
      if (step < 0) throw_errno(errno, "write", path_);
      done += static_cast<std::size_t>(step);
    }
  }
  offset_ += size_bytes;
}

void OutStream::skip(std::uint64_t size_bytes) {
  if (file_) {
    offset_ += size_bytes;
    return;
  }
  static constexpr std::array<std::byte, 65536> kZeros = {};
  while (size_bytes > 0) {
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(size_bytes, kZeros.size()));
    write(kZeros.data(), step);
    size_bytes -= step;
  }
}

void OutStream::complete() {
  if (!file_) return;
  resize(file_->descriptor(), offset_, "set the length of it", path_);
  if (uninterrupted([&] { return system.fsync(file_->descriptor().get()); }) == -1) {
    throw_errno(errno, "flush", path_);
  }
  if (!file_->link()) {
    throw Error(Errc::misuse, path_.string() + ": exists already; write to a new path");
  }
  if (const std::error_code failed = flush_directory(file_->directory())) {
    file_->unlink();
    throw_errno(failed.value(), "flush the directory", path_);
  }
}

InStream::InStream(const std::filesystem::path& path)
    : path_(path), file_(open_file(path, O_RDONLY)), descriptor_(file_.get()) {}

InStream::InStream(int descriptor) : path_(path_of(descriptor)), descriptor_(descriptor) {}

std::size_t InStream::read(std::byte* bytes, std::size_t size_bytes) {
  std::size_t done = 0;
  while (done < size_bytes) {
    const ssize_t step =
        uninterrupted([&] { return ::read(descriptor_, bytes + done, size_bytes - done); });
    if (step < 0) throw_errno(errno, "read", path_);
    if (step == 0) break;
    done += static_cast<std::size_t>(step);
  }
  return done;
}

void replace_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code failed;
  std::filesystem::rename(from, to, failed);
  if (failed) throw_errno(failed.value(), "give its name to " + to.string(), from);
  if (const std::error_code lost = flush_directory_of(to)) {
    throw_errno(lost.value(), "flush the directory", to);
  }
}

}  // namespace quire::storage
