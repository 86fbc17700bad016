// Open-file-description locks on single bytes of a file. They belong to the description, survive
// the closing of other descriptors, are visible across PID namespaces and vanish with the last
// process that holds the description: that is what makes them proof of life (rule 9).
//
// Threads: any, but two threads of one process share a description and so do not exclude each
// other.
#pragma once

#include <cstdint>

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

// First byte in [first, limit) that another description holds with a lock conflicting with `mode`;
// `limit` if none.
[[nodiscard]] std::uint64_t first_locked_byte(int descriptor, std::uint64_t first,
                                              std::uint64_t limit, LockMode mode);

}  // namespace quire::storage
