// Open-file-description locks on single bytes of a file. They belong to the description, survive
// the closing of other descriptors, are visible across PID namespaces and vanish with the last
// process that holds the description: that is what makes them proof of life (rule 9).
//
// Threads: any, but two threads of one process share a description and so do not exclude each
// other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quire::storage {

enum class LockMode { shared, exclusive };

// Takes, converts or refuses at once: false when another description holds a conflicting lock.
// Throws Errc::io.
[[nodiscard]] bool try_lock_byte(int descriptor, std::uint64_t byte, LockMode mode);

// Takes or converts; waits as long as it takes. Throws Errc::io.
void lock_byte(int descriptor, std::uint64_t byte, LockMode mode);

// Never fails, because it ends scopes: should the system refuse again and again (it is out of
// memory), the byte stays locked until its next unlocking or the end of the description.
void unlock_byte(int descriptor, std::uint64_t byte) noexcept;

// True when another description holds a lock on the byte that conflicts with `mode`.
[[nodiscard]] bool is_byte_locked(int descriptor, std::uint64_t byte, LockMode mode);

// As `try_lock_byte` and `unlock_byte` for all bytes of [first, limit).
[[nodiscard]] bool try_lock_bytes(int descriptor, std::uint64_t first, std::uint64_t limit,
                                  LockMode mode);
void unlock_bytes(int descriptor, std::uint64_t first, std::uint64_t limit) noexcept;

// Who holds a byte, as far as another description may know.
enum class ByteHolder { nobody, shared, exclusive };
[[nodiscard]] ByteHolder holder_of(int descriptor, std::uint64_t byte);

// What other descriptions have locked, in either mode, of the bytes [first, limit): in ascending
// order, without overlaps. A process that may only read can lock as much as it likes, so the system
// is asked `questions_max` times at most: what has not been looked at by then counts as locked.
struct ByteRange {
  std::uint64_t first;
  std::uint64_t limit;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};
[[nodiscard]] std::vector<ByteRange> locked_ranges(int descriptor, std::uint64_t first,
                                                   std::uint64_t limit, std::size_t questions_max);

}  // namespace quire::storage
