// What data file and region file do alike with a descriptor: whole transfers, repeated when
// interrupted, with errors that name the path. Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "storage/descriptor.h"
#include "storage/filesystem.h"

namespace quire::storage {

// errno as a code.
std::error_code last_error() noexcept;

enum class OpenMode {
  read,             // O_RDONLY
  write,            // O_RDWR, or the error
  write_if_allowed  // O_RDWR, or O_RDONLY where writing is not permitted
};

struct OpenedFile {
  std::vector<Descriptor> descriptions;
  FileIdentity identity;
  bool is_writable = false;
};

// Opens one regular file `count` times, each time as an open file description of its own, all of
// the same file even while the path is being replaced. `extra_flags` as O_NOFOLLOW. Throws
// Errc::io, also for what is no regular file.
OpenedFile open_descriptions(const std::filesystem::path& path, OpenMode mode, int extra_flags,
                             std::size_t count);

// The directory that holds `path`, for flushing it and making files in it. Throws Errc::io.
Descriptor open_directory_of(const std::filesystem::path& path);

// Flushes a directory, so that the names in it are durable. File systems that know no such thing
// count as flushed.
[[nodiscard]] std::error_code flush_directory(const Descriptor& directory);

// The same for the directory of `path`; one that this process may not read counts as flushed.
[[nodiscard]] std::error_code flush_directory_of(const std::filesystem::path& path);

// The file system that the file stands on. Throws Errc::unsupported_filesystem.
FilesystemKind require_supported_filesystem(const Descriptor& file, bool allow_any,
                                            const std::filesystem::path& path);

// True when the path names that file now.
bool names_file(const std::filesystem::path& path, FileIdentity identity);

// True when the path names another file than the open one, or that one was deleted. A path that
// cannot be followed (any more) says nothing: false.
bool is_replaced(const std::filesystem::path& path, const Descriptor& file,
                 FileIdentity identity) noexcept;

std::uint64_t size_of(const Descriptor& file, const std::filesystem::path& path);
void resize(const Descriptor& file, std::uint64_t size_bytes, const std::string& action,
            const std::filesystem::path& path);

// The size up to which this process may write a file; SIGXFSZ kills it for writing further.
std::uint64_t size_limit_bytes() noexcept;

// Fewer bytes only at the end of the file.
std::size_t read_at(const Descriptor& file, std::uint64_t offset, std::byte* bytes,
                    std::size_t size_bytes, const std::filesystem::path& path);

void write_at(const Descriptor& file, std::uint64_t offset, const std::byte* bytes,
              std::size_t size_bytes, const std::string& action, const std::filesystem::path& path);

// In writes of 4 KiB: larger ones build large folios in the page cache, and then the flush of one
// page writes them whole.
void write_zeros_at(const Descriptor& file, std::uint64_t offset, std::uint64_t size_bytes,
                    const std::string& action, const std::filesystem::path& path);

// fallocate(2) of a range. False when the file system cannot. Throws Errc::no_space, Errc::io.
[[nodiscard]] bool allocate(const Descriptor& file, int mode, std::uint64_t offset,
                            std::uint64_t size_bytes, const std::string& action,
                            const std::filesystem::path& path);

}  // namespace quire::storage
